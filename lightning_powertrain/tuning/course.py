"""The course of one job: from its first minibatch to the power mode in which it stays."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch

from lightning_powertrain.boards import ModeSpace, PowerMode
from lightning_powertrain.devices import Device, Samplers
from lightning_powertrain.errors import BudgetError
from lightning_powertrain.prediction import Predictor
from lightning_powertrain.profiling import Interval, Measurement, Profile, WindowPlan, measure
from lightning_powertrain.selection import NoWorse, Objective, Selection
from lightning_powertrain.tuning.events import Audience, Outcome, Phase, Progress
from lightning_powertrain.tuning.plan import ProfilingPlan, plan_within_share
from lightning_powertrain.tuning.safe_search import SafeSearch
from lightning_powertrain.tuning.search import Search, Step
from lightning_powertrain.tuning.threads import TorchThreads

_log = logging.getLogger("lightning_powertrain")

# Minibatches at the start of a job that are no measure of the rest: cuDNN's autotuning, compilation, cold caches.
_WARM_UP_MINIBATCHES = 10

# A board that was heated by the mode before gets so long to cool before a mode counts as one that throttles; it has
# cooled once nothing held it back lately.
_COOLING_S = 120.0
_LATELY_S = 5.0

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
        settings: What the user decided.
        window: How long a mode is measured.
        minibatches: Length of the job; None if not known.
        profile: Empty, with the provenance of what will be measured.
        audience: Told of every step.
    """

    def __init__(
        self,
        device: Device,
        settings: Settings,
        window: WindowPlan,
        minibatches: int | None,
        profile: Profile,
        audience: Audience,
    ) -> None:
        self._device = device
        self._settings = settings
        self._window = window
        self._minibatches = minibatches
        self._audience = audience
        self._samplers = Samplers(device)
        self._threads = TorchThreads(device.modes.knobs, settings.match_threads)
        self._found = device.current_mode()
        self._interrupted_s = 0.0
        self._steps: Steps | None = None
        self.profile = profile
        """What was measured so far."""
        self.outcome: Outcome | None = None
        """All that was found out; None until a mode was chosen."""

    def start(self) -> None:
        """Begin to measure; under a hard budget in the lowest mode."""
        if self._settings.hard:
            self._apply(self._device.modes.mode(0))
        self._samplers.start()
        self._steps = self._run()
        next(self._steps)

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
        yield from self._find()

    def _find(self) -> Steps:
        """From the mode that is set, which is the start, to the one that stays."""
        start = yield from self._measured_in_earnest(self._device.current_mode())
        search, plan = self._plan(start)
        self._tell_measured(start, plan, 0, 0.0)
        if not len(plan):
            self._enter(Phase.OFF)
            return
        profiling_start_s = self._uninterrupted_s()
        expected = yield from self._look_for_the_best(search, plan)
        prediction = search.prediction
        assert prediction is not None
        best = search.best(self.profile)
        if best.mode in expected:
            best = replace(expected[best.mode], measured=best.measured)
        spent_s = self._uninterrupted_s() - profiling_start_s
        self._keep(Outcome(self._device.modes, self.profile, prediction, best, spent_s))

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
        if not self._settings.hard or self._minibatches is None:
            return plan.allowance_s
        best = search.best(self.profile)
        return self._settings.max_share * self._minibatches * best.time_ms / 1e3

    def _next(self, search: Search, may_look_around: bool) -> Step | None:
        enough = len(self.profile) >= self._settings.predictor.minimum_modes
        if may_look_around or not enough:
            step = search.planned(self.profile)
            if step is not None:
                return step
        self._enter(Phase.FITTING)
        return search.learned(self.profile, may_look_around)

    def _tell_selected(self, search: Search, selection: Selection, spent_s: float) -> None:
        assert search.prediction is not None
        self.outcome = Outcome(self._device.modes, self.profile, search.prediction, selection, spent_s)
        self._audience.tell("selected", self.outcome)

    def _keep(self, outcome: Outcome) -> None:
        excess = outcome.selection.measured_excess
        if excess:
            self._budget_missed(outcome.selection, excess, self._settings.strict)
        self._set(outcome.selection.mode)
        if self.outcome is None:  # No trial was needed: nobody was told of a choice yet.
            self._audience.tell("selected", outcome)
        self.outcome = outcome
        self._enter(Phase.LOCKED)
        self._audience.tell("verified", outcome)

    def _budget_missed(self, selection: Selection, excess: float, strict: bool) -> None:
        message = (
            f"No power mode was found that meets the budget ({selection.objective}): the nearest one misses it by "
            f"{excess:.3g} {selection.objective.unit} ({selection.mode})"
        )
        if strict:
            raise BudgetError(message)
        _log.warning("%s. It is used.", message)

    def _set(self, mode: PowerMode) -> None:
        if mode == self._found:
            # As it was found may be more than a power mode: clocks that a governor moves between two limits.
            self._device.restore()
            self._device.snapshot()
            self._threads.put_back()
        elif mode != self._device.current_mode():
            self._apply(mode)

    def _return_to_start(self) -> None:
        self._set(self._device.modes.mode(0) if self._settings.hard else self._found)

    def _apply(self, mode: PowerMode) -> PowerMode:
        read = self._device.apply(mode)
        self._threads.match(read)
        return read

    def _measured_in_earnest(self, mode: PowerMode) -> Generator[None, Interval, Measurement]:
        """Measure the mode that is set, and once more if the board throttled, after it has had time to cool."""
        measurement = yield from self._measured(mode)
        if not measurement.throttled_by:
            return measurement
        yield from self._cooled()
        return (yield from self._measured(mode))

    def _cooled(self) -> Steps:
        """Wait until nothing has held the board back for some seconds, but not for ever."""
        start_s = now_s = self._device.clock.now()
        self._samplers.health.sample()
        while now_s < start_s + _COOLING_S and self._samplers.health.throttled_by(now_s - _LATELY_S, now_s):
            yield
            now_s = self._device.clock.now()

    def _measured(self, mode: PowerMode) -> Generator[None, Interval, Measurement]:
        """Measure the mode that is set."""
        measurement = yield from measure(self._device, self._samplers, mode, self._window, _synchronize)
        self.profile = self.profile.with_measurements([measurement])
        return measurement

    def _plan(self, start: Measurement) -> tuple[Search, ProfilingPlan]:
        """How many modes the job can pay for, and the search that measures them."""
        settings = self._settings
        most = min(MOST_MODES, len(self._device.modes)) if settings.modes == "auto" else settings.modes
        minimum = settings.predictor.minimum_modes

        def costs_s(count: int) -> list[float]:
            """Seconds of the first modes, and as much as those take for each that the search has yet to choose."""
            times_ms = self._expected_ms(start, self._search(start, count).first_modes)
            known = [self._window.seconds(time_ms) for time_ms in times_ms[:count]]
            return known + [sum(known) / len(known)] * (count - len(known))

        if self._minibatches is None or settings.hard:
            plan = ProfilingPlan(costs_s(most))
        else:
            job_s = self._minibatches * start.time_ms / 1e3
            plan = plan_within_share(costs_s, most, job_s, settings.max_share, minimum)
        return self._search(start, max(len(plan), minimum)), plan

    def _search(self, start: Measurement, most: int) -> Search:
        return prepare_search(self._device.modes, self._settings, start, most)

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


def prepare_search(space: ModeSpace, settings: Settings, start: Measurement, most: int) -> Search:
    """The search that a user's settings ask for."""
    kind = SafeSearch if settings.hard else Search
    return kind(
        *(space, settings.predictor),
        settings.objective or NoWorse(start.time_ms, start.power_w),
        *(start, most),
        until_settled=most > 0 and (settings.hard or settings.modes == "auto"),
        seed=settings.seed,
    )


def _synchronize() -> None:
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
