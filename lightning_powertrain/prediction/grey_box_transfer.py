"""Predict time and power from few modes: physics, a Gaussian process, and a reference workload for both."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np

from lightning_powertrain.boards import IntArray, Knob
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.logs import warn
from lightning_powertrain.prediction.knob_layout import FloatArray, KnobLayout, layout_of
from lightning_powertrain.prediction.predictor import BasePredictor, Prediction, check_profile
from lightning_powertrain.prediction.reference import ReferenceProfile, fit_reference_model
from lightning_powertrain.prediction.reference_model import ReferenceModel, Residuals
from lightning_powertrain.prediction.workload_model import WorkloadModel, initial_design
from lightning_powertrain.profiling import Profile

MINIMUM_MODES = 5
# An initial design is chosen from so many modes at most, and has so many modes at least.
_CANDIDATES = 400
_DESIGNED = 10
# One decision predicts a sample of all modes and, a few times, the neighbours of some.
_CACHED = 8

Value = TypeVar("Value")


class GreyBoxTransfer(BasePredictor):
    """Predicts a workload from few measured modes, with the physics of a reference workload as the starting point.

    Two models of a dozen or two parameters say how time and power depend on the knobs. Their parameters start from
    those of the reference; a Gaussian process learns what they leave over, and sees what they leave over in the
    reference. All of it works on logarithms, so that errors count in per cent. Intervals hold with a probability of
    about 90 %.

    Knobs are known by their role, and any number of each will do; one of role ``other`` is taken to act as a power. A
    profile without power (NaN in any row) gives predictions of time only.

    Args:
        reference: A reference, or the profile of a reference workload, a few hundred modes or more; None to do without.
            A :class:`ReferenceProfile` holds a fitted model, a profile is fitted when it is first needed. Its board may
            be another, as long as the knobs have the same roles in the same order; otherwise the log says so once, and
            the reference is not used.
        seed: Makes a fit reproducible.

    Raises:
        ArgumentError: If the reference has too few modes, or a time or power that is not a positive number.
    """

    minimum_modes = MINIMUM_MODES

    def __init__(self, reference: ReferenceProfile | Profile | None = None, seed: int = 0) -> None:
        profile = reference.profile if isinstance(reference, ReferenceProfile) else reference
        if profile is not None:
            check_profile(profile, MINIMUM_MODES, needs_power=False)
        self._reference = profile
        self._shipped = reference.model if isinstance(reference, ReferenceProfile) else None
        self._seed = seed
        self._has_warned = False
        self._fitted: tuple[KnobLayout, WorkloadModel, bool] | None = None
        self._reference_times = _Cache[FloatArray]()
        self._residuals = _Cache[Residuals]()
        self._designs = _Cache[IntArray]()

    def fit(self, profile: Profile) -> None:
        """Learn from measured modes.

        Raises:
            ArgumentError: If there are fewer than :attr:`minimum_modes`, or a time or power is not a positive number.
        """
        check_profile(profile, MINIMUM_MODES, needs_power=False)
        layout = layout_of(profile.knobs, profile.modes)
        reference = self._model_for(profile.knobs)
        if reference is None:
            self._warn_once(profile)
        self._fitted = (layout, WorkloadModel.fit(profile, layout, self._seed, reference), reference is not None)

    @property
    def log_score(self) -> float:
        """How well the last fit predicts each measurement from all others: a mean log density; larger is better.

        Fits to the same measurements may be compared, so that the better reference is found.

        Raises:
            ArgumentError: If :meth:`fit` was not called before.
        """
        if self._fitted is None:
            raise ArgumentError("log_score was read before fit(). Call fit() with a profile first.")
        return self._fitted[1].log_score

    def reference_time_ms(self, modes: IntArray) -> FloatArray | None:
        """Times of the reference workload in ``modes``; only their ratios matter.

        None without a reference that suits this board.
        """
        if self._reference is None or modes.shape[1] != len(self._reference.knobs):
            return None
        reference = self._reference_model
        return self._reference_times.get(modes, lambda: reference.expected_time_ms(reference.layout, modes))

    def initial_design(self, knobs: Sequence[Knob], modes: IntArray, count: int, seed: int = 0) -> IntArray:
        """Rows of the ``count`` modes to measure first, the highest mode first.

        A greedy I-optimal design (Cohn 1996): each next mode is the one whose measurement most reduces the variance of
        the times of all modes. The variance is that of 200 workloads drawn from the prior, which is centred on the
        reference. Of more than 400 modes, the design uses 400 that are drawn at random.

        Args:
            knobs: What the columns of ``modes`` act on.
            modes: The modes to draw from, shape ``(n, knobs)``.
            count: How many; at most ``n``.
            seed: Makes the draw reproducible.

        Raises:
            ArgumentError: If there are not that many modes.
        """
        if not 1 <= count <= len(modes):
            raise ArgumentError.of("count", count, f"a whole number from 1 to {len(modes)}, the modes there are")
        layout = layout_of(knobs, modes)
        # A smaller design is the beginning of a larger one, and a tuner compares several counts in a short job.
        most = min(len(modes), max(count, _DESIGNED))
        candidates = _candidates(layout, modes, max(most, _CANDIDATES), seed)

        def design() -> IntArray:
            return candidates[initial_design(layout, modes[candidates], most, seed, self._model_for(knobs))]

        return self._designs.get(modes, design, layout, seed, most)[:count]

    def predict(self, modes: IntArray) -> Prediction:
        """Predict modes, shape ``(n, number of knobs)``, columns in the order of the profile's knobs.

        Raises:
            ArgumentError: If :meth:`fit` was not called before, or the number of columns is not the profile's.
        """
        if self._fitted is None:
            raise ArgumentError("predict() was called before fit(). Call fit() with a profile first.")
        layout, model, has_reference = self._fitted
        count = len(layout.knobs)
        if modes.ndim != 2 or modes.shape[1] != count:
            raise ArgumentError.of("modes.shape", modes.shape, f"(n, {count}), one column for each knob of the profile")
        if self._reference is None or not has_reference:
            return model.predict(layout, modes, Residuals())
        residuals = self._residuals.get(modes, lambda: self._reference_model.residuals(layout, modes), layout)
        prediction = model.predict(layout, modes, residuals)
        return replace(prediction, reference=self._reference.provenance)

    @cached_property
    def _reference_model(self) -> ReferenceModel:
        assert self._reference is not None
        return self._shipped or fit_reference_model(self._reference, self._seed).as_reference()

    def _model_for(self, knobs: Sequence[Knob]) -> ReferenceModel | None:
        """The reference's, if it suits a board of such knobs."""
        if self._reference is None or _roles(knobs) != _roles(self._reference.knobs):
            return None
        return self._reference_model

    def _warn_once(self, profile: Profile) -> None:
        if self._reference is None or self._has_warned:
            return
        self._has_warned = True
        warn(
            "the knobs of %s are %s, those of the reference %s: it is not used, and more modes are needed for the "
            "same accuracy. `powertrain reference fit` makes one for this board",
            profile.provenance.board,
            ", ".join(_roles(profile.knobs)),
            ", ".join(_roles(self._reference.knobs)),
            see="troubleshooting.md#other-boards",
        )


def _roles(knobs: Sequence[Knob]) -> list[str]:
    return [knob.role for knob in knobs]


def _candidates(layout: KnobLayout, modes: IntArray, count: int, seed: int) -> IntArray:
    """Rows of at most ``count`` modes: the highest, and others drawn at random."""
    highest = int(np.argmax(layout.logs(modes).sum(axis=1)))
    others = np.random.default_rng(seed).permutation(len(modes))
    return np.array([highest, *others[others != highest][: count - 1]], dtype=np.int64)


class _Cache(Generic[Value]):
    """The last few values, by the modes that they were computed for and anything else that they depend on.

    A search predicts the same modes several times.
    """

    def __init__(self) -> None:
        self._values: OrderedDict[Hashable, Value] = OrderedDict()

    def get(self, modes: IntArray, compute: Callable[[], Value], *others: Hashable) -> Value:
        """The value for some modes; computed if it is not in the cache."""
        key = (modes.shape, modes.tobytes(), *others)
        if key not in self._values:
            self._values[key] = compute()
            if len(self._values) > _CACHED:
                self._values.popitem(last=False)
        self._values.move_to_end(key)
        return self._values[key]
