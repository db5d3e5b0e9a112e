"""The course of one job: from its first minibatch to the power mode in which it stays."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import torch

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import Device, Samplers
from lightning_powertrain.errors import BudgetError, DeviceError
from lightning_powertrain.prediction import Prediction, Predictor
from lightning_powertrain.profiling import Interval, Measurement, Profile, WindowPlan, latin_hypercube, measure
from lightning_powertrain.selection import Objective, Selection, select, select_measured
from lightning_powertrain.tuning.events import Audience, Outcome, Phase, Progress
from lightning_powertrain.tuning.plan import ProfilingPlan, plan_within_share
from lightning_powertrain.tuning.threads import TorchThreads

_log = logging.getLogger("lightning_powertrain")

# Minibatches at the start of a job that are no measure of the rest: cuDNN's autotuning, compilation, cold caches.
_WARM_UP_MINIBATCHES = 10

# Chosen modes to try until none that was not measured promises to be better; then the best that was measured is used.
_MOST_TRIALS = 5

# How much better, as a share of the cost, a mode must promise to be than the best that was measured.
_WORTH_A_TRIAL = 0.01

Steps = Generator[None, Interval, None]


@dataclass(frozen=True)
class Settings:
    """What a user decides about tuning; see :class:`~lightning_powertrain.tuning.Tuner`."""

    objective: Objective | None
    predictor: Predictor
    modes: int
    max_share: float
    seed: int
    strict: bool
    match_threads: bool


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
        self._interrupted_s = 0.0
        self._steps: Steps | None = None
        self.profile = profile
        """What was measured so far."""
        self.outcome: Outcome | None = None
        """All that was found out; None until a mode was chosen."""

    def start(self) -> None:
        """Begin to measure."""
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
        start = yield from self._measured_in_earnest(self._device.current_mode())
        plan = self._plan(start)
        self._tell_measured(start, plan, 0, 0.0)
        if not plan.modes:
            self._enter(Phase.OFF)
            return
        profiling_start_s = self._uninterrupted_s()
        yield from self._profile(plan)
        yield from self._settle(start, profiling_start_s)

    def _profile(self, plan: ProfilingPlan) -> Steps:
        self._enter(Phase.PROFILING)
        start_s, planned, done = self._uninterrupted_s(), len(plan.modes), 0
        while done < len(plan.modes):
            measurement = yield from self._measured(self._apply(plan.modes[done]))
            if measurement.throttled_by and done < planned:  # Later, once: heat of the mode before may be the reason.
                plan = plan.with_again(plan.modes[done], plan.costs_s[done])
            done += 1
            spent_s = self._uninterrupted_s() - start_s
            self._tell_measured(measurement, plan, done, spent_s)
            if spent_s > plan.allowance_s and len(self.profile) >= self._settings.predictor.minimum_modes:
                break

    def _settle(self, start: Measurement, profiling_start_s: float) -> Steps:
        """Choose, try, learn from it, choose again, until the best mode is one that was measured."""
        tried: dict[PowerMode, Selection] = {}
        for trial in count():
            prediction = self._predict()
            space = self._device.modes
            selection = select(self._settings.objective, space, prediction, self.profile, start)
            outcome = Outcome(space, self.profile, prediction, selection, self._uninterrupted_s() - profiling_start_s)
            best = select_measured(self._settings.objective, self.profile, start)
            if trial == _MOST_TRIALS or not _is_worth_a_trial(selection, best):
                break
            self._set(selection)
            self._enter(Phase.VERIFYING)
            self.outcome = outcome
            self._audience.tell("selected", outcome)
            measured = yield from self._measured_in_earnest(self._device.current_mode())
            if not measured.throttled_by:
                tried[selection.mode] = selection.with_measured(measured)
        self._keep(outcome.with_selection(tried.get(best.mode, best)))

    def _keep(self, outcome: Outcome) -> None:
        excess = outcome.selection.measured_excess
        if excess:
            self._budget_missed(outcome.selection, excess)
        self._set(outcome.selection)
        self.outcome = outcome
        self._enter(Phase.LOCKED)
        self._audience.tell("verified", outcome)

    def _budget_missed(self, selection: Selection, excess: float) -> None:
        message = (
            f"No power mode was found that meets the budget ({selection.objective}): the nearest one misses it by "
            f"{excess:.3g} {selection.objective.unit} ({selection.mode})"
        )
        if self._settings.strict:
            raise BudgetError(message)
        _log.warning("%s. It is used.", message)

    def _set(self, selection: Selection) -> None:
        if selection.mode == selection.start.mode:
            # As it was found may be more than a power mode: clocks that a governor moves between two limits.
            self._device.restore()
            self._device.snapshot()
            self._threads.put_back()
        elif selection.mode != self._device.current_mode():
            self._apply(selection.mode)

    def _apply(self, mode: PowerMode) -> PowerMode:
        read = self._device.apply(mode)
        self._threads.match(read)
        return read

    def _predict(self) -> Prediction:
        self._enter(Phase.FITTING)
        predictor = self._settings.predictor
        if len(self.profile) < predictor.minimum_modes:
            raise DeviceError(
                f"the board throttled ({self.profile.throttled[-1].throttled_by}) in all but {len(self.profile)} of "
                "the windows: it is too hot, or its supply too weak, to be measured"
            )
        predictor.fit(self.profile)
        prediction = predictor.predict(self._device.modes.array)
        if not (np.isfinite(prediction.time_ms).all() and np.isfinite(prediction.power_w).all()):
            raise ArithmeticError("the predictor gave times or powers that are not finite")
        return prediction

    def _measured_in_earnest(self, mode: PowerMode) -> Generator[None, Interval, Measurement]:
        """Measure the mode that is set, and once more if the board throttled."""
        measurement = yield from self._measured(mode)
        return (yield from self._measured(mode)) if measurement.throttled_by else measurement

    def _measured(self, mode: PowerMode) -> Generator[None, Interval, Measurement]:
        """Measure the mode that is set."""
        measurement = yield from measure(self._device, self._samplers, mode, self._window, _synchronize)
        self.profile = self.profile.with_measurements([measurement])
        return measurement

    def _plan(self, start: Measurement) -> ProfilingPlan:
        settings, space = self._settings, self._device.modes
        modes = latin_hypercube(space, settings.modes, settings.seed)
        costs_s = [self._window.seconds(time_ms) for time_ms in self._expected_ms(start, modes)]
        if self._minibatches is None:
            return ProfilingPlan(modes, costs_s)
        job_s = self._minibatches * start.time_ms / 1e3
        return plan_within_share(modes, costs_s, job_s, settings.max_share, settings.predictor.minimum_modes)

    def _expected_ms(self, start: Measurement, modes: Sequence[PowerMode]) -> list[float]:
        """What minibatches should take in ``modes`` if this job slows down as the reference workload does."""
        rows = self._device.modes.rows([start.mode, *modes])
        prior_ms = self._settings.predictor.prior_time_ms(rows)
        if prior_ms is None:
            return [start.time_ms] * len(modes)
        return [float(time_ms) for time_ms in start.time_ms * prior_ms[1:] / prior_ms[0]]

    def _tell_measured(self, measurement: Measurement, plan: ProfilingPlan, done: int, spent_s: float) -> None:
        progress = Progress(done, len(plan.modes), plan.seconds_left(done, spent_s))
        self._audience.tell("measured", measurement, progress)

    def _uninterrupted_s(self) -> float:
        """Time without interruptions: validation and the like cost no more for being in the middle of profiling."""
        return self._device.clock.now() - self._interrupted_s

    def _enter(self, phase: Phase) -> None:
        self._audience.tell("phase_changed", phase)


def _is_worth_a_trial(selection: Selection, best: Selection) -> bool:
    """Whether a mode that was not measured promises enough more than the best of those that were."""
    if selection.measured is not None:
        return False
    return selection.excess < best.excess or selection.cost < (1 - _WORTH_A_TRIAL) * best.cost


def _synchronize() -> None:
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
