"""The tiny board with a heat sink that takes minutes to warm, and with leakage that grows exponentially."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from fakes import FakeDevice, true_power_w, true_time_ms

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import Health, PowerReading

AIR_C, C_PER_W, TIME_CONSTANT_S = 25.0, 1.3, 150.0
_STEP_S = 0.5


class Leaking(FakeDevice):
    """A board that warms, and draws more as it does.

    Args:
        leakage_w: Leakage at 50 C; it doubles every 25 C.
        shows_temperature: Whether the temperature of the die can be read.
    """

    def __init__(self, leakage_w: float = 4.0, shows_temperature: bool = True) -> None:
        super().__init__()
        self.leakage_w = leakage_w
        self.shows_temperature = shows_temperature
        self.temperature_c = AIR_C
        self._at_s = 0.0

    def power_w(self, mode: PowerMode, temperature_c: float) -> float:
        return float(true_power_w(self.modes.rows([mode]))[0]) + self.leakage_w * 2 ** ((temperature_c - 50) / 25)

    def settled_w(self, mode: PowerMode) -> float:
        """What a mode draws for good."""
        power_w = 0.0
        for _ in range(100):
            power_w = self.power_w(mode, AIR_C + C_PER_W * power_w)
        return power_w

    def best(self, limit_w: float) -> PowerMode:
        """The fastest mode that stays within a limit for good."""
        within = [mode for mode in map(self.modes.mode, range(len(self.modes))) if self.settled_w(mode) <= limit_w]
        return min(within, key=self.time_ms)

    def time_ms(self, mode: PowerMode) -> float:
        return float(true_time_ms(self.modes.rows([mode]))[0])

    def apply(self, mode: Mapping[str, int]) -> PowerMode:
        self._catch_up()
        return super().apply(mode)

    def read_power(self) -> PowerReading:
        self._catch_up()
        watts = self.power_w(self.mode, self.temperature_c)
        return PowerReading(watts, {"VDD_IN": watts})

    def health(self) -> Health:
        self._catch_up()
        return Health(temperature_c=self.temperature_c if self.shows_temperature else None)

    def _catch_up(self) -> None:
        now_s = self.clock.now()
        while self._at_s < now_s:
            step_s = min(_STEP_S, now_s - self._at_s)
            towards_c = AIR_C + C_PER_W * self.power_w(self.mode, self.temperature_c)
            self.temperature_c += (towards_c - self.temperature_c) * -math.expm1(-step_s / TIME_CONSTANT_S)
            self._at_s += step_s


def sampled(device: Leaking, seconds: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times (s), temperatures (C) and powers (W), one a second, in whatever mode the device is."""
    rows = []
    for _ in range(seconds):
        device.clock.advance(1.0)
        rows.append((device.clock.now(), device.health().temperature_c, device.read_power().total_w))
    times_s, celsius, watts = np.array(rows, dtype=np.float64).T
    return times_s, celsius, watts
