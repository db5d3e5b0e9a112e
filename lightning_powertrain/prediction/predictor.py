"""The base class of predictors, which are fitted to a few measured modes and predict all modes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards import IntArray, Knob
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.profiling import Profile, Provenance

FloatArray = npt.NDArray[np.float64]

# Of a normal distribution: the 90 % interval, and the mean absolute deviation, in standard deviations.
_WIDTH_OF_90_PERCENT = 2 * 1.6449
_STD_PER_MEAN_ERROR = np.sqrt(np.pi / 2)


@dataclass(frozen=True)
class Prediction:
    """Predicted time and power of some modes.

    Args:
        time_ms: Time of a minibatch in each mode, shape ``(n,)``.
        power_w: Power in each mode, shape ``(n,)``.
        time_error: Relative error to expect of a time, as measured on modes held out of the fit; NaN if unknown.
        power_error: Likewise of a power.
        time_low_ms: Lower end of the 90 % interval of each time, shape ``(n,)``; None if the predictor has none.
        time_high_ms: Upper end of it.
        power_low_w: Lower end of the 90 % interval of each power.
        power_high_w: Upper end of it.
        reference: Where the reference comes from that was transferred; None if none was used.
    """

    time_ms: FloatArray
    power_w: FloatArray
    time_error: float = float("nan")
    power_error: float = float("nan")
    time_low_ms: FloatArray | None = None
    time_high_ms: FloatArray | None = None
    power_low_w: FloatArray | None = None
    power_high_w: FloatArray | None = None
    reference: Provenance | None = None

    @property
    def time_spread(self) -> FloatArray:
        """Standard deviation of the logarithm of each time, from its interval, or else from the error to expect."""
        return _spread(self.time_ms, self.time_low_ms, self.time_high_ms, self.time_error)

    @property
    def power_spread(self) -> FloatArray:
        """Likewise of each power."""
        return _spread(self.power_w, self.power_low_w, self.power_high_w, self.power_error)


def joined(first: Prediction, second: Prediction) -> Prediction:
    """Predictions of some modes and of others, by the same predictor, as one."""
    arrays: dict[str, Any] = {
        name: np.concatenate([value, getattr(second, name)])
        for name, value in vars(first).items()
        if isinstance(value, np.ndarray)
    }
    return replace(first, **arrays)


def _spread(values: FloatArray, low: FloatArray | None, high: FloatArray | None, error: float) -> FloatArray:
    if low is not None and high is not None:
        return np.asarray(np.log(high / low) / _WIDTH_OF_90_PERCENT, dtype=np.float64)
    return np.full(len(values), 0.0 if np.isnan(error) else error * _STD_PER_MEAN_ERROR)


class BasePredictor(ABC):
    """Predicts the time and power of a workload in every power mode of a board.

    A predictor needs :meth:`fit` and :meth:`predict`. Everything else has a default.

    All methods are called in the process of the training job, between two of its minibatches, and training waits for
    them. None may change the global state of torch, numpy or random, or the arrays and profiles that it gets.
    """

    @property
    def minimum_modes(self) -> int:
        """The fewest measured modes with which :meth:`fit` gives something useful, by default 5.

        Read at any time, also before :meth:`fit`. It must not change during a job. A class attribute may replace it.
        """
        return 5

    @abstractmethod
    def fit(self, profile: Profile) -> None:
        """Learn from measured modes.

        Called after each measured mode once there are :attr:`minimum_modes`, with all measurements so far. A later call
        replaces what an earlier one learned, without changing in place what it left in attributes: a shallow copy of a
        fitted predictor must keep its fit.

        Args:
            profile: What was measured, in this order; a power is NaN if it was not measured.
        """

    @abstractmethod
    def predict(self, modes: IntArray) -> Prediction:
        """Time and power in some modes.

        Called any number of times after :meth:`fit`, with the modes of the board or a part of them. It must not change
        what :meth:`fit` learned.

        Args:
            modes: Shape ``(n, number of knobs)``, columns in the order of the knobs of the profile.
        """

    def reference_time_ms(self, modes: IntArray) -> FloatArray | None:
        """Times of a minibatch of a reference workload, shape ``(n,)``; by default None, without a reference.

        Called before anything is measured, to find the modes that are probably fast and to estimate how long it takes
        to measure them; only the ratios of the times matter. It must not change what :meth:`fit` learned.

        Args:
            modes: Shape ``(n, number of knobs)``.
        """
        return None

    def initial_design(self, knobs: Sequence[Knob], modes: IntArray, count: int, seed: int) -> IntArray | None:
        """Rows of the modes to measure first; by default None, for a Latin hypercube.

        Called before :meth:`fit`, several times with different counts where the job is short: the same arguments must
        give the same rows. It must not change what :meth:`fit` learned.

        Args:
            knobs: What the columns of ``modes`` act on.
            modes: The modes to choose from, shape ``(n, number of knobs)``.
            count: How many, at most ``n``.
            seed: Makes a random choice reproducible.

        Returns:
            Different rows of ``modes``, shape ``(count,)``.
        """
        return None


def check_profile(profile: Profile, minimum_modes: int, *, needs_power: bool = True) -> None:
    """Refuse a profile that nothing can be learnt from.

    Args:
        profile: What was measured.
        minimum_modes: The fewest modes that it may have.
        needs_power: Whether a power may not be NaN, which means that it was not measured.

    Raises:
        ArgumentError: If it has too few modes, or a time or power that is not a positive number.
    """
    if len(profile) < minimum_modes:
        raise ArgumentError.of("profile", f"{len(profile)} modes", f"a profile of at least {minimum_modes} modes")
    for measurement in profile.measurements:
        if not 0 < measurement.time_ms < np.inf:
            raise ArgumentError.of("time_ms", measurement.time_ms, f"a positive number ({measurement.mode})")
        if not 0 < measurement.power_w < np.inf and (needs_power or not np.isnan(measurement.power_w)):
            allowed = "a positive number" if needs_power else "a positive number, or NaN if not measured"
            raise ArgumentError.of("power_w", measurement.power_w, f"{allowed} ({measurement.mode})")
