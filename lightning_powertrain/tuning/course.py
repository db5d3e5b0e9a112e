"""The course of one job: from its first minibatch to the power mode in which it stays."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Dict, Generator, Tuple

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import Device, Samplers
from lightning_powertrain.errors import BudgetError
from lightning_powertrain.profiling import Interval, Measurement, Profile, WindowPlan
from lightning_powertrain.selection import Objective, PowerBudget, Selection, TimeBudget, select_measured
from lightning_powertrain.tuning.events import Audience, Outcome, Phase, Progress
from lightning_powertrain.tuning.forecast import Forecast
from lightning_powertrain.tuning.known import ContradictionError, Known
from lightning_powertrain.tuning.plan import ProfilingPlan
from lightning_powertrain.tuning.reach import is_far_off, staying, what_can_be_had
from lightning_powertrain.tuning.scope import Job, Scope, renewed_search
from lightning_powertrain.tuning.search import Search, Step
from lightning_powertrain.tuning.settings import Settings
from lightning_powertrain.tuning.workbench import EndedError, Measuring, Workbench
from lightning_powertrain.warning import warn

# Minibatches at the start of a job that are no measure of the rest: cuDNN's autotuning, compilation, cold caches.
_WARM_UP_MINIBATCHES = 10

Steps = Generator[None, Interval, None]
Looking = Generator[None, Interval, Tuple[Search, Dict[PowerMode, Selection]]]


class Course:
    """Measures, learns, chooses, verifies. It is told every interval as it ends, and moves on by one.

    Args:
        device: The board; its state is remembered already.
        samplers: Sample its power and its health.
        settings: What the user decided.
        window: How long a mode is measured.
        job: How long the job is.
        profile: Empty, with the provenance of what will be measured.
        audience: Told of every step.
    """

    def __init__(
        self,
        device: Device,
        samplers: Samplers,
        settings: Settings,
        window: WindowPlan,
        job: Job,
        profile: Profile,
        audience: Audience,
    ) -> None:
        self._settings = settings
        self._audience = audience
        self._bench = Workbench(device, samplers, settings, window, profile)
        self._scope = Scope(device.modes, settings, window, self._bench.reused, job)
        self._job = job
        self._interrupted_s = 0.0
        self._steps: Steps | None = None
        self._favourite: PowerMode | None = None
        self._has_told_of_excess = False
        self.outcome: Outcome | None = None
        """All that was found out; None until a mode was chosen."""
        self.is_blind = False
        """Whether the watch over the locked mode is paused, since power cannot be read."""

    @property
    def profile(self) -> Profile:
        """What was measured so far."""
        return self._bench.profile

    @property
    def experience(self) -> Profile:
        """What a later run of this job can go on from."""
        return self.profile

    @property
    def is_switching(self) -> bool:
        """Whether the board is in the middle of a switch, where nobody else may set it."""
        return self._bench.is_switching

    def start(self) -> None:
        """Begin to measure; under a hard budget in the lowest mode.

        Raises:
            EndedError: If an observer or a signal handler has stopped the tuner meanwhile, as in :meth:`recall`.
        """
        self._bench.start()
        self._steps = self._run()
        next(self._steps)

    def recall(self, known: Known) -> None:
        """Use what was measured before; if it was enough to choose a mode, the best one is set at once.

        Under a hard budget the board stays in the lowest mode, until that has shown that what is known still holds.
        """
        bench = self._bench
        if not known.belongs_to(bench.device):
            warn("what is known from %s is of another board: measuring starts over", known.source, see="cache.md")
            return
        bench.profile = bench.reused.taken(known, bench.profile)
        self._tell("recalled", known)
        start = bench.reused.of(bench.profile, bench.found)
        if known.finished and start is not None and not self._settings.hard:
            best = known.kept or select_measured(self._settings.objective_from(start), bench.profile, start).mode
            if best != bench.found and best in bench.device.modes:
                self._favourite = bench.apply(best)

    def interval_ended(self, interval: Interval) -> bool:
        """Go on by one interval; returns False once there is nothing left to do."""
        if self._steps is None:
            return False
        self._interrupted_s += 0.0 if interval.clean else interval.seconds
        try:
            self._steps.send(interval)
        except (StopIteration, EndedError):
            self.stop()
        return self._steps is not None

    def stop(self) -> None:
        """Stop measuring; the board stays as it is."""
        self._steps = None
        self._bench.samplers.stop()

    def end(self) -> None:
        """Stop measuring for good, and leave this process as it was found."""
        self._bench.end()
        self.stop()

    def _run(self) -> Steps:
        self._enter(Phase.WARMING_UP)
        done = 0
        while done < _WARM_UP_MINIBATCHES:
            done += (yield).minibatches
        try:
            yield from self._tune()
        except ContradictionError as contradiction:
            self._forget(contradiction)
            yield from self._tune()

    def _tune(self) -> Steps:
        start = yield from self._start_measured()
        try:
            with self._bench.computing():
                search, plan = self._scope.plan(start, self.profile)
        except BudgetError as error:
            self._stay_in_lowest(start, error)
            return
        if start.mode not in self._bench.reused.modes:
            self._tell_measured(start, plan, 0, 0.0)
        if not len(plan) and len(self.profile.besides(start)) < self._settings.least_modes(self._bench.device.modes):
            self._enter(Phase.OFF)
            return
        profiling_start_s = self._uninterrupted_s()
        search, expected = yield from self._look_for_the_best(search, plan, self._settings)
        best = search.best(self.profile, self._bench.reused.modes)
        if best.mode in expected:
            best = replace(expected[best.mode], measured=best.measured)
        spent_s = self._uninterrupted_s() - profiling_start_s
        self._keep(self._settled(search, best, spent_s))

    def _start_measured(self) -> Measuring:
        """Measure the mode that the job started in, or else the best one known if that was set instead."""
        bench = self._bench
        if self._favourite is not None:
            favourite, self._favourite = self._favourite, None
            self._enter(Phase.VERIFYING)
            yield from bench.measured_in_earnest(favourite)
            start = bench.reused.of(bench.profile, bench.found)
            assert start is not None
            return start
        is_reused = bench.found in bench.reused.modes
        measured = [each for each in bench.profile.measurements if each.mode == bench.found]
        if measured and not is_reused:
            return measured[0]  # What was known has just been dropped.
        start = yield from bench.measured_in_earnest(bench.device.current_mode())
        if not is_reused:
            with bench.computing():
                bench.reused.check_predicted(bench.profile, start, self._settings.predictor)
        return start

    def _forget(self, contradiction: ContradictionError) -> None:
        """Drop what is known from before, and go back to where the job began."""
        known = self._bench.reused.known
        assert known is not None
        what = "what is known from %s no longer holds: %s. Measuring starts over"
        warn(what, known.source, contradiction, see="cache.md#what-a-second-job-does-with-it")
        self._bench.profile = self._bench.reused.dropped(self.profile)
        self.outcome = None
        self._bench.keep(self._bench.found)

    def _look_for_the_best(
        self, search: Search, plan: ProfilingPlan, settings: Settings, ceiling_w: float = math.inf
    ) -> Looking:
        """Measure what the search asks for; returns it, and what was expected of modes before they were measured.

        Where a knob turns out not to move it is another search, on the modes that are left.
        """
        expected: dict[PowerMode, Selection] = {}
        start_s, done, spent_s = self._uninterrupted_s(), 0, 0.0
        while step := self._next(
            search, may_look_around=spent_s <= self._scope.allowance_s(search, plan, self.profile)
        ):
            self._enter(Phase.VERIFYING if step.is_trial else Phase.PROFILING)
            space = self._bench.space
            mode = self._bench.apply(step.mode)
            if mode != step.mode:
                search.not_reached(step.mode)
            if step.expected is not None:
                expected[mode] = search.selection_of(step)
            if step.is_trial:
                self._tell_selected(search, expected[mode], spent_s)
                yield from self._bench.measured_in_earnest(mode)
            else:
                measurement = yield from self._bench.measured(mode)
                done += 1
                if measurement.throttled_by and done <= len(search.first_modes):
                    plan = plan.with_one_more()
                self._tell_measured(measurement, plan, done, self._uninterrupted_s() - start_s)
            spent_s = self._uninterrupted_s() - start_s
            if self._bench.space is not space:
                search = renewed_search(search, self._bench.space, settings, ceiling_w)
        return search, expected

    def _next(self, search: Search, may_look_around: bool) -> Step | None:
        enough = len(self.profile) >= self._settings.least_modes(self._bench.device.modes)
        if may_look_around or not enough:
            step = search.planned(self.profile)
            if step is not None:
                return step
        self._enter(Phase.FITTING)
        self._bench.leave_slow_mode(search.objective)
        with self._bench.computing():
            step = search.learned(self.profile, may_look_around)
            return step or search.recalled(self.profile, self._bench.reused.modes)

    def _tell_selected(self, search: Search, selection: Selection, spent_s: float) -> None:
        self.outcome = self._outcome(search, selection, spent_s)
        self._tell("selected", self.outcome)

    def _outcome(self, search: Search, selection: Selection, spent_s: float) -> Outcome:
        reused = frozenset(self._bench.reused.modes)
        forecast = search.forecast(self.profile)
        return Outcome(self._bench.space, self.profile, forecast, selection, spent_s, reused)

    def _settled(self, search: Search, best: Selection, spent_s: float) -> Outcome:
        """What was found out; where the budget is out of reach, the mode before stays."""
        outcome = self._outcome(search, best, spent_s)
        return staying(outcome) if is_far_off(best) and not self._settings.hard else outcome

    def _stay_in_lowest(self, lowest: Measurement, error: BudgetError) -> None:
        """Under a hard budget that not even the lowest mode keeps, nothing draws less than that mode."""
        if self._settings.strict:
            raise error
        self._has_told_of_excess = True
        warn("%s. The board stays in that mode", error, see="budgets.md#a-hard-limit")
        objective = self._settings.objective_from(lowest)
        chosen = Selection(lowest.mode, objective, lowest.time_ms, lowest.power_w, lowest, measured=lowest)
        forecast = Forecast(self._bench.space, self._settings.predictor, self.profile)
        self._keep(Outcome(self._bench.space, self.profile, forecast, chosen, 0.0))

    def _keep(self, outcome: Outcome) -> None:
        excess = outcome.selection.measured_excess
        if excess and not self._has_told_of_excess:
            self._has_told_of_excess = True
            self._budget_missed(outcome, excess, self._settings.strict)
        self._bench.keep(outcome.selection.mode)
        if self.outcome is None:  # No trial was needed: nobody was told of a choice yet.
            self._tell("selected", outcome)
        self.outcome = outcome
        self._enter(Phase.LOCKED)
        self._tell("verified", outcome)

    def _budget_missed(self, outcome: Outcome, excess: float, strict: bool) -> None:
        selection = outcome.selection
        if is_far_off(selection) and not self._settings.hard:
            message = f"no power mode meets the budget ({selection.objective}): this board and job can do "
            message += what_can_be_had(outcome)
            stays = ". The power mode that the job started in stays"
        else:
            message = (
                f"no power mode was found that meets the budget ({selection.objective}): the nearest one misses it by "
                f"{excess:.3g} {selection.objective.unit} ({selection.mode})"
            )
            message, stays = message + _larger(selection.objective, excess), ". It is used"
        if strict:
            raise BudgetError(message)
        warn("%s%s", message, stays, see="budgets.md#what-is-promised")

    def _tell_measured(self, measurement: Measurement, plan: ProfilingPlan, done: int, spent_s: float) -> None:
        progress = Progress(done, len(plan), plan.seconds_left(done, spent_s), self._settings.is_open)
        self._tell("measured", measurement, progress)

    def _uninterrupted_s(self) -> float:
        """Time without interruptions: validation and the like cost no more for being in the middle of profiling."""
        return self._bench.device.clock.now() - self._interrupted_s

    def _enter(self, phase: Phase) -> None:
        if phase is not self._audience.phase:
            self._tell("phase_changed", phase)

    def _tell(self, event: str, *facts: object) -> None:
        """Tell all observers, of which one may stop the tuner."""
        self._audience.tell(event, *facts)
        self._bench.check_open()


def _larger(objective: Objective, excess: float) -> str:
    """What budget would have been met, of those that are a figure."""
    if isinstance(objective, PowerBudget):
        limit = objective.limit_w
    elif isinstance(objective, TimeBudget):
        limit = objective.limit_ms
    else:
        return ""
    return f"; a budget of more than {limit + excess:.4g} {objective.unit} would be met"
