"""The course of one job: from its first minibatch to the power mode in which it stays."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import Device, Samplers
from lightning_powertrain.errors import BudgetError
from lightning_powertrain.prediction import Prediction, Predictor
from lightning_powertrain.profiling import Interval, Measurement, Profile, WindowPlan, measure
from lightning_powertrain.selection import NoWorse, Objective, Selection, select_measured
from lightning_powertrain.tuning.events import Audience, Outcome, Phase, Progress
from lightning_powertrain.tuning.known import ContradictionError, Known, Reused, check_measured, select_now
from lightning_powertrain.tuning.plan import ProfilingPlan, plan_within_share
from lightning_powertrain.tuning.safe_search import SafeSearch
from lightning_powertrain.tuning.search import MOST_TRIALS, Search, Step
from lightning_powertrain.tuning.threads import TorchThreads
from lightning_powertrain.warning import warn

# Minibatches at the start of a job that are no measure of the rest: cuDNN's autotuning, compilation, cold caches.
_WARM_UP_MINIBATCHES = 10

MOST_MODES = 50
"""Modes to measure where ``"auto"`` finds no earlier end: the paper's number (arXiv 2407.13944)."""

Steps = Generator[None, Interval, None]


@dataclass(frozen=True)
class Settings:
    """What a user decides about tuning; see :class:`~lightning_powertrain.tuning.Tuner`."""

    objective: Objective | None
    predictor: Predictor
    modes: int | Literal["auto"]
    max_share: float
    seed: int
    strict: bool
    match_threads: bool
    hard: bool


