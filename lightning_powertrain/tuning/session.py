"""One tuning session: the life of a job, from its first minibatch to the board restored.

::

    IDLE -> WARMING_UP -> MEASURING_START -> PROFILING <-> DECIDING -> VERIFYING -> LOCKED -> CLOSED
                                                 ^                                    |
                                                 +-------- drift: short profile ------+

Any phase may go to CLOSED; :data:`~lightning_powertrain.tuning.phase.TRANSITIONS` lists all legal transitions.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Generator

from lightning_powertrain.devices import Stopwatch
from lightning_powertrain.errors import BudgetError
from lightning_powertrain.profiling import Profile
from lightning_powertrain.selection import Selection
from lightning_powertrain.selection.schedule import ChangingBudget
from lightning_powertrain.tuning.budget_keeper import BudgetKeeper
from lightning_powertrain.tuning.config import TuningConfig
from lightning_powertrain.tuning.drift_handler import DriftHandler
from lightning_powertrain.tuning.explorer import Explorer
from lightning_powertrain.tuning.history import ContradictionError
from lightning_powertrain.tuning.job_ledger import JobLedger
from lightning_powertrain.tuning.job_length import JobLength
from lightning_powertrain.tuning.job_plan import plan_of
from lightning_powertrain.tuning.job_start import JobStart
from lightning_powertrain.tuning.mode_runner import Awaited, ClosedError, ModeRunner, Waiting, WarmUp
from lightning_powertrain.tuning.observers import ObserverList
from lightning_powertrain.tuning.outcome import Outcome
from lightning_powertrain.tuning.pacing import pace_of
from lightning_powertrain.tuning.phase import Phase, is_legal
from lightning_powertrain.tuning.plan_keeper import PlanKeeper
from lightning_powertrain.tuning.profiling_budget import ProfilingBudget
from lightning_powertrain.tuning.remaining import TimeLeft
from lightning_powertrain.tuning.search import Search
from lightning_powertrain.tuning.status import TOO_SHORT, Status, at_work, ended
from lightning_powertrain.tuning.unmet_budget import is_far_off, report_unmet, staying, staying_in_lowest

Tuning = Generator[Awaited, None, "Outcome | None"]


class TuningSession:
    """Tunes one job. It owns the phase; whatever it waits for takes the intervals of the job as they end.

    Args:
        runner: Sets and measures the modes of the board.
        config: What the user decided.
        job: How long the job is.
        observers: Are notified of every step.

    Raises:
        BudgetError: If a budget of the whole job is over already, or the length of the job is not known.
    """

    def __init__(self, runner: ModeRunner, config: TuningConfig, job: JobLength, observers: ObserverList) -> None:
        self.runner = runner
        self.job = job
        self.observers = observers
        self.stopwatch = Stopwatch(runner.device.clock)
        """Times the minibatches of the job."""
        self.plan = plan_of(config.budget, job, JobLedger(runner.device, self.stopwatch))
        """The plan of a job with a budget for the whole of it; None for other budgets."""
        self.config = config if self.plan is None else replace(config, budget=self.plan)
        self._keeper = None if self.plan is None else PlanKeeper(self, self.plan)
        self.phase = Phase.IDLE
        """Where the session stands."""
        self.outcome: Outcome | None = None
        """The result; None until a mode was chosen."""
        self.is_too_short = False
        """Whether the job turned out too short for tuning."""
        self.close_is_due = False
        """Whether :meth:`close` came during a switch of modes, and has to be called again after it."""
        self.job_start = JobStart(self)
        self.drift = DriftHandler(self)
        self.awaited: Awaited | None = None
        """What the session waits for, and takes the intervals of the job; None if it needs no minibatches."""
        self._steps = self._run()
        self.trained_on_s = 0.0
        """Seconds in the best mode known before the lock: training as such, and no part of what profiling costs."""
        self._has_warned_of_budget = False
        self._holds_board = False
        self._locked: Outcome | None = None

    @property
    def profile(self) -> Profile:
        """What was measured so far."""
        return self.runner.profile

    @property
    def status(self) -> Status:
        """Where the session stands, in one word and one sentence."""
        measured = len(self.profile)
        if self.phase is not Phase.CLOSED:
            return at_work(self.phase, measured, self.outcome)
        return TOO_SHORT if self.is_too_short else ended(measured, self.outcome)

    # What happens to a session.

    def start(self) -> None:
        """Remember the state of the board, and start to measure; under a hard limit in the lowest mode."""
        runner = self.runner
        if isinstance(self.config.budget, ChangingBudget):
            self.config.budget.refresh()
        runner.device.snapshot()
        self._holds_board = True
        if self.plan is not None:
            self.plan.ledger.start()
        runner.start()
        self.go_on()

    def go_on(self) -> None:
        """Go on: what the session waited for is over."""
        try:
            awaited = next(self._steps)
        except (StopIteration, ClosedError):
            self.awaited = None
            self.runner.pollers.stop()
        else:
            self.awaited = None if self.runner.is_closed else awaited  # A signal handler may have closed it meanwhile.

    def close(self) -> None:
        """Restore the board, then notify the observers. May come at any time, and more than once.

        During a switch of modes, where a signal handler may call it, it only sets :attr:`close_is_due`.

        Raises:
            DeviceError: If the board could not be restored; another call tries again.
        """
        self.awaited = None
        self.runner.close()
        self.drift.close()
        self.close_is_due = self.runner.is_switching
        if self.close_is_due or not self._holds_board:
            return
        self._holds_board = False  # Before, so that a signal handler that comes meanwhile does not do it again.
        try:
            self.runner.device.restore()
        except BaseException:
            self._holds_board = True
            raise
        self.phase = Phase.CLOSED
        if self.outcome is not None and self.outcome.selection.measured is None:
            self.outcome = self._locked or self.outcome  # What a correction had only predicted was never trained in.
        if self._locked is None and not self.is_too_short:
            self.observers.ended_early(self.status.sentence)
        if self._keeper is not None:
            self._keeper.close()
        self.observers.phase_changed(Phase.CLOSED)
        self.observers.closed()

    def enter(self, phase: Phase) -> None:
        """Go to another phase, and notify the observers.

        Raises:
            ClosedError: If one of them closed the session.
        """
        self.runner.check_open()
        if phase is not self.phase:
            assert is_legal(self.phase, phase), f"{self.phase.name} -> {phase.name}"
            self.phase = phase
            self.observers.phase_changed(phase)
            self.runner.check_open()

    # The life of a job.

    def _run(self) -> Waiting:
        self.enter(Phase.WARMING_UP)
        yield WarmUp()
        try:
            outcome = yield from self.tune(self.profiling_budget(self.config))
        except ContradictionError as contradiction:
            self.job_start.drop_history(contradiction)
            outcome = yield from self.tune(self.profiling_budget(self.config))
        if outcome is None:
            self.is_too_short = True
            if self._keeper is not None:
                self._keeper.stay()
            return
        if self._keeper is not None:
            outcome = yield from self._keeper.completed(outcome)
        self.lock(outcome)
        if self._keeper is not None:
            yield from self._keeper.run()
        elif isinstance(self.config.budget, ChangingBudget):
            yield from BudgetKeeper(self, self.config.budget).run()
        elif self.config.options.adapt:
            yield from self.drift.run()

    def profiling_budget(self, config: TuningConfig) -> ProfilingBudget:
        """How much of the job may go into profiling with a configuration, on the modes that the board has left."""
        runner = self.runner
        return ProfilingBudget(runner.space, config, runner.window, runner.warm, self.job)

    def tune(self, budget: ProfilingBudget) -> Tuning:
        """Measure the start mode, search for the best mode, and return the outcome; None if the job is too short."""
        start = yield from self.job_start.measured()
        try:
            with self.runner.computing():
                search, plan = budget.plan(start, self.profile)
        except BudgetError as error:
            self._has_warned_of_budget = True
            return staying_in_lowest(start, self.runner.space, self.profile, self.config, self.job, error)
        pace = pace_of(self.config, self.job, start.time_ms, self.runner.device.clock)
        explorer = Explorer(self, budget, TimeLeft(self.runner.window, plan, len(search.first_modes)), pace)
        if start.mode not in self.runner.warm.modes:
            explorer.notify_measured(start, search, plan, 0.0)
        minimum = budget.config.minimum_modes(self.runner.device.modes)
        if not len(plan) and len(self.profile.besides(start)) < minimum:
            return None
        profiling_start_s = self.uninterrupted_s()
        search, best = yield from explorer.best_mode(search, plan)
        spent_s = self.uninterrupted_s() - profiling_start_s
        return self.settled(search, best, spent_s)

    # What comes of it.

    def settled(self, search: Search, best: Selection, spent_s: float) -> Outcome:
        """The outcome; where the budget is out of reach, the start mode stays."""
        outcome = self.outcome_of(search, best, spent_s)
        return staying(outcome) if is_far_off(best) and not self.config.hard_limit else outcome

    def outcome_of(self, search: Search, selection: Selection, spent_s: float) -> Outcome:
        """The outcome, if a selection were final."""
        reused = frozenset(self.runner.warm.modes)
        forecast = search.forecast(self.profile)
        # A job with a plan does not stay in one mode: its course tells what it takes.
        length = self.job.known_minibatches if self.plan is None else None
        rates = self.config.options.rates
        return Outcome(
            self.runner.space, self.profile, forecast, selection, spent_s, reused, minibatches=length, rates=rates
        )

    def lock(self, outcome: Outcome) -> None:
        """Set the chosen mode, and stay in it."""
        if outcome.selection.measured_excess and self.plan is None and not self._has_warned_of_budget:
            self._has_warned_of_budget = True
            # Hours into a job it is no error of the user that a drifting board no longer meets the budget.
            report_unmet(
                outcome, hard_limit=self.config.hard_limit, strict=self.config.strict and not outcome.corrections
            )
        self.runner.keep(outcome.selection.mode)
        if self.outcome is None:  # Nothing had to be verified, so no observer was notified of a choice yet.
            self.observers.selected(outcome)
            self.runner.check_open()
        self.outcome = self._locked = outcome
        self.enter(Phase.LOCKED)
        self.observers.verified(outcome)
        self.runner.check_open()

    def uninterrupted_s(self) -> float:
        """Time without interruptions: validation costs no more during profiling than at any other time."""
        return self.runner.device.clock.now() - self.stopwatch.interrupted_s - self.trained_on_s
