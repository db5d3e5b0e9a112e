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
    "or None (at least as fast as the mode that the job started in, with no more power)"
)


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

    def __str__(self) -> str:
        """For messages and reports; by default the name of the class and its limits."""
        limits = ((self.power_limit_w, "W"), (self.time_limit_ms, "ms"))
        within = " and ".join(f"{limit:g} {unit}" for limit, unit in limits if limit is not None)
        return f"{type(self).__name__} within {within}" if within else type(self).__name__


@dataclass(frozen=True)
class PowerBudget(Objective):
    """The fastest mode that draws at most ``limit_w`` watts."""

    limit_w: float

    @property
    def power_limit_w(self) -> float:
        return self.limit_w

    def cost(self, time_ms: FloatArray, power_w: FloatArray) -> FloatArray:
        return time_ms

    def __str__(self) -> str:
        return f"fastest within {self.limit_w:g} W"


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
class NoWorse(Objective):
    """The fastest mode that is at least as fast as a mode of ``time_ms`` and ``power_w``, with no more power."""

    is_relative: ClassVar[bool] = True
    time_ms: float
    power_w: float

    @property
    def power_limit_w(self) -> float:
        return self.power_w

    @property
    def time_limit_ms(self) -> float:
        return self.time_ms

    def cost(self, time_ms: FloatArray, power_w: FloatArray) -> FloatArray:
        return time_ms

    def after_drift(self, time_ratio: float, power_ratio: float) -> NoWorse:
        return NoWorse(self.time_ms * time_ratio, self.power_w * power_ratio)

    def __str__(self) -> str:
        return f"fastest that is no worse than the start ({self.time_ms:.4g} ms, {self.power_w:.3g} W)"


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
