"""Keeps a job within the budget of the whole of it, from the end of profiling to the end of the job."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Generator

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import Clock, Interval
from lightning_powertrain.errors import BudgetError
from lightning_powertrain.logs import warn
from lightning_powertrain.profiling import Measurement
from lightning_powertrain.selection import FixedBudget, PricedTime, Selection
from lightning_powertrain.tuning.explorer import Explorer
from lightning_powertrain.tuning.job_plan import JobPlan, JobRecord, PlannedJob
from lightning_powertrain.tuning.mode_runner import Awaited, Waiting
from lightning_powertrain.tuning.outcome import Outcome
from lightning_powertrain.tuning.phase import Phase
from lightning_powertrain.tuning.plan import ProfilingPlan
from lightning_powertrain.tuning.remaining import TimeLeft
from lightning_powertrain.tuning.search import MAX_VERIFICATIONS

if TYPE_CHECKING:
    from lightning_powertrain.tuning.session import TuningSession

# The plan is made anew so many times in a job, and at each interruption; within these bounds in seconds.
_PLANS = 200
_SHORTEST_S, _LONGEST_S = 5.0, 300.0
# Modes are tried for the mixture in so many rounds, each as long as this part of what is left of the job.
_ROUNDS = 3
_SMALL_SHARE = 0.05
# A budget that is missed by less is missed by an error of the forecast.
_SURE = 0.003


class PlanWatch:
    """Waits until the plan is to be made anew.

    Args:
        plan: The plan.
        mode: The present mode.
        clock: The clock of the board.
        period_s: Seconds until then, unless something interrupts the job before.
    """

    def __init__(self, plan: JobPlan, mode: PowerMode, clock: Clock, period_s: float) -> None:
        self._plan = plan
        self._mode = mode
        self._clock = clock
        self._due_s = clock.now() + period_s

    @property
    def is_due(self) -> bool:
        """Whether the time is over, rather than that something interrupted the job."""
        return self._clock.now() >= self._due_s

    def add(self, interval: Interval) -> bool:
        """Take an interval as it ends; returns whether the wait is over."""
        self._plan.ledger.add(interval, self._plan.minibatch(self._mode))
        return self.is_due or not interval.clean


class PlanKeeper:
    """Changes modes as the plan says, and tells observers of the course of the job.

    Args:
        session: The session, in phase LOCKED when :meth:`run` starts.
        plan: Its plan.
    """

    def __init__(self, session: TuningSession, plan: JobPlan) -> None:
        self._session = session
        self._plan = plan
        self._has_warned = False

    def completed(self, outcome: Outcome) -> Generator[Awaited, None, Outcome]:
        """Measure the modes that are expected to make a better mixture; returns the outcome with them."""
        session, plan = self._session, self._plan
        start, begin_s = outcome.selection.start, session.uninterrupted_s()
        for _ in range(_ROUNDS):
            plan.learn([*session.profile.besides(start), start])
            known = len(session.profile)
            if not self._can_pay(start):
                break
            goal = PricedTime(plan.price_w())
            config = replace(session.config, budget=FixedBudget(goal, str(goal)))
            budget = session.profiling_budget(config)
            search, nothing_more = budget.search(start, 0, with_first_modes=False), ProfilingPlan(())
            explorer = Explorer(session, budget, TimeLeft(session.runner.window, nothing_more, 0))
            search, _ = yield from explorer.explore(search, nothing_more)
            if len(session.profile) == known:
                break
        spent_s = outcome.profiling_s + session.uninterrupted_s() - begin_s
        session.enter(Phase.DECIDING)
        return replace(outcome, profile=session.profile, profiling_s=spent_s)

    def _can_pay(self, start: Measurement) -> bool:
        """Whether a round of verifications is a small part of what is left."""
        session = self._session
        left_s = session.job.seconds_left(start.time_ms, session.stopwatch.minibatches)
        return MAX_VERIFICATIONS * session.runner.window.seconds(start.time_ms) <= _SMALL_SHARE * left_s

    def stay(self) -> None:
        """Check the budget of a job that is too short to be tuned: it stays in the mode that it started in."""
        session, plan = self._session, self._plan
        plan.learn(session.profile.measurements)
        self._check(plan.forecast(session.runner.start_mode), session.config.strict, stays=True)

    def run(self) -> Waiting:
        """Keep the plan to the end of the job."""
        session, plan, clock = self._session, self._plan, self._session.runner.device.clock
        outcome = session.outcome
        assert outcome is not None
        session.runner.pollers.stop()
        plan.learn([*outcome.sampled, outcome.selection.start])
        plan.ledger.locked(outcome.selection.start)
        self._follow(strict=session.config.strict)
        while True:
            watch = PlanWatch(plan, self._mode, clock, self._period_s())
            yield watch
            plan.observe(self._mode, plan.ledger.steady)
            self._follow(is_due=watch.is_due)

    def close(self) -> None:
        """Tell observers what the job took in all, and stop to count it."""
        session, outcome = self._session, self._session.outcome
        if outcome is not None and outcome.course is not None:
            last = self._plan.forecast(outcome.selection.mode)
            session.outcome = replace(outcome, course=outcome.course.with_point(last))
            session.observers.planned(session.outcome)
        self._plan.ledger.close()

    @property
    def _mode(self) -> PowerMode:
        outcome = self._session.outcome
        assert outcome is not None
        return outcome.selection.mode

    def _period_s(self) -> float:
        whole_s = self._plan.forecast(self._mode).total.seconds
        return min(max(whole_s / _PLANS, _SHORTEST_S), _LONGEST_S)

    def _follow(self, is_due: bool = True, strict: bool = False) -> None:
        """Set the mode that the plan asks for; tell of it if it is another one, or from time to time."""
        session, plan = self._session, self._plan
        outcome = session.outcome
        assert outcome is not None
        mode = plan.next_mode(self._mode, session.runner.device.clock.now())
        is_other = mode != self._mode
        if is_other:
            session.runner.keep(mode)
            plan.ledger.switched()
            outcome = replace(outcome, selection=_selection_of(outcome, mode))
        forecast = plan.forecast(mode)
        self._check(forecast, strict)
        if is_other or is_due:
            course = outcome.course or JobRecord(str(plan), plan.limited, plan.total, plan.minibatches)
            session.outcome = replace(outcome, course=course.with_point(forecast))
            session.observers.planned(session.outcome)
            session.runner.check_open()

    def _check(self, forecast: PlannedJob, strict: bool, stays: bool = False) -> None:
        """Say once that the budget cannot be kept, and what can be had."""
        plan = self._plan
        if self._has_warned or forecast.least <= plan.total * (1 + _SURE):
            return
        self._has_warned = True
        if plan.limited == "time":
            at = plan.started + timedelta(seconds=forecast.least - plan.ledger.before.seconds)
            can = f"it is done by {at:%Y-%m-%d %H:%M}{'' if stays else ' at the earliest'}"
            can, best = f"{can}, after {forecast.least / 3600:.3g} h", "the fastest one that was measured"
        else:
            can = f"it needs {forecast.least / 3600:.3g} Wh{'' if stays else ' at least'}"
            best = "that of least energy"
        best = "the one that it started in, as the job is too short to be tuned" if stays else best
        what = f"the whole job cannot keep its budget ({plan}): {can}. Its power mode is {best}"
        if strict:
            raise BudgetError(what)
        warn("%s", what, see="budgets.md#budgets-of-a-whole-job")


def _selection_of(outcome: Outcome, mode: PowerMode) -> Selection:
    """The choice of another measured mode."""
    known = {each.mode: each for each in (*outcome.profile.measurements, outcome.selection.start)}[mode]
    selection = outcome.selection
    return Selection(mode, selection.objective, known.time_ms, known.power_w, selection.start, measured=known)
