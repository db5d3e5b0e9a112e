"""A job with a budget for the whole of it: which measured mode to run in, when to change, and how it went."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.errors import BudgetError
from lightning_powertrain.profiling import Measurement
from lightning_powertrain.selection import Budget, EnergyBudget, JobBudget, MinibatchBudget, Objective, PaceBudget
from lightning_powertrain.selection.ladder import Ladder, Limited, Step, best_mixture
from lightning_powertrain.tuning.job_ledger import JobLedger, Spent, Steady
from lightning_powertrain.tuning.job_length import JobLength

# This part of the whole is kept back, for what may yet happen to the last minibatches.
_RESERVE = 0.003
# A change to a mode that leaves less in reserve needs this margin, so that noise does not undo it.
_MARGIN = 0.01
# A change has to be worth this share of energy and time, at the price that time has for this job.
_WORTH_CHANGING = 0.003
# More if all that is known of the other mode is its window: the best of many is one whose window was a lucky one.
_WORTH_TRYING = 0.01
# Changes of that kind in an hour. Those in the other direction keep the budget, and always come. So do large gains: no
# job is to be stuck for an hour in a mode that wastes much.
_MOST_CHANGES, _HOUR_S = 5, 3600.0
_LARGE = 0.03
# A mode has shown what it takes after so many seconds in it, and its own window was off by less than this. What moves
# by more is the work itself, and moves all modes.
_ENOUGH_S = 20.0
_WINDOW_ERROR = 0.04
# So many times the power of the board is more than any mode saves by being slow.
_DEAR = 10.0


@dataclass(frozen=True)
class PlannedJob:
    """What is expected of a job.

    Args:
        spent: What it has spent so far.
        minibatches: Minibatches of this run so far.
        mode: The mode for the next ones.
        total: Time and energy of the whole job.
        change_s: Seconds to the next change of modes; None if none is expected.
        least: Of what is limited, the least that the whole job takes; above the budget if that is out of reach.
        besides: What of the total does not depend on modes: what is no minibatch, and earlier runs of a resumed job.
    """

    spent: Spent
    minibatches: int
    mode: PowerMode
    total: Spent
    change_s: float | None
    least: float
    besides: Spent = field(default_factory=Spent)


@dataclass(frozen=True)
class JobRecord:
    """The course of a job with a budget for the whole of it.

    Args:
        budget: The budget, as it is written.
        limited: What it limits.
        total: Seconds or joules for the whole job.
        minibatches: Length of this run.
        points: What the job had spent and what was expected of it, each time that the plan was made; oldest first.
    """

    budget: str
    limited: Limited
    total: float
    minibatches: int
    points: Sequence[PlannedJob] = ()

    def with_point(self, point: PlannedJob) -> JobRecord:
        """This course, and what is expected now."""
        return replace(self, points=(*self.points, point))

    @property
    def now(self) -> PlannedJob:
        """The last point."""
        return self.points[-1]


def plan_of(budget: Budget, job: JobLength, ledger: JobLedger) -> JobPlan | None:
    """The plan of a job whose budget is for the whole of it; None for any other budget.

    Raises:
        BudgetError: If nobody knows how long the job is, or its time is over already.
    """
    if not isinstance(budget, JobBudget):
        return None
    if job.known_minibatches is None:
        raise BudgetError(
            f"the budget of the whole job ({budget}) needs to know how many minibatches that is: set max_epochs or "
            "max_steps of the Trainer, or call start(minibatches=...)"
        )
    plan = JobPlan(budget, job.known_minibatches, ledger, datetime.now())
    if plan.total <= 0:
        raise BudgetError(f"the time for the whole job ({budget}) is over")
    return plan


class JobPlan(MinibatchBudget):
    """Chooses modes so that a whole job keeps its budget, and saves as much as it can of the other cost.

    The job begins in the mode of the best mixture that costs less of what is limited, and changes to the other one as
    soon as that keeps the budget for all that is left: what was not foreseen can then still be met.

    Args:
        budget: The budget.
        minibatches: Length of this run.
        ledger: What the job has spent so far.
        now: When the job starts, in the time zone of this computer.
    """

    def __init__(self, budget: JobBudget, minibatches: int, ledger: JobLedger, now: datetime) -> None:
        self.budget = budget
        self.minibatches = minibatches
        self.ledger = ledger
        self.limited: Limited = budget.limited
        """What is limited: time or energy."""
        self.started = now
        """When the job started."""
        self.total = budget.total(now)
        """Seconds or joules for the whole job."""
        self._steps: dict[PowerMode, Step] = {}
        self._observed: set[PowerMode] = set()
        self._changes_s: deque[float] = deque(maxlen=_MOST_CHANGES)

    def objective(self, start: Measurement) -> Objective:
        """What each minibatch may take if all that are left take the same."""
        limit = max(self._limit(self.ledger.spent), 1e-6)
        return PaceBudget(limit) if self.limited == "time" else EnergyBudget(limit)

    def __str__(self) -> str:
        return str(self.budget)

    def learn(self, measured: Iterable[Measurement]) -> None:
        """Take the modes to choose from."""
        self._steps = {each.mode: Step(each.mode, each.time_ms, each.energy_mj) for each in measured}

    def observe(self, mode: PowerMode, steady: Steady) -> None:
        """Take what a mode takes in the job itself: its window was short, and the work or the air may have changed."""
        if steady.spent.seconds < _ENOUGH_S or mode not in self._steps:
            return
        self._observed.add(mode)
        before = self._steps[mode]
        seen = steady.spent * (1e3 / steady.minibatches)
        moved = seen.seconds / before.time_ms, seen.joules / before.energy_mj
        if max(abs(math.log(each)) for each in moved) > _WINDOW_ERROR:
            self._steps = {
                each.mode: Step(each.mode, each.time_ms * moved[0], each.energy_mj * moved[1])
                for each in self._steps.values()
            }
        self._steps[mode] = Step(mode, seen.seconds, seen.joules)

    def minibatch(self, mode: PowerMode) -> Spent:
        """What a minibatch takes in a mode."""
        step = self._steps[mode]
        return Spent(step.time_ms / 1e3, step.energy_mj / 1e3)

    def next_mode(self, mode: PowerMode, now_s: float) -> PowerMode:
        """The mode to go on in.

        Args:
            mode: The present one.
            now_s: The time, on any clock that does not go back.
        """
        limit, ladder = self._limit(self.ledger.spent), Ladder.of(self._steps.values())
        best, step = ladder.within(self.limited, limit, _MARGIN), self._steps[mode]
        if step.cost(self.limited) > limit:
            return best.mode if best.cost(self.limited) < step.cost(self.limited) else mode
        price_w = self._price_w(ladder, limit)
        gain = 1 - best.priced(price_w) / step.priced(price_w)
        worth = _WORTH_CHANGING if best.mode in self._observed else _WORTH_TRYING
        if gain < worth or (gain < _LARGE and not self._may_change(now_s)):
            return mode
        self._changes_s.append(now_s)
        return best.mode

    def forecast(self, mode: PowerMode) -> PlannedJob:
        """What is expected of the job, which goes on in a mode."""
        spent, left = self.ledger.spent, self._left()
        others, ladder = self.ledger.others(left), Ladder.of(self._steps.values())
        rest = self._of(Spent(self.total, self.total)) * (1 - _RESERVE) - self._of(spent) - self._of(others)
        mixture = best_mixture(ladder, self.limited, rest, left)
        least = min(each.cost(self.limited) for each in self._steps.values()) * left / 1e3
        change_s = None if mixture.then is None else mixture.count * mixture.first.time_ms / 1e3
        total = spent + others + Spent(mixture.seconds, mixture.joules)
        least += self._of(spent) + self._of(others)
        besides = self.ledger.before + self.ledger.interruptions + others
        return PlannedJob(spent, self.ledger.minibatches, mode, total, change_s, least, besides)

    def price_w(self) -> float:
        """What a second is worth, in joules: the slope of the ladder where the job has to be.

        The two modes of the best mixture, and only they, cost least of all once time has this price.
        """
        return self._price_w(Ladder.of(self._steps.values()), self._limit(self.ledger.spent))

    def _price_w(self, ladder: Ladder, limit: float) -> float:
        first = ladder.within(self.limited, limit)
        then = ladder.after(self.limited, first)
        if then is None:  # At this end of the ladder time is worth nothing, or all that it costs anywhere.
            return 0.0 if self.limited == "time" else _DEAR * first.energy_mj / first.time_ms
        return (first.energy_mj - then.energy_mj) / (then.time_ms - first.time_ms)

    def _may_change(self, now_s: float) -> bool:
        changes = self._changes_s
        return len(changes) < _MOST_CHANGES or now_s - changes[0] > _HOUR_S

    def _left(self) -> int:
        return max(0, self.minibatches - self.ledger.minibatches)

    def _limit(self, spent: Spent) -> float:
        """What each minibatch that is left may take, in ms or mJ."""
        left = self._left()
        rest = self.total * (1 - _RESERVE) - self._of(spent) - self._of(self.ledger.others(left))
        return 1e3 * rest / max(1, left)

    def _of(self, spent: Spent) -> float:
        return spent.seconds if self.limited == "time" else spent.joules
