"""The tuner: a training loop reports its minibatches to it; it finds the best power mode and locks it."""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from types import TracebackType
from typing import Any

import numpy as np
import torch

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import Device, PowerSampler
from lightning_powertrain.errors import BudgetError
from lightning_powertrain.prediction import Predictor
from lightning_powertrain.profiling import Interval, Measurement, Profile, Provenance, WindowPlan, measure, random_modes
from lightning_powertrain.selection import Objective, Selection, parse_budget, select
from lightning_powertrain.tuning.events import Observer, Outcome, Phase, Progress
from lightning_powertrain.tuning.plan import ProfilingPlan, check_modes, check_share

_log = logging.getLogger("lightning_powertrain")

# Minibatches at the start of a job that are no measure of the rest: cuDNN's autotuning, compilation, cold caches.
_WARM_UP_MINIBATCHES = 10


class Tuner:
    """Moves a device through power modes while a job trains, learns what they cost, and locks the best one.

    It measures the mode that the job started in, then ``modes`` sampled ones, predicts all others, sets the best one
    for the budget, measures it, and stays there until :meth:`stop`, which puts the board back as it was found.

    Training is sacred: whatever goes wrong in here restores the board, is logged once as a warning, and lets training
    go on; ``strict=True`` raises it instead. No random state of torch, numpy or Python is touched.

    Args:
        device: The board.
        budget: What to look for: ``30`` or ``"30 W"``, ``"120 ms"``, ``"energy"``, ``"edp"``, an objective of your
            own, or None for "neither slower nor hungrier than the mode the job started in".
        predictor: Predicts the modes that are not measured.
        modes: How many modes to sample; at least what the predictor needs.
        max_share: Largest share of the job's time that profiling may take; fewer modes are measured if need be.
        seed: Makes the sample of modes reproducible.
        strict: Raise errors, and treat a budget that no mode can meet as one.
        observers: Told of every step.

    Raises:
        ArgumentError: If an argument is not valid.

    Example::

        with Tuner(device, "30 W", predictor=predictor) as tuner:
            for batch in loader:
                train(batch)
                tuner.minibatch_ended()
    """

    def __init__(
        self,
        device: Device,
        budget: float | str | Objective | None = None,
        *,
        predictor: Predictor,
        modes: int = 50,
        max_share: float = 0.1,
        seed: int = 0,
        strict: bool = False,
        observers: Sequence[Observer] = (),
    ) -> None:
        self._objective = parse_budget(budget)
        check_modes(modes, predictor.minimum_modes, len(device.modes))
        check_share(max_share)
        self._device = device
        self._predictor = predictor
        self._modes = modes
        self._max_share = max_share
        self._seed = seed
        self._strict = strict
        self._observers = list(observers)
        self._sampler = PowerSampler(device)
        self._steps: Generator[None, Interval, None] | None = None
        self._last_end_s: float | None = None
        self._minibatches = 0
        self._clean = True
        self._interrupted_s = 0.0
        self.phase = Phase.OFF
        """Where the tuner stands."""
        self.profile: Profile | None = None
        """What was measured so far; None before the first measurement."""
        self.outcome: Outcome | None = None
        """All that was found out; None until a mode was chosen."""

    # What a training loop calls.

    def start(self, *, minibatches: int | None = None, prefetched: int = 0, workload: str = "unnamed") -> None:
        """Take hold of the board: remember its state and begin to measure.

        Args:
            minibatches: Length of the job; None if not known, and then it counts as long enough.
            prefetched: Minibatches that the data loader keeps ready: ``num_workers * prefetch_factor``.
            workload: Name of the job, for the profile.
        """
        self.stop()
        self.profile = self.outcome = None
        self._last_end_s, self._minibatches, self._clean, self._interrupted_s = None, 0, True, 0.0
        window = WindowPlan(discard=max(1, prefetched), settle_s=self._device.settle_s)
        try:
            self._device.snapshot()
            self._enter(Phase.WARMING_UP)
            self._sampler.start()
            self._steps = self._tune(minibatches, window, workload)
            next(self._steps)
        except Exception as error:
            self._give_up(error)

    def minibatch_ended(self, *, cycle_complete: bool = True) -> None:
        """Report that one minibatch has ended.

        Args:
            cycle_complete: False for all but the last minibatch of a gradient-accumulation cycle.
        """
        self._device.minibatch_ended()
        if self._steps is None:
            return
        self._minibatches += 1
        if cycle_complete:
            self._interval_ended(self._steps)

    def interrupt(self) -> None:
        """Report that something other than training goes on: validation, a checkpoint, the edge of an epoch.

        The time from the last end of a minibatch to the next is then no measure of a minibatch.
        """
        self._clean = False

    def stop(self) -> None:
        """Put the board back as it was found. May be called at any time, and more than once."""
        self._steps = None
        try:
            self._sampler.stop()
        finally:
            if self.phase is not Phase.OFF:
                self._device.restore()
                self._enter(Phase.OFF)
                self._tell("closed")

    def __enter__(self) -> Tuner:
        if self._steps is None:
            self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _interval_ended(self, steps: Generator[None, Interval, None]) -> None:
        now_s = self._device.clock.now()
        start_s, clean = (now_s, False) if self._last_end_s is None else (self._last_end_s, self._clean)
        interval = Interval(start_s, now_s, self._minibatches, clean)
        self._minibatches, self._clean = 0, True
        self._interrupted_s += 0.0 if clean else interval.seconds
        try:
            steps.send(interval)
        except StopIteration:
            self._steps = None
        except Exception as error:
            self._give_up(error)
        # What was just done in here (fitting, switching) is no part of the next minibatch.
        self._last_end_s = self._device.clock.now()

    # The job itself: a generator that is sent every interval as it ends.

    def _tune(self, minibatches: int | None, window: WindowPlan, workload: str) -> Generator[None, Interval, None]:
        for _ in range(_WARM_UP_MINIBATCHES):
            yield
        start = yield from self._measured(self._device.current_mode(), window)
        about = Provenance(self._device.board.key, workload, self._device.simulated, {"seed": self._seed})
        self.profile = Profile(self._device.modes.knobs, about, (start,))
        plan = self._plan(start, minibatches, window)
        self._tell("measured", start, Progress(0, len(plan.modes), plan.seconds_left(0, 0.0)))
        if not plan.modes:
            self.stop()
            return
        self._enter(Phase.PROFILING)
        profiling_start_s = self._uninterrupted_s()
        for done, mode in enumerate(plan.modes, start=1):
            measurement = yield from self._measured(self._device.apply(mode), window)
            self.profile = self.profile.with_measurements([measurement])
            spent_s = self._uninterrupted_s() - profiling_start_s
            self._tell("measured", measurement, Progress(done, len(plan.modes), plan.seconds_left(done, spent_s)))
            if spent_s > plan.allowance_s and done >= self._predictor.minimum_modes:
                break
        outcome = self._choose(start, self.profile, spent_s)
        yield from self._lock(outcome, window)

    def _measured(self, mode: PowerMode, window: WindowPlan) -> Generator[None, Interval, Measurement]:
        return measure(self._device, self._sampler, mode, window, _synchronize)

    def _plan(self, start: Measurement, minibatches: int | None, window: WindowPlan) -> ProfilingPlan:
        """The modes to sample; none if the job is too short for as many as the predictor needs."""
        sampled = random_modes(self._device.modes, self._modes, self._seed)
        costs_s = [window.seconds(time_ms) for time_ms in self._expected_ms(start, sampled)]
        if minibatches is None:
            return ProfilingPlan(sampled, costs_s)
        job_s = minibatches * start.time_ms / 1e3
        whole = ProfilingPlan(sampled, costs_s, self._max_share * job_s)
        plan = whole.within_allowance()
        share = f"{self._max_share:.0%} of this job ({plan.allowance_s:.0f} s of {job_s:.0f} s)"
        if len(plan.modes) < self._predictor.minimum_modes:
            _log.warning(
                "The power mode is left alone: %s would pay for measuring %d power modes, and fewer than %d tell too "
                "little. All %d would take about %.0f s. A longer job or a larger max_share makes tuning possible.",
                *(share, len(plan.modes), self._predictor.minimum_modes, self._modes, sum(costs_s)),
            )
            return ProfilingPlan((), (), plan.allowance_s)
        if len(plan.modes) < self._modes:
            _log.warning("Measuring %d power modes instead of %d: %s.", len(plan.modes), self._modes, share)
        return plan

    def _expected_ms(self, start: Measurement, modes: Sequence[PowerMode]) -> list[float]:
        """What minibatches should take in ``modes`` if this job slows down as the reference workload does."""
        space = self._device.modes
        prior_ms = self._predictor.prior_time_ms(space.rows([start.mode, *modes]))
        if prior_ms is None:
            return [start.time_ms] * len(modes)
        return [float(time_ms) for time_ms in start.time_ms * prior_ms[1:] / prior_ms[0]]

    def _choose(self, start: Measurement, profile: Profile, profiling_s: float) -> Outcome:
        self._enter(Phase.FITTING)
        self._predictor.fit(profile)
        space = self._device.modes
        prediction = self._predictor.predict(space.array)
        if not (np.isfinite(prediction.time_ms).all() and np.isfinite(prediction.power_w).all()):
            raise ArithmeticError("the predictor gave times or powers that are not finite")
        selection = select(self._objective, space, prediction, profile, start)
        if selection.excess > 0:
            self._budget_missed(selection)
        return Outcome(space, profile, prediction, selection, profiling_s)

    def _budget_missed(self, selection: Selection) -> None:
        message = (
            f"No power mode is predicted to meet the budget ({selection.objective}): the nearest one misses it by "
            f"{selection.excess:.3g} {selection.objective.unit} ({selection.mode})."
        )
        if self._strict:
            raise BudgetError(message)
        _log.warning("%s It is used.", message)

    def _lock(self, outcome: Outcome, window: WindowPlan) -> Generator[None, Interval, None]:
        if outcome.selection.mode == outcome.selection.start.mode:
            # As it was found may be more than a power mode: clocks that a governor moves between two limits.
            self._device.restore()
            self._device.snapshot()
            kept = self._device.current_mode()
        else:
            kept = self._device.apply(outcome.selection.mode)
        self._enter(Phase.VERIFYING)
        self.outcome = outcome
        self._tell("selected", outcome)
        measured = yield from self._measured(kept, window)
        self._sampler.stop()
        self.outcome = outcome.verified(measured)
        self._enter(Phase.LOCKED)
        self._tell("verified", self.outcome)

    # Small things.

    def _uninterrupted_s(self) -> float:
        """Time without interruptions: validation and the like cost no more for being in the middle of profiling."""
        return self._device.clock.now() - self._interrupted_s

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        self._tell("phase_changed", phase)

    def _tell(self, event: str, *facts: Any) -> None:
        for observer in tuple(self._observers):
            try:
                getattr(observer, event)(*facts)
            except Exception as error:
                if self._strict:
                    raise
                self._observers.remove(observer)
                _log.warning("%s failed and is left out from here on: %r", type(observer).__name__, error)

    def _give_up(self, error: Exception) -> None:
        state = "The board is as it was found"
        try:
            self.stop()
        except Exception as failure:
            state = f"The board could not be put back ({failure!r}): `powertrain restore` does it by hand"
        if self._strict:
            raise error
        _log.warning("Power-mode tuning has stopped: %r. %s; training goes on.", error, state)


def _synchronize() -> None:
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
