"""What a user may ask for: limits of a minibatch, limits relative to the start mode, and limits of the whole job."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import ClassVar, Optional

from lightning_powertrain.profiling import Measurement
from lightning_powertrain.selection.ladder import Limited
from lightning_powertrain.selection.objective import Objective
from lightning_powertrain.selection.objectives import NoWorse, Slower


class Budget(ABC):
    """What a user asks for.

    ``str()`` gives a form that :func:`~lightning_powertrain.selection.grammar.parse_budget` reads as the same budget,
    except for no budget at all, for an objective of the user, and for what :meth:`at_module` returns.
    """

    @property
    def limits_only_power(self) -> bool:
        """Whether power is all that is limited. Such a budget may be a hard limit."""
        return False

    def at_module(self, supply_overhead: float) -> Budget:
        """The budget for the module's own sensors, where its watts are meant at the plug; the same if it has none.

        Args:
            supply_overhead: How much more than the module the plug draws: 0.28 for 28 %.
        """
        return self

    @abstractmethod
    def __str__(self) -> str: ...


class MinibatchBudget(Budget):
    """A budget of each minibatch: once the start mode is measured, an objective for power modes."""

    @abstractmethod
    def objective(self, start: Measurement) -> Objective:
        """What the budget means for power modes.

        Args:
            start: The mode that the job started in, as measured.
        """


@dataclass(frozen=True)
class FixedBudget(MinibatchBudget):
    """A budget that does not depend on the start mode.

    Args:
        goal: What it means for power modes.
        text: How it is written.
    """

    goal: Objective
    text: str = field(compare=False)

    @property
    def limits_only_power(self) -> bool:
        return self.goal.limits_only_power

    def objective(self, start: Measurement) -> Objective:
        return self.goal

    def at_module(self, supply_overhead: float) -> FixedBudget:
        goal = self.goal.at_module(supply_overhead)
        return self if goal is self.goal else FixedBudget(goal, str(goal))

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class StartBudget(MinibatchBudget):
    """Least energy per minibatch, within limits that the mode sets in which the job started.

    Args:
        slower_percent: By how many percent minibatches may be slower; None for modes that are neither slower than the
            start nor draw more power, which is what no budget means.
    """

    slower_percent: float | None = None

    def objective(self, start: Measurement) -> Objective:
        if self.slower_percent is None:
            return NoWorse(start.time_ms, start.power_w)
        return Slower(start.time_ms, self.slower_percent)

    def __str__(self) -> str:
        if self.slower_percent is None:
            return "no budget: least energy, no slower than the start"
        return f"{number_text(self.slower_percent)} % slower"


class JobBudget(Budget):
    """A budget of the whole job, profiling and all that is no minibatch included."""

    limited: ClassVar[Limited]
    """What is limited: then the other is made small."""

    @abstractmethod
    def total(self, now: datetime) -> float:
        """Seconds or joules for the job.

        Args:
            now: When the job starts, in the time zone of this computer.
        """


@dataclass(frozen=True)
class JobTime(JobBudget):
    """The whole job within so many minutes, with the least energy."""

    limited: ClassVar[Limited] = "time"
    minutes: float

    def total(self, now: datetime) -> float:
        return self.minutes * 60.0

    def __str__(self) -> str:
        hours, rest = divmod(self.minutes, 60.0)
        return f"{number_text(hours)} h" if hours and not rest else f"{number_text(self.minutes)} min"


@dataclass(frozen=True)
class JobDeadline(JobBudget):
    """The whole job done by a time in the time zone of this computer, with the least energy.

    Args:
        at: A date with a time, or a time of day: the next such time after the job starts.
    """

    limited: ClassVar[Limited] = "time"
    at: datetime | time

    def total(self, now: datetime) -> float:
        if isinstance(self.at, datetime):
            return self.at.timestamp() - now.timestamp()
        today = datetime.combine(now.date(), self.at)
        following = today if today > now else today + timedelta(days=1)
        return following.timestamp() - now.timestamp()

    def __str__(self) -> str:
        return f"by {self.at.isoformat(timespec='minutes')}"


@dataclass(frozen=True)
class JobEnergy(JobBudget):
    """The whole job within so many watt-hours, ``plug_watt_hours`` at the plug, as fast as possible."""

    limited: ClassVar[Limited] = "energy"
    watt_hours: float
    plug_watt_hours: Optional[float] = None

    def total(self, now: datetime) -> float:
        return self.watt_hours * 3600.0

    def at_module(self, supply_overhead: float) -> JobEnergy:
        return JobEnergy(self.watt_hours / (1 + supply_overhead), self.watt_hours)

    def __str__(self) -> str:
        if self.plug_watt_hours is None:
            return f"{number_text(self.watt_hours)} Wh"
        return f"{self.watt_hours:.4g} Wh ({number_text(self.plug_watt_hours)} Wh at the plug)"


def number_text(value: float) -> str:
    """The shortest text that is read as the same number.

    >>> number_text(30.0), number_text(0.1), number_text(1e22)
    ('30', '0.1', '1e+22')
    """
    text = repr(float(value))
    return text[:-2] if text.endswith(".0") else text
