"""An axis of a chart, and the round values on it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

LOG_RATIO = 4.0
"""From this ratio of slowest to fastest, a linear axis would squeeze the fast modes into a line."""


@dataclass(frozen=True)
class Axis:
    """Maps values to a length, linearly or by their logarithm."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def at(self, value: float) -> float:
        """Where a value is; a value beyond the axis is at its end."""
        scale: Callable[[float], float] = math.log if self.is_log else float
        low, high = scale(self.low), scale(self.high)
        share = (scale(min(max(value, self.low), self.high)) - low) / (high - low)
        return self.start + share * (self.end - self.start)

    def holds(self, value: float) -> bool:
        """Whether a value is on the axis."""
        return self.low <= value <= self.high

    def ticks(self) -> list[float]:
        """Round values on the axis."""
        ticks = _log_ticks(self.low, self.high) if self.is_log else _linear_ticks(self.low, self.high)
        return [tick for tick in ticks if self.holds(tick)]


def _linear_ticks(low: float, high: float) -> list[float]:
    """Round numbers, about five of them.

    >>> _linear_ticks(8.3, 61)
    [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0]
    """
    rough = (high - low) / 6
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    first = math.floor(low / step)
    return [step * index for index in range(first, math.ceil(high / step) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """Round numbers of each decade, the fewer the more decades there are.

    >>> _log_ticks(60, 270)
    [60.0, 80.0, 100.0, 150.0, 200.0, 300.0]
    """
    factors: tuple[float, ...] = (1, 1.5, 2, 3, 4, 6, 8) if high < 10 * low else (1, 2, 5) if high < 1e3 * low else (1,)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [factor * 10.0**decade for decade in decades for factor in factors]
    return [tick for tick in ticks if low <= tick <= 1.2 * high]
