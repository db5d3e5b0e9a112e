"""What a predictor is: fit on a few measured modes, then asked about all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

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


class Predictor(Protocol):
    """Predicts the time and power of a workload in every power mode of a board.

    :meth:`fit` is called once per profile; a later call replaces what an earlier one learnt. No method may touch
    the global state of torch, numpy or random: a training job runs in the same process.

    Attributes:
        minimum_modes: The fewest measured modes with which :meth:`fit` gives something useful.
    """

    @property
    def minimum_modes(self) -> int: ...

    def fit(self, profile: Profile) -> None:
        """Learn from measured modes."""
        ...

    def prior_time_ms(self, modes: IntArray) -> FloatArray | None:
        """Times of the reference workload in ``modes``, before any measurement: only their ratios tell something.

        None without a reference that suits this board.
        """
        ...

    def informative_rows(self, knobs: Sequence[Knob], modes: IntArray, count: int, seed: int) -> IntArray | None:
        """Rows of the ``count`` modes out of ``modes`` that are best measured first.

        None to have them spread evenly.
        """
        ...

    def predict(self, modes: IntArray) -> Prediction:
        """Predict modes, shape ``(n, number of knobs)``, columns in the order of the profile's knobs."""
        ...


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
