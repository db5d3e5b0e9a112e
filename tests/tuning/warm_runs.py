"""Runs on the tiny board that begin with what an earlier run measured."""

from __future__ import annotations

import logging
from typing import Callable, Tuple

import pytest
from fakes import FakeDevice, Oracle, arguments, true_power_w, true_time_ms
from watching import train

from lightning_powertrain.boards import IntArray, PowerMode
from lightning_powertrain.devices import PowerReading
from lightning_powertrain.prediction import Prediction
from lightning_powertrain.profiling import Profile
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import History

BruteForce = Callable[[float], Tuple[float, float]]


class Changed(FakeDevice):
    """The tiny board, on which everything takes longer or more power than it did; or only some modes do."""

    def __init__(
        self, time: float = 1.0, power: float = 1.0, which: Callable[[PowerMode], bool] = lambda mode: True
    ) -> None:
        super().__init__()
        self.time, self.power, self.which = time, power, which

    def read_power(self) -> PowerReading:
        watts = super().read_power().total_w * (self.power if self.which(self.mode) else 1.0)
        return PowerReading(watts, {})

    def minibatch_ended(self) -> None:
        before_s = self.clock.now()
        super().minibatch_ended()
        if self.which(self.mode):
            self.clock.advance((self.time - 1) * (self.clock.now() - before_s))


class Learning(Oracle):
    """Knows the shape of the tiny board, and takes the scale from the last mode that it is fit on."""

    def predict(self, modes: IntArray) -> Prediction:
        assert self.fitted is not None
        row, last = self.fitted.modes[-1:], self.fitted.measurements[-1]
        time, power = last.time_ms / float(true_time_ms(row)[0]), last.power_w / float(true_power_w(row)[0])
        return Prediction(true_time_ms(modes) * time, true_power_w(modes) * power, 0.0, 0.0)


def run(device: FakeDevice, budget: str | None = "13 W", history: History | None = None, **options: object) -> Tuner:
    """A tuner that has come to its end; the board is restored."""
    usual: dict[str, object] = {"predictor": Learning(), "max_modes": 8}
    length = options.pop("minibatches", None)
    tuner = Tuner(budget, device=device, verbose=False, **arguments(**{**usual, **options})).start(minibatches=length)
    if history is not None:
        tuner.warm_start(history)
    train(tuner)
    return tuner


def profile_of(device: FakeDevice | None = None, budget: str | None = "13 W", **options: object) -> Profile:
    tuner = run(device or FakeDevice(), budget, **options)
    tuner.stop()
    assert tuner.profile is not None
    return tuner.profile


def kept(tuner: Tuner) -> tuple[float, float]:
    assert tuner.outcome is not None
    measured = tuner.outcome.selection.measured
    assert measured is not None
    assert measured.mode not in tuner.outcome.reused, "what stays was measured in this job"
    return pytest.approx((measured.time_ms, measured.power_w))  # type: ignore[no-any-return]


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
