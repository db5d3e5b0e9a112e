"""What a budget means: which modes meet it, and which of those is best."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar, Optional

import numpy as np
import numpy.typing as npt

from lightning_powertrain.errors import ArgumentError

FloatArray = npt.NDArray[np.float64]

TIME_NOISE = 0.005
"""Relative standard error of a mean time that no longer window makes smaller: visits to a mode differ by as much."""

# Of the difference of two such means.
_EQUAL_TIMES = math.sqrt(2) * TIME_NOISE


class Objective(ABC):
    """What a budget means: the score of a power mode, and the limits that it has to meet.

    An objective needs its score, :meth:`cost`. Everything else has a default: no limit unless :attr:`power_limit_w` or
    :attr:`time_limit_ms` is set.

    All methods are called between two minibatches, with one value a mode for up to some thousand modes, and training
    waits for them. They must not change the arrays that they get, and must return the same for the same arrays: an
    objective does not change during a job.
    """

    is_relative: ClassVar[bool] = False
    """Whether the limits are measurements of the start mode, by default False.

    A measured mode must meet other limits by more than the noise of its measurement. The start is as noisy as what is
    compared with it, so there is no such margin for a relative objective. Read whenever modes are compared.
    """

    @property
    def power_limit_w(self) -> float | None:
        """The most power that a mode may draw, in watts; by default None, without a limit.

        Read for :meth:`excess`, by the safe search of a hard limit, when the warm board is predicted, and for reports.
        A class attribute may replace it.
        """
        return None

    @property
    def time_limit_ms(self) -> float | None:
        """The longest that a minibatch may take, in milliseconds; by default None, without a limit.

        Read for :meth:`excess`, when the length of profiling is estimated, and for reports. A class attribute may
        replace it.
        """
        return None

    @property
    def unit(self) -> str:
        """Unit of :meth:`excess`; by default that of the limit, ``%`` with both limits, and empty without one.

        Read for messages and reports.
        """
        if self.power_limit_w is not None:
            return "W" if self.time_limit_ms is None else "%"
        return "" if self.time_limit_ms is None else "ms"

    @property
    def limit(self) -> float | None:
        """The limit in :attr:`unit`; by default None unless there is exactly one limit.

        Read where no mode meets the budget: modes that miss it by more than 5 % are not used, and the message names a
        larger budget that would be met.
        """
        if self.power_limit_w is None:
            return self.time_limit_ms
        return self.power_limit_w if self.time_limit_ms is None else None

    @property
    def limits_only_power(self) -> bool:
        """Whether power is all that is limited. Such an objective may be a hard limit."""
        return self.power_limit_w is not None and self.time_limit_ms is None

    @abstractmethod
    def cost(self, time_ms: FloatArray, power_w: FloatArray) -> FloatArray:
        """The score of modes: the lowest is the best among those that meet the limits.

        Called with measured and with predicted figures. Only ratios of scores matter, so they must be above 0.

        Args:
            time_ms: Time of a minibatch in each mode, shape ``(n,)``.
            power_w: Power in each mode, shape ``(n,)``.
        """

    def excess(self, time_ms: FloatArray, power_w: FloatArray) -> FloatArray:
        """How far each mode is beyond the limits, in :attr:`unit`; 0 where it meets them.

        By default the distance from the one limit, or by how many percent a mode misses the two at most. Called
        together with :meth:`cost`.

        Args:
            time_ms: Time of a minibatch in each mode, shape ``(n,)``.
            power_w: Power in each mode, shape ``(n,)``.
        """
        most_w, most_ms = self.power_limit_w, self.time_limit_ms
        if most_w is not None and most_ms is not None:
            return np.maximum(np.maximum(time_ms / most_ms, power_w / most_w) - 1.0, 0.0) * 100.0
        if most_w is not None:
            return np.maximum(power_w - most_w, 0.0)
        return np.zeros_like(time_ms) if most_ms is None else np.maximum(time_ms - most_ms, 0.0)

    def after_drift(self, time_ratio: float, power_ratio: float) -> Objective:
        """The objective once time and power of the job have moved for good; by default the same.

        Called when a locked mode has drifted, before the next choice. It must not change this objective.

        Args:
            time_ratio: New time of a minibatch over the old one, in the locked mode.
            power_ratio: New power over the old one.
        """
        return self

    def at_module(self, supply_overhead: float) -> Objective:
        """The objective for the module's own sensors, where its limits are meant at the plug; by default the same.

        Called once, before the job, if the user gave a ``supply_overhead``.

        Args:
            supply_overhead: How much more than the module the plug draws: 0.28 for 28 %.

        Raises:
            ArgumentError: If it limits power and does not say what that means at the plug.
        """
        if self.power_limit_w is not None:
            allowed = "0.0 with an objective of your own that limits power and has no at_module()"
            raise ArgumentError.of("supply_overhead", supply_overhead, allowed)
        return self

    def __str__(self) -> str:
        """For messages and reports; by default the name of the class and its limits."""
        limits = ((self.power_limit_w, "W"), (self.time_limit_ms, "ms"))
        within = " and ".join(f"{limit:g} {unit}" for limit, unit in limits if limit is not None)
        return f"{type(self).__name__} within {within}" if within else type(self).__name__


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
