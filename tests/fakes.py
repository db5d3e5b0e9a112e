"""A board and a predictor that tests can see through."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards import Board, IntArray, Knob, ModeSpace, PowerMode, Preset
from lightning_powertrain.devices import BaseDevice, Health, PowerReading, VirtualClock
from lightning_powertrain.errors import DeviceError
from lightning_powertrain.prediction import BasePredictor, Prediction
from lightning_powertrain.profiling import Profile
from lightning_powertrain.tuning import ProfilingOptions

FloatArray = npt.NDArray[np.float64]

TINY = Board(
    key="tiny",
    title="A tiny board",
    knobs=(
        Knob("cores", "cores", (1, 2, 4)),
        Knob("cpu_khz", "cpu", (500000, 1000000, 2000000)),
        Knob("gpu_hz", "gpu", (100000000, 200000000, 400000000)),
        Knob("emc_hz", "emc", (200000000, 800000000)),
    ),
    presets=(Preset("LOW", 1, {"cores": 2, "cpu_khz": 1000000, "gpu_hz": 200000000}), Preset("MAXN", 0)),
    default_preset="LOW",
)


def true_time_ms(modes: IntArray) -> FloatArray:
    """Time of a minibatch on the tiny board, exactly."""
    cores, cpu_khz, gpu_hz, emc_hz = modes.T.astype(float)
    return np.asarray(2.0 + 4e6 / cpu_khz / np.sqrt(cores) + 2e9 / gpu_hz + 4e8 / emc_hz)


def true_power_w(modes: IntArray) -> FloatArray:
    """Power of the tiny board, exactly."""
    cores, cpu_khz, gpu_hz, emc_hz = modes.T.astype(float)
    return np.asarray(3.0 + cores * (cpu_khz / 1e6) ** 2 + 12.0 * (gpu_hz / 4e8) ** 2 + 2.0 * emc_hz / 8e8)


class FakeDevice(BaseDevice):
    """A board without noise on a virtual clock; it writes down every mode it was set to."""

    simulated = True
    settle_s = 2.0

    def __init__(self) -> None:
        self.board = TINY
        self.modes: ModeSpace = TINY.modes
        self.clock: VirtualClock = VirtualClock()
        self.found = TINY.preset("LOW")
        self.mode = self.found
        self.applied: list[PowerMode] = []
        self.minibatches = 0
        self.restored = 0
        self.saved: PowerMode | None = None
        self.fail_after: int | None = None
        self.is_hot: Callable[[PowerMode], bool] = lambda mode: False

    def current_mode(self) -> PowerMode:
        return self.mode

    def apply(self, mode: Mapping[str, int]) -> PowerMode:
        self.modes.index(mode)
        if self.fail_after is not None and len(self.applied) >= self.fail_after:
            raise DeviceError("the board refused a write")
        self.mode = PowerMode(**mode)
        self.applied.append(self.mode)
        return self.mode

    def read_power(self) -> PowerReading:
        watts = float(true_power_w(self.modes.rows([self.mode]))[0])
        return PowerReading(watts, {"VDD_IN": watts})

    def health(self) -> Health:
        return Health(("fake-throttle",) if self.is_hot(self.mode) else ())

    def snapshot(self) -> None:
        self.saved = self.saved or self.mode

    def restore(self) -> None:
        if self.saved is not None:
            self.mode, self.saved = self.saved, None
            self.restored += 1

    def minibatch_ended(self) -> None:
        self.minibatches += 1
        self.clock.advance(float(true_time_ms(self.modes.rows([self.mode]))[0]) / 1e3)


class Oracle(BasePredictor):
    """Predicts the tiny board exactly, but only once it was fit."""

    minimum_modes = 3

    def __init__(self) -> None:
        self.fitted: Profile | None = None

    def fit(self, profile: Profile) -> None:
        self.fitted = profile

    def reference_time_ms(self, modes: IntArray) -> FloatArray | None:
        return true_time_ms(modes)

    def predict(self, modes: IntArray) -> Prediction:
        assert self.fitted is not None
        return Prediction(true_time_ms(modes), true_power_w(modes), 0.0, 0.0)


def arguments(**given: Any) -> dict[str, Any]:
    """Arguments of a tuner or callback, of which those that belong there are gathered in ``options``."""
    names = {field.name for field in fields(ProfilingOptions)}
    options = {name: given.pop(name) for name in names & given.keys()}
    return {**given, "options": ProfilingOptions(**options)}