class Course:
    """Measures, learns, chooses, verifies. It is told every interval as it ends, and moves on by one.

    Args:
        device: The board; its state is remembered already.
        samplers: Sample its power and its health.
        settings: What the user decided.
        window: How long a mode is measured.
        minibatches: Length of the job; None if not known.
        seconds: Time limit of the job, on the device's clock; None without one.
        profile: Empty, with the provenance of what will be measured.
        audience: Told of every step.
    """

    def __init__(
        self,
        device: Device,
        samplers: Samplers,
        settings: Settings,
        window: WindowPlan,
        minibatches: int | None,
        seconds: float | None,
        profile: Profile,
        audience: Audience,
    ) -> None:
        self._device = device
        self._settings = settings
        self._window = window
        self._minibatches = math.inf if minibatches is None else minibatches
        self._seconds = math.inf if seconds is None else seconds
        self._audience = audience
        self._samplers = samplers
        self._threads = TorchThreads(device.modes.knobs, settings.match_threads)
        self._interrupted_s = 0.0
        self._steps: Steps | None = None
        self._found: PowerMode
        self._reused = Reused()
        self._favourite: PowerMode | None = None
        self.profile = profile
        """What was measured so far."""
        self.outcome: Outcome | None = None
        """All that was found out; None until a mode was chosen."""

    def start(self) -> None:
        """Begin to measure; under a hard budget in the lowest mode."""
        self._found = self._device.current_mode()
        if self._settings.hard:
            self._found = self._apply(self._device.modes.mode(0))
        self._samplers.start()
        self._steps = self._run()
        next(self._steps)

    def recall(self, known: Known) -> None:
        """Use what was measured before; if it was enough to choose a mode, the best one is set at once.

        Under a hard budget the board stays in the lowest mode, until that has shown that what is known still holds.
        """
        if not known.belongs_to(self._device):
            warn("what is known from %s is of another board: measuring starts over", known.source, see="cache.md")
            return
        self.profile = self._reused.taken(known, self.profile)
        self._audience.tell("recalled", known)
        start = self._reused.of(self.profile, self._found)
        if known.finished and start is not None and not self._settings.hard:
            best = known.kept or select_measured(self._objective(start), self.profile, start).mode
            if best != self._found and best in self._device.modes:
                self._favourite = self._apply(best)

    def interval_ended(self, interval: Interval) -> bool:
        """Go on by one interval; returns False once there is nothing left to do."""
        if self._steps is None:
            return False
        self._interrupted_s += 0.0 if interval.clean else interval.seconds
        try:
            self._steps.send(interval)
        except StopIteration:
            self.stop()
            return False
        return True

    def stop(self) -> None:
        """Stop measuring; the board stays as it is."""
        self._steps = None
        self._samplers.stop()

    def end(self) -> None:
        """Stop measuring for good, and leave this process as it was found."""
        self._threads.put_back()
        self.stop()

    def _run(self) -> Steps:
        self._enter(Phase.WARMING_UP)
        for _ in range(_WARM_UP_MINIBATCHES):
            yield
        try:
            yield from self._tune()
        except ContradictionError as contradiction:
            self._forget(contradiction)
            yield from self._tune()

    def _tune(self) -> Steps:
        start = yield from self._start_measured()
        search, plan = self._plan(start)
        if start.mode not in self._reused.modes:
            self._tell_measured(start, plan, 0, 0.0)
        if not len(plan) and len(self.profile.besides(start)) < self._settings.predictor.minimum_modes:
            self._enter(Phase.OFF)
            return
        profiling_start_s = self._uninterrupted_s()
        expected = yield from self._look_for_the_best(search, plan)
        prediction = search.prediction
        assert prediction is not None
        best = select_now(search.objective, self.profile, self._reused.modes, start)
        if best is None:  # The board throttled whenever it was measured in this job.
            best = select_measured(search.objective, self.profile, start)
        if best.mode in expected:
            best = replace(expected[best.mode], measured=best.measured)
        spent_s = self._uninterrupted_s() - profiling_start_s
        self._keep(self._outcome(prediction, best, spent_s))

    def _start_measured(self) -> Generator[None, Interval, Measurement]:
        """Measure the mode that the job started in, or else the best one known if that was set instead."""
        if self._favourite is not None:
            favourite, self._favourite = self._favourite, None
            self._enter(Phase.VERIFYING)
            yield from self._measured_in_earnest(favourite)
            start = self._reused.of(self.profile, self._found)
            assert start is not None
            return start
        measured = [each for each in self.profile.measurements if each.mode == self._found]
        if measured and self._found not in self._reused.modes:
            return measured[0]  # What was known has just been dropped.
        is_new = self._found not in self._reused.modes
        start = yield from self._measured_in_earnest(self._device.current_mode())
        if is_new:
            self._reused.check_predicted(self.profile, start, self._settings.predictor)
        return start

    def _forget(self, contradiction: ContradictionError) -> None:
        """Drop what is known from before, and go back to where the job began."""
        known = self._reused.known
        assert known is not None
        what = "what is known from %s no longer holds: %s. Measuring starts over"
        warn(what, known.source, contradiction, see="cache.md#what-a-second-job-does-with-it")
        self.profile = self._reused.dropped(self.profile)
        self.outcome = None
        if self._settings.hard:
            self._apply(self._found)
        else:
            self._put_back()

    def _look_for_the_best(
        self, search: Search, plan: ProfilingPlan
    ) -> Generator[None, Interval, dict[PowerMode, Selection]]:
        """Measure what the search asks for; returns what was expected of modes before they were measured."""
        expected: dict[PowerMode, Selection] = {}
        start_s, done, spent_s = self._uninterrupted_s(), 0, 0.0
        while step := self._next(search, may_look_around=spent_s <= self._allowance_s(search, plan)):
            self._enter(Phase.VERIFYING if step.is_trial else Phase.PROFILING)
            mode = self._apply(step.mode)
            if step.expected is not None:
                expected[mode] = search.selection_of(step)
            if step.is_trial:
                self._tell_selected(search, expected[mode], spent_s)
                yield from self._measured_in_earnest(mode)
            else:
                measurement = yield from self._measured(mode)
                done += 1
                if measurement.throttled_by and done <= len(search.first_modes):
                    plan = plan.with_one_more()
                self._tell_measured(measurement, plan, done, self._uninterrupted_s() - start_s)
            spent_s = self._uninterrupted_s() - start_s
        return expected

    def _allowance_s(self, search: Search, plan: ProfilingPlan) -> float:
        """How long profiling may take; under a hard budget nobody knows how long the job is until a mode is found."""
        if not self._settings.hard:
            return plan.allowance_s
        best = select_measured(search.objective, self.profile, search.start)
        return self._settings.max_share * self._job_s(best.time_ms)

    def _job_s(self, time_ms: float) -> float:
        """How long the job would take with minibatches of ``time_ms``; infinite if nobody knows."""
        return min(self._minibatches * time_ms / 1e3, self._seconds)

    def _next(self, search: Search, may_look_around: bool) -> Step | None:
        enough = len(self.profile) >= self._settings.predictor.minimum_modes
        if may_look_around or not enough:
            step = search.planned(self.profile)
            if step is not None:
                return step
        self._enter(Phase.FITTING)
        return search.learned(self.profile, may_look_around) or search.recalled(self.profile, self._reused.modes)

    def _tell_selected(self, search: Search, selection: Selection, spent_s: float) -> None:
        assert search.prediction is not None
        self.outcome = self._outcome(search.prediction, selection, spent_s)
        self._audience.tell("selected", self.outcome)

    def _outcome(self, prediction: Prediction, selection: Selection, spent_s: float) -> Outcome:
        reused = frozenset(self._reused.modes)
        return Outcome(self._device.modes, self.profile, prediction, selection, spent_s, reused)

    def _keep(self, outcome: Outcome) -> None:
        excess = outcome.selection.measured_excess
        if excess:
            self._budget_missed(outcome.selection, excess)
        self._set(outcome.selection)
        if self.outcome is None:  # No trial was needed: nobody was told of a choice yet.
            self._audience.tell("selected", outcome)
        self.outcome = outcome
        self._enter(Phase.LOCKED)
        self._audience.tell("verified", outcome)

    def _budget_missed(self, selection: Selection, excess: float) -> None:
        message = (
            f"no power mode was found that meets the budget ({selection.objective}): the nearest one misses it by "
            f"{excess:.3g} {selection.objective.unit} ({selection.mode})"
        )
        if self._settings.strict:
            raise BudgetError(message)
        warn("%s. It is used", message, see="budgets.md#what-is-promised")

    def _set(self, selection: Selection) -> None:
        if selection.mode == selection.start.mode and not self._settings.hard:
            self._put_back()
        elif selection.mode != self._device.current_mode():
            self._apply(selection.mode)

    def _put_back(self) -> None:
        # As it was found may be more than a power mode: clocks that a governor moves between two limits.
        self._device.restore()
        self._device.snapshot()
        self._threads.put_back()

    def _apply(self, mode: PowerMode) -> PowerMode:
        read = self._device.apply(mode)
        self._threads.match(read)
        return read

    def _measured_in_earnest(self, mode: PowerMode) -> Generator[None, Interval, Measurement]:
        """Measure the mode that is set, and once more if the board throttled."""
        measurement = yield from self._measured(mode)
        return (yield from self._measured(mode)) if measurement.throttled_by else measurement

    def _measured(self, mode: PowerMode) -> Generator[None, Interval, Measurement]:
        """Measure the mode that is set."""
        measurement = yield from measure(self._device, self._samplers, mode, self._window, _synchronize)
        before = self._reused.of(self.profile, mode)
        self.profile = self._reused.renewed(self.profile, measurement)
        check_measured(before, measurement)
        return measurement

    def _plan(self, start: Measurement) -> tuple[Search, ProfilingPlan]:
        """How many modes the job can pay for, and the search that measures them."""
        settings = self._settings
        done = len(self.profile.besides(start))
        most = max(0, self._most(done) - done)
        minimum = settings.predictor.minimum_modes

        def costs_s(count: int) -> list[float]:
            """Seconds of the first modes, and as much as those take for each that the search has yet to choose."""
            if not count:
                return []
            times_ms = self._expected_ms(start, self._search(start, done + count).first_modes)
            known = [self._window.seconds(time_ms) for time_ms in times_ms[:count] or [start.time_ms]]
            return known + [sum(known) / len(known)] * (count - len(known))

        job_s = self._job_s(start.time_ms)
        if settings.hard or math.isinf(job_s):
            plan = ProfilingPlan(costs_s(most))
        else:
            plan = plan_within_share(costs_s, most, job_s, settings.max_share, max(0, minimum - done))
        return self._search(start, max(done + len(plan), minimum)), plan

    def _most(self, done: int) -> int:
        """Modes to know in the end; ``done`` of them were measured already."""
        settings = self._settings
        if settings.modes != "auto" and not settings.hard:
            return done if self._is_served(done) else settings.modes
        most = MOST_MODES if settings.modes == "auto" else settings.modes
        # A search that ends by itself may look for a few more: another budget may ask for others.
        return min(len(self._device.modes), max(most, done + MOST_TRIALS) if self._is_served(done) else most)

    def _is_served(self, done: int) -> bool:
        """Whether what is known from before is all that this job wants to learn."""
        known = self._reused.known
        enough = done >= self._settings.predictor.minimum_modes
        return known is not None and enough and known.serves(self._settings.modes)

    def _search(self, start: Measurement, most: int) -> Search:
        settings = self._settings
        kind = SafeSearch if settings.hard else Search
        return kind(
            *(self._device.modes, settings.predictor),
            self._objective(start),
            *(start, most),
            until_settled=settings.hard or settings.modes == "auto",
            seed=settings.seed,
            spread=not self._is_served(len(self.profile.besides(start))),
        )

    def _objective(self, start: Measurement) -> Objective:
        return self._settings.objective or NoWorse(start.time_ms, start.power_w)

    def _expected_ms(self, start: Measurement, modes: Sequence[PowerMode]) -> list[float]:
        """What minibatches should take in ``modes`` if this job slows down as the reference workload does."""
        rows = self._device.modes.rows([start.mode, *modes])
        prior_ms = self._settings.predictor.prior_time_ms(rows)
        if prior_ms is None:
            return [start.time_ms] * len(modes)
        return [float(time_ms) for time_ms in start.time_ms * prior_ms[1:] / prior_ms[0]]

    def _tell_measured(self, measurement: Measurement, plan: ProfilingPlan, done: int, spent_s: float) -> None:
        is_open = self._settings.hard or self._settings.modes == "auto"
        progress = Progress(done, len(plan), plan.seconds_left(done, spent_s), is_open)
        self._audience.tell("measured", measurement, progress)

    def _uninterrupted_s(self) -> float:
        """Time without interruptions: validation and the like cost no more for being in the middle of profiling."""
        return self._device.clock.now() - self._interrupted_s

    def _enter(self, phase: Phase) -> None:
        if phase is not self._audience.phase:
            self._audience.tell("phase_changed", phase)


def _synchronize() -> None:
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
