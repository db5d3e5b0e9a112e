"""The objectives that budgets stand for: a limit of power, of time or of energy, or least energy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Optional

import numpy as np

from lightning_powertrain.selection.objective import TIME_NOISE, FloatArray, Objective

# Of the difference of two mean times, each of which has this noise.
_EQUAL_TIMES = math.sqrt(2) * TIME_NOISE


@dataclass(frozen=True)
class PowerBudget(Objective):
    """The fastest mode that draws at most ``limit_w`` watts, which are ``plug_w`` watts at the plug."""

    limit_w: float
    plug_w: Optional[float] = None

    @property
    def power_limit_w(self) -> float:
        return self.limit_w

    def cost(self, time_ms: FloatArray, power_w: FloatArray) -> FloatArray:
        return time_ms

    def at_module(self, supply_overhead: float) -> PowerBudget:
        return PowerBudget(self.limit_w / (1 + supply_overhead), self.limit_w)

    def __str__(self) -> str:
        return f"fastest within {_watts(self.limit_w, self.plug_w)}"


@dataclass(frozen=True)
class TimeBudget(Objective):
    """The mode of least power whose minibatches take at most ``limit_ms`` milliseconds."""

    limit_ms: float

    @property
    def time_limit_ms(self) -> float:
        return self.limit_ms

    def cost(self, time_ms: FloatArray, power_w: FloatArray) -> FloatArray:
        return power_w

    def __str__(self) -> str:
        return f"least power within {self.limit_ms:g} ms a minibatch"


@dataclass(frozen=True)
class LeastEnergy(Objective):
    """The mode of least energy per minibatch."""

    def cost(self, time_ms: FloatArray, power_w: FloatArray) -> FloatArray:
        return time_ms * power_w

    def __str__(self) -> str:
        return "least energy per minibatch"


@dataclass(frozen=True)
class LeastEnergyDelay(Objective):
    """The mode of least energy-delay product."""

    def cost(self, time_ms: FloatArray, power_w: FloatArray) -> FloatArray:
        return time_ms * time_ms * power_w

    def __str__(self) -> str:
        return "least energy-delay product"


@dataclass(frozen=True)
class LeastEnergyWithin(LeastEnergy):
    """The mode of least energy per minibatch within a limit of power, ``plug_w`` at the plug, and one of time."""

    limit_w: float
    limit_ms: float
    plug_w: Optional[float] = None

    @property
    def power_limit_w(self) -> float:
        return self.limit_w

    @property
    def time_limit_ms(self) -> float:
        return self.limit_ms

    def at_module(self, supply_overhead: float) -> LeastEnergyWithin:
        return LeastEnergyWithin(self.limit_w / (1 + supply_overhead), self.limit_ms, self.limit_w)

    def __str__(self) -> str:
        return f"least energy within {_watts(self.limit_w, self.plug_w)} and {self.limit_ms:g} ms a minibatch"


@dataclass(frozen=True)
class PaceBudget(LeastEnergy):
    """The mode of least energy per minibatch that is fast enough for a job to end in time."""

    limit_ms: float

    @property
    def time_limit_ms(self) -> float:
        return self.limit_ms

    @property
    def limit(self) -> None:
        """None: where no mode is fast enough, the fastest one is used however late the job ends."""
        return None

    def __str__(self) -> str:
        return f"least energy within {self.limit_ms:.4g} ms a minibatch, to be done in time"


@dataclass(frozen=True)
class PricedTime(Objective):
    """The mode of least energy per minibatch, where time has a price: the best of those that mixtures are made of."""

    price_w: float

    def cost(self, time_ms: FloatArray, power_w: FloatArray) -> FloatArray:
        return time_ms * (power_w + self.price_w)

    def __str__(self) -> str:
        return f"least energy, at {self.price_w:.3g} J for a second"


@dataclass(frozen=True)
class EnergyBudget(Objective):
    """The fastest mode that takes at most ``limit_mj`` millijoules per minibatch."""

    limit_mj: float

    @property
    def unit(self) -> str:
        return "mJ"

    def cost(self, time_ms: FloatArray, power_w: FloatArray) -> FloatArray:
        return time_ms

    def excess(self, time_ms: FloatArray, power_w: FloatArray) -> FloatArray:
        return np.maximum(time_ms * power_w - self.limit_mj, 0.0)

    def at_module(self, supply_overhead: float) -> EnergyBudget:
        return EnergyBudget(self.limit_mj / (1 + supply_overhead))

    def __str__(self) -> str:
        return f"fastest within {self.limit_mj / 1e3:.4g} J a minibatch"


@dataclass(frozen=True)
class NoWorse(LeastEnergy):
    """The mode of least energy per minibatch that is no slower than a mode of ``time_ms``, and draws no more power.

    Two measured times that differ by their noise alone count as equal.
    """

    is_relative: ClassVar[bool] = True
    time_ms: float
    power_w: float

    @property
    def power_limit_w(self) -> float:
        return self.power_w

    @property
    def time_limit_ms(self) -> float:
        return self.time_ms * (1 + _EQUAL_TIMES)

    def after_drift(self, time_ratio: float, power_ratio: float) -> NoWorse:
        return NoWorse(self.time_ms * time_ratio, self.power_w * power_ratio)

    def __str__(self) -> str:
        start = f"{self.time_ms:.4g} ms, {self.power_w:.3g} W"
        return f"least energy, no slower than the start and with no more power ({start})"


@dataclass(frozen=True)
class Slower(LeastEnergy):
    """The mode of least energy per minibatch that is slower by at most ``percent`` than a mode of ``time_ms``."""

    is_relative: ClassVar[bool] = True
    time_ms: float
    percent: float

    @property
    def time_limit_ms(self) -> float:
        return self.time_ms * (1 + self.percent / 100)

    def after_drift(self, time_ratio: float, power_ratio: float) -> Slower:
        return Slower(self.time_ms * time_ratio, self.percent)

    def __str__(self) -> str:
        return f"least energy, at most {self.percent:g} % slower than the start ({self.time_ms:.4g} ms)"


def _watts(limit_w: float, plug_w: float | None) -> str:
    """A limit on the module, and what it is at the plug.

    >>> _watts(30.0, None), _watts(30 / 1.28, 30.0)
    ('30 W', '23.44 W (30 W at the plug)')
    """
    return f"{limit_w:g} W" if plug_w is None else f"{limit_w:.4g} W ({plug_w:g} W at the plug)"
