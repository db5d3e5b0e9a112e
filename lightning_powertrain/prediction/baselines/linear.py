"""Linear regression: the simplest of the paper's baselines."""

from __future__ import annotations

import numpy as np

from lightning_powertrain.boards import IntArray
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.prediction.knob_layout import FloatArray
from lightning_powertrain.prediction.predictor import BasePredictor, Prediction, check_profile
from lightning_powertrain.profiling import Profile

MINIMUM_MODES = 2
# A straight line may go below zero, where neither a time nor a power can be: never below this share of the least seen.
_FLOOR = 0.1


class LinearRegression(BasePredictor):
    """Time and power as a constant and a slope for each knob, by least squares, without a reference."""

    minimum_modes = MINIMUM_MODES

    def __init__(self) -> None:
        self._weights: FloatArray | None = None

    def fit(self, profile: Profile) -> None:
        """Learn from measured modes.

        Raises:
            ArgumentError: If there are fewer than :attr:`minimum_modes`, or a time or power is not a positive number.
        """
        check_profile(profile, MINIMUM_MODES)
        std = profile.modes.std(axis=0)
        self._mean, self._std = profile.modes.mean(axis=0), np.where(std > 0, std, 1.0)
        targets = np.column_stack([profile.time_ms, profile.power_w])
        self._floors = _FLOOR * targets.min(axis=0)
        self._weights = np.linalg.pinv(self._inputs(profile.modes)) @ targets

    def predict(self, modes: IntArray) -> Prediction:
        """Predict modes, shape ``(n, number of knobs)``, columns in the order of the profile's knobs.

        Raises:
            ArgumentError: If :meth:`fit` was not called before.
        """
        if self._weights is None:
            raise ArgumentError("predict() was called before fit(). Call fit() with a profile first.")
        time_ms, power_w = np.maximum(self._inputs(modes) @ self._weights, self._floors).T
        return Prediction(time_ms, power_w)

    def _inputs(self, modes: IntArray) -> FloatArray:
        return np.column_stack([np.ones(len(modes)), (modes - self._mean) / self._std])
