"""What changes slowly in a board: its temperature, and what its power sensors show."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

import numpy as np

from lightning_powertrain.simulation.physics import REFERENCE_C, FloatArray, Thermal

FILTER_S = 0.43
"""Time constant of an INA3221 with NVIDIA's settings: a running mean over 512 samples, one every 0.84 ms."""


@dataclass(frozen=True)
class Draw:
    """What a board draws while nothing changes but its temperature: each rail is a straight line in it.

    Args:
        rails_w: Power of each rail at 50 C, shape ``(rails,)``.
        rails_w_per_c: Its growth per degree.
        total_w: Power of the module at 50 C.
        total_w_per_c: Its growth per degree.
    """

    rails_w: FloatArray
    rails_w_per_c: FloatArray
    total_w: float
    total_w_per_c: float

    def rails_at(self, temperature_c: float) -> FloatArray:
        """Power of each rail at a temperature."""
        return self.rails_w + self.rails_w_per_c * (temperature_c - REFERENCE_C)


class SlowState:
    """Temperature of a board and filtered power of its rails, moved from one event to the next in closed form.

    Both obey first-order equations. Power is a straight line in temperature, so the temperature is one exponential,
    and the filter, fed by that, is a sum of two: no step size, no error.

    Args:
        thermal: How the board warms.
        ambient_c: Temperature of the air.
        temperature_c: Temperature at the start.
        shown_w: What the sensors show at the start, shape ``(rails,)``.
    """

    def __init__(self, thermal: Thermal, ambient_c: float, temperature_c: float, shown_w: FloatArray) -> None:
        self._thermal = thermal
        self._ambient_c = ambient_c
        self.temperature_c = temperature_c
        self.shown_w = shown_w

    def settled_c(self, draw: Draw) -> float:
        """The temperature that a draw leads to."""
        return float(self._thermal.settled_c(np.float64(draw.total_w), np.float64(draw.total_w_per_c), self._ambient_c))

    def advance(self, seconds: float, draw: Draw) -> None:
        """Let ``seconds`` pass under a draw."""
        if seconds <= 0:
            return
        settled_c = self.settled_c(draw)
        warming_s = self._thermal.time_constant_s / (1 - self._thermal.resistance_c_per_w * draw.total_w_per_c)
        settled_w = draw.rails_at(settled_c)
        lag_w = draw.rails_w_per_c * (self.temperature_c - settled_c) * warming_s / (warming_s - FILTER_S)
        warming, filtering = exp(-seconds / warming_s), exp(-seconds / FILTER_S)
        self.temperature_c = settled_c + (self.temperature_c - settled_c) * warming
        self.shown_w = settled_w + lag_w * warming + (self.shown_w - settled_w - lag_w) * filtering
