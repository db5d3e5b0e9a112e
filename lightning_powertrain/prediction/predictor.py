"""What a predictor is: fit on a few measured modes, then asked about all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards import IntArray
from lightning_powertrain.profiling import Profile

FloatArray = npt.NDArray[np.float64]


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
    """

    time_ms: FloatArray
    power_w: FloatArray
    time_error: float = float("nan")
    power_error: float = float("nan")
    time_low_ms: FloatArray | None = None
    time_high_ms: FloatArray | None = None
    power_low_w: FloatArray | None = None
    power_high_w: FloatArray | None = None


class Predictor(Protocol):
    """Predicts the time and power of a workload in every power mode of a board.

    :meth:`fit` is called once per profile; a later call replaces what an earlier one learnt. Neither method may touch
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

    def predict(self, modes: IntArray) -> Prediction:
        """Predict modes, shape ``(n, number of knobs)``, columns in the order of the profile's knobs."""
        ...
