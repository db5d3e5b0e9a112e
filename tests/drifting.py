"""A tiny board whose job does not stay as it was, and a predictor that knows by what it may change."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from fakes import FakeDevice, true_power_w, true_time_ms

from lightning_powertrain.boards import IntArray
from lightning_powertrain.devices import PowerReading
from lightning_powertrain.prediction import BasePredictor, Prediction
from lightning_powertrain.profiling import Profile


class Changing(FakeDevice):
    """The tiny board with a job whose time and power are multiplied by what ``factors`` gives for a time."""

    def __init__(self, factors: Callable[[float], tuple[float, float]] = lambda since_s: (1.0, 1.0)) -> None:
        super().__init__()
        self.factors = factors
        self.locked_s = math.inf

    def now(self) -> tuple[float, float]:
        since_s = self.clock.now() - self.locked_s
        return self.factors(since_s) if since_s >= 0 else (1.0, 1.0)

    def costs_now(self, modes: IntArray) -> tuple[np.ndarray, np.ndarray]:
        time_factor, power_factor = self.now()
        return true_time_ms(modes) * time_factor, true_power_w(modes) * power_factor

    def read_power(self) -> PowerReading:
        watts = super().read_power().total_w * self.now()[1]
        return PowerReading(watts, {"VDD_IN": watts})

    def minibatch_ended(self) -> None:
        before_s = self.clock.now()
        time_factor = self.now()[0]
        super().minibatch_ended()
        self.clock.advance((self.clock.now() - before_s) * (time_factor - 1))


class Proportional(BasePredictor):
    """Knows the tiny board but for one factor of time and one of power, which it takes from what was measured."""

    minimum_modes = 3

    def fit(self, profile: Profile) -> None:
        self.time_factor = float(np.median(profile.time_ms / true_time_ms(profile.modes)))
        self.power_factor = float(np.median(profile.power_w / true_power_w(profile.modes)))

    def reference_time_ms(self, modes: IntArray) -> np.ndarray | None:
        return true_time_ms(modes)

    def predict(self, modes: IntArray) -> Prediction:
        return Prediction(true_time_ms(modes) * self.time_factor, true_power_w(modes) * self.power_factor, 0.0, 0.0)
