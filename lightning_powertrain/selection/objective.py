"""What a budget means: which modes meet it, and which of those is best."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from numbers import Real
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from lightning_powertrain.errors import ArgumentError

FloatArray = npt.NDArray[np.float64]

BUDGET_FORMS = (
    '30 or "30 W" (fastest mode that draws no more), "120 ms" (least power with minibatches no slower), '
    '"energy" (least energy per minibatch), "edp" (least energy-delay product), '
    "or None (neither slower nor hungrier than the mode the job started in)"
)


class Objective(ABC):
    """Orders power modes by their minibatch time (ms) and power (W); arrays in, arrays out, one value a mode."""

    unit: ClassVar[str] = ""
    """Unit of :meth:`excess`."""
    has_margin: ClassVar[bool] = True
    """Whether a measured mode must meet the budget by more than the noise of its measurement."""

    @abstractmethod
    def cost(self, time_ms: FloatArray, power_w: FloatArray) -> FloatArray:
        """What to make small among the modes that meet the budget."""

    def excess(self, time_ms: FloatArray, power_w: FloatArray) -> FloatArray:
        """How far each mode is beyond the budget, in :attr:`unit`; 0 where the budget is met."""
        return np.zeros_like(time_ms)


@dataclass(frozen=True)
class PowerBudget(Objective):
    """The fastest mode that draws at most ``limit_w`` watts."""

    unit: ClassVar[str] = "W"
    limit_w: float

    def __str__(self) -> str:
        return f"fastest within {self.limit_w:g} W"

    def cost(self, time_ms: FloatArray, power_w: FloatArray) -> FloatArray:
        return time_ms

    def excess(self, time_ms: FloatArray, power_w: FloatArray) -> FloatArray:
        return np.maximum(power_w - self.limit_w, 0.0)


@dataclass(frozen=True)
class TimeBudget(Objective):
    """The mode of least power whose minibatches take at most ``limit_ms`` milliseconds."""

    unit: ClassVar[str] = "ms"
    limit_ms: float

    def __str__(self) -> str:
        return f"least power within {self.limit_ms:g} ms a minibatch"

    def cost(self, time_ms: FloatArray, power_w: FloatArray) -> FloatArray:
        return power_w

    def excess(self, time_ms: FloatArray, power_w: FloatArray) -> FloatArray:
        return np.maximum(time_ms - self.limit_ms, 0.0)


@dataclass(frozen=True)
class LeastEnergy(Objective):
    """The mode of least energy per minibatch."""

    def __str__(self) -> str:
        return "least energy per minibatch"

    def cost(self, time_ms: FloatArray, power_w: FloatArray) -> FloatArray:
        return time_ms * power_w


@dataclass(frozen=True)
class LeastEnergyDelay(Objective):
    """The mode of least energy-delay product."""

    def __str__(self) -> str:
        return "least energy-delay product"

    def cost(self, time_ms: FloatArray, power_w: FloatArray) -> FloatArray:
        return time_ms * time_ms * power_w


@dataclass(frozen=True)
class NoWorse(Objective):
    """The fastest mode that is neither slower nor hungrier than one that takes ``time_ms`` and ``power_w``."""

    unit: ClassVar[str] = "%"
    has_margin: ClassVar[bool] = False  # The start, to which all are compared, is as noisy.
    time_ms: float
    power_w: float

    def __str__(self) -> str:
        return f"fastest that is no worse than the start ({self.time_ms:.4g} ms, {self.power_w:.3g} W)"

    def cost(self, time_ms: FloatArray, power_w: FloatArray) -> FloatArray:
        return time_ms

    def excess(self, time_ms: FloatArray, power_w: FloatArray) -> FloatArray:
        worse = np.maximum(time_ms / self.time_ms, power_w / self.power_w)
        return np.maximum(worse - 1.0, 0.0) * 100.0


def parse_budget(budget: float | str | Objective | None) -> Objective | None:
    """The objective that a user's budget stands for.

    Args:
        budget: One of the forms in the message below, or an :class:`Objective` of your own.

    Returns:
        The objective, or None for "no worse than the mode the job started in", which is known only once that mode
        has been measured.

    Raises:
        ArgumentError: If the budget has none of the forms.

    >>> parse_budget("30 W"), parse_budget(30), parse_budget("120 ms")
    (PowerBudget(limit_w=30.0), PowerBudget(limit_w=30.0), TimeBudget(limit_ms=120.0))

    >>> parse_budget("30 X")
    Traceback (most recent call last):
    ...
    lightning_powertrain.errors.ArgumentError: budget='30 X' is not valid. Allowed: 30 or "30 W" ...
    """
    if budget is None or isinstance(budget, Objective):
        return budget
    if isinstance(budget, str):
        word = budget.strip().lower()
        if word in ("energy", "edp"):
            return LeastEnergy() if word == "energy" else LeastEnergyDelay()
        parts = re.fullmatch(r"([0-9.]+(?:e[+-]?[0-9]+)?)\s*(w|ms)?", word)
        limit, unit = (_number(parts[1]), parts[2] or "w") if parts else (math.nan, "")
    else:
        # Only true numbers: float() would also take bytes, and the booleans of numpy.
        limit, unit = (_number(budget) if isinstance(budget, Real) and not isinstance(budget, bool) else math.nan), "w"
    if not (math.isfinite(limit) and limit > 0):
        raise ArgumentError.of("budget", budget, BUDGET_FORMS)
    return PowerBudget(limit) if unit == "w" else TimeBudget(limit)


def _number(value: str | Real) -> float:
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan
