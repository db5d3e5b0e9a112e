"""Measures what a search asks for, until it has found the best mode."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Dict, Generator, Tuple

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.profiling import Measurement
from lightning_powertrain.selection import Selection
from lightning_powertrain.tuning.acquisition import Candidate
from lightning_powertrain.tuning.foresight import LONGEST_S, may_exceed_limit, warmed
from lightning_powertrain.tuning.mode_runner import Awaited, Waiting
from lightning_powertrain.tuning.observers import Progress
from lightning_powertrain.tuning.pacing import Pace
from lightning_powertrain.tuning.phase import Phase
from lightning_powertrain.tuning.plan import ProfilingPlan
from lightning_powertrain.tuning.profiling_budget import ProfilingBudget
from lightning_powertrain.tuning.remaining import TimeLeft
from lightning_powertrain.tuning.search import Search
from lightning_powertrain.tuning.side_by_side import compared, usual_s

if TYPE_CHECKING:
    from lightning_powertrain.tuning.session import TuningSession

# So many choices are given time to warm the board, one after the other.
_CHOICES_TO_WARM = 3

# The choice is compared with the start mode once more, so many times, if other modes are tried after the first time.
_MORE_COMPARISONS = 2

Expected = Dict[PowerMode, Selection]
Exploring = Generator[Awaited, None, Tuple[Search, Expected]]


class Explorer:
    """Sets and measures one mode after the other, as a search asks for them.

    Args:
        session: The session.
        budget: What profiling may cost.
        time_left: Estimates how long the rest takes.
        pace: Spreads profiling over the job; None to profile at once.
    """

    def __init__(
        self, session: TuningSession, budget: ProfilingBudget, time_left: TimeLeft, pace: Pace | None = None
    ) -> None:
        self._session = session
        self._runner = session.runner
        self._budget = budget
        self._time_left = time_left
        self._pace = pace
        self._start_s = session.uninterrupted_s()
        self._done = 0
        self._total = 0

    def best_mode(self, search: Search, plan: ProfilingPlan) -> Generator[Awaited, None, tuple[Search, Selection]]:
        """Measure until the search is over; returns the last search, and its best mode with what was predicted."""
        search, expected = yield from self.explore(search, plan)
        search, expected = yield from self._explore_once_warm(search, expected)
        if search.objective.is_relative:
            search, expected = yield from self._explore_beside_start(search, expected)
        best = search.best(self._runner.profile, self._runner.warm.modes)
        if best.mode in expected:
            # What was predicted, for the start mode as it is known by now.
            best = replace(expected[best.mode], objective=best.objective, start=best.start, measured=best.measured)
        return search, best

    def explore(self, search: Search, plan: ProfilingPlan) -> Exploring:
        """Measure what the search asks for; returns it, and what was predicted of modes before they were measured.

        Where a knob turns out not to move it is another search, on the modes that are left.
        """
        runner, session, budget = self._runner, self._session, self._budget
        expected: dict[PowerMode, Selection] = {}
        start_s, spent_s = session.uninterrupted_s(), 0.0
        while candidate := self._next(search, spent_s <= budget.allowance_s(search, plan, runner.profile)):
            session.enter(Phase.VERIFYING if candidate.is_verification else Phase.PROFILING)
            yield from self._paced(search)
            space = runner.space
            mode = runner.apply(candidate.mode)
            if mode != candidate.mode:
                search.mark_unreachable(candidate.mode)
            if candidate.expected is not None:
                expected[mode] = search.selection_of(candidate)
            if candidate.is_verification:
                session.outcome = session.outcome_of(search, expected[mode], spent_s)
                session.observers.selected(session.outcome)
                runner.check_open()
                yield from runner.measured_cool(mode)
            else:
                measurement = yield from runner.measured(mode)
                self._done += 1
                if measurement.throttled_by and self._done <= len(search.first_modes):
                    plan = plan.with_one_more()
                self._time_left.measured(measurement)
                self.notify_measured(measurement, search, plan, self._spent_s)
            spent_s = session.uninterrupted_s() - start_s
            if runner.space is not space:
                search = budget.renewed(search, runner.space, search.start)
        return search, expected

    @property
    def _spent_s(self) -> float:
        return self._session.uninterrupted_s() - self._start_s

    def _paced(self, search: Search) -> Waiting:
        """Train in the best mode that is known until profiling has time for another one."""
        session, runner = self._session, self._runner
        if self._pace is None:
            return
        spent_s = self._spent_s
        pause = self._pace.until(spent_s + runner.window.seconds(search.start.time_ms))
        if not pause.is_over:
            runner.keep(search.best(runner.profile, runner.warm.modes).mode)
            start_s = session.uninterrupted_s()
            yield pause
            session.trained_on_s += session.uninterrupted_s() - start_s

    def _explore_once_warm(self, search: Search, expected: Expected) -> Exploring:
        """Where warming up may carry the best mode over a limit: measure by how much, and choose for the warm board."""
        runner, session = self._runner, self._session
        for _ in range(_CHOICES_TO_WARM):
            best = search.best(runner.profile, runner.warm.modes)
            foresight = may_exceed_limit(runner, best, search.foresight)
            is_short = session.config.max_share * session.job.seconds_left(best.time_ms) < LONGEST_S
            if foresight is None or is_short or runner.apply(best.mode) != best.mode:
                break
            session.enter(Phase.VERIFYING)
            session.observers.board_warming(best.mode, LONGEST_S)
            runner.check_open()
            start_s = session.uninterrupted_s()
            search.foresee((yield from warmed(runner, best, foresight)))
            session.trained_on_s += session.uninterrupted_s() - start_s
            search, more = yield from self.explore(search, ProfilingPlan(()))
            expected = {**expected, **more}
        return search, expected

    def _explore_beside_start(self, search: Search, expected: Expected) -> Exploring:
        """Where the start mode sets the limit: know it better, then try what that leaves room for."""
        search = yield from compared(self._session, self._budget, search, self._spent_s)
        for _ in range(_MORE_COMPARISONS):
            known = len(self._runner.profile)
            search, more = yield from self.explore(search, ProfilingPlan(()))
            if len(self._runner.profile) == known:
                break
            expected = {**expected, **more}
            search = yield from compared(self._session, self._budget, search, self._spent_s)
        return search, expected

    def _next(self, search: Search, may_explore: bool) -> Candidate | None:
        """The next mode to measure; None if the search is over."""
        runner = self._runner
        enough = len(runner.profile) >= self._budget.config.minimum_modes(runner.device.modes)
        if may_explore or not enough:
            candidate = search.next_planned(runner.profile)
            if candidate is not None:
                return candidate
        self._session.enter(Phase.DECIDING)
        runner.leave_slow_mode(search.objective)
        with runner.computing():
            candidate = search.next_by_acquisition(runner.profile, may_explore)
            return candidate or search.next_from_history(runner.profile, runner.warm.modes)

    def notify_measured(self, measurement: Measurement, search: Search, plan: ProfilingPlan, spent_s: float) -> None:
        """Notify the observers of a measurement, and of how far profiling is."""
        session = self._session
        windows, most, time_ms = search.remaining(self._runner.profile)
        left_s = self._time_left.seconds(windows, time_ms, spent_s)
        start_ms = search.start.time_ms
        rest_s = session.job.seconds_left(start_ms, session.stopwatch.minibatches)
        after_s = usual_s(search.objective, start_ms, self._runner.window, rest_s, spent_s + left_s)
        left_s += after_s
        most_s = None if most is None else self._time_left.seconds(most, time_ms, spent_s) + after_s
        if self._pace is not None:
            most_s = None if most_s is None else self._pace.left_s(spent_s + most_s)
            left_s, spent_s = self._pace.left_s(spent_s + left_s), self._pace.elapsed_s()
        self._total = max(self._total, len(plan), self._done)  # A warm board may need some beyond the plan.
        progress = Progress(self._done, self._total, left_s, spent_s, most_s, session.config.ends_early)
        session.observers.measured(measurement, progress)
        self._runner.check_open()
