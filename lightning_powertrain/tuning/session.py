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

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import Stopwatch
from lightning_powertrain.errors import BudgetError
from lightning_powertrain.logs import warn
from lightning_powertrain.profiling import Profile
from lightning_powertrain.selection import Selection, select_measured
from lightning_powertrain.selection.schedule import ChangingBudget
from lightning_powertrain.tuning.budget_keeper import BudgetKeeper
from lightning_powertrain.tuning.config import TuningConfig
from lightning_powertrain.tuning.drift_handler import DriftHandler
from lightning_powertrain.tuning.explorer import Explorer
from lightning_powertrain.tuning.history import ContradictionError, History
from lightning_powertrain.tuning.job_ledger import JobLedger
from lightning_powertrain.tuning.job_length import JobLength
from lightning_powertrain.tuning.job_plan import JobPlan, plan_of
from lightning_powertrain.tuning.mode_runner import Awaited, ClosedError, Measuring, ModeRunner, Waiting, WarmUp
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
    """

    def __init__(self, runner: ModeRunner, config: TuningConfig, job: JobLength, observers: ObserverList) -> None:
        self.runner = runner
        self.job = job
        self.observers = observers
        self.stopwatch = Stopwatch(runner.device.clock)
        """Times the minibatches of the job."""
        self.plan: JobPlan | None = None
        """The plan of a job with a budget for the whole of it."""
        self.keeper: PlanKeeper | None = None
        """Keeps to the plan."""
        self.config = config
        self.budget = ProfilingBudget(runner.device.modes, config, runner.window, runner.warm, job)
        self.phase = Phase.IDLE
        """Where the session stands."""
        self.outcome: Outcome | None = None
        """The result; None until a mode was chosen."""
        self.is_active = False
        """Whether the session waits for minibatches."""
        self.is_too_short = False
        """Whether the job turned out too short for tuning."""
        self.close_is_due = False
        """Whether :meth:`close` came during a switch of modes, and has to be called again after it."""
        self.drift = DriftHandler(self)
        self.awaited: Awaited
        """What the session waits for; takes the intervals of the job while the session is active."""
        self._steps = self._run()
        self.trained_on_s = 0.0
        """Seconds in the best mode known before the lock: training as such, and no part of what profiling costs."""
        self._warm_mode: PowerMode | None = None
        self._has_warned_of_budget = False
        self._holds_board = False

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
        """Remember the state of the board, and start to measure; under a hard limit in the lowest mode.

        Raises:
            ClosedError: If an observer or a signal handler closed the session meanwhile, as in :meth:`warm_start`.
            BudgetError: If a budget of the whole job is over already, or the length of the job is not known.
        """
        runner = self.runner
        self.plan = plan_of(self.config.budget, self.job, JobLedger(runner.device, self.stopwatch))
        if self.plan is not None:
            self.keeper = PlanKeeper(self, self.plan)
            self.config = replace(self.config, budget=self.plan)
            self.budget = ProfilingBudget(runner.device.modes, self.config, runner.window, runner.warm, self.job)
        if isinstance(self.config.budget, ChangingBudget):
            self.config.budget.refresh()
        runner.device.snapshot()
        self._holds_board = True
        if self.plan is not None:
            self.plan.ledger.start()
        runner.start()
        self.is_active = True
        self.awaited = next(self._steps)

    def warm_start(self, history: History) -> None:
        """Use the measurements of an earlier run; if they were enough to choose a mode, set the best one at once.

        Under a hard limit the board stays in the lowest mode until a measurement has confirmed the earlier ones.
        """
        runner = self.runner
        if not history.belongs_to(runner.device):
            warn("the measurements of %s are of another board: profiling starts over", history.source, see="cache.md")
            return
        runner.profile = runner.warm.begin(history, runner.profile)
        if self.plan is not None and history.spent is not None:
            self.plan.ledger.before = history.spent
        self.observers.warm_started(history)
        runner.check_open()
        start = runner.warm.find(runner.profile, runner.start_mode)
        if history.finished and start is not None and not self.config.hard_limit:
            best = history.kept or select_measured(self.config.objective_from(start), runner.profile, start).mode
            if best != runner.start_mode and best in runner.device.modes:
                self._warm_mode = runner.apply(best)

    def go_on(self) -> None:
        """Go on: what the session waited for is over."""
        try:
            self.awaited = next(self._steps)
        except (StopIteration, ClosedError):
            self.is_active = False
            self.runner.pollers.stop()

    def close(self) -> None:
        """Restore the board, then notify the observers. May come at any time, and more than once.

        During a switch of modes, where a signal handler may call it, it only sets :attr:`close_is_due`.

        Raises:
            DeviceError: If the board could not be restored; another call tries again.
        """
        ended_early = self.is_active and self.outcome is None
        self.is_active = False
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
        if ended_early:
            self.observers.ended_early(self.status.sentence)
        if self.keeper is not None:
            self.keeper.close()
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
            outcome = yield from self.tune(self.budget)
        except ContradictionError as contradiction:
            self._drop_history(contradiction)
            outcome = yield from self.tune(self.budget)
        if outcome is None:
            self.is_too_short = True
            return
        if self.keeper is not None:
            outcome = yield from self.keeper.completed(outcome)
        self.lock(outcome)
        if self.keeper is not None:
            yield from self.keeper.run()
        elif isinstance(self.config.budget, ChangingBudget):
            yield from BudgetKeeper(self, self.config.budget).run()
        elif self.config.options.adapt:
            yield from self.drift.run()

    def tune(self, budget: ProfilingBudget) -> Tuning:
        """Measure the start mode, search for the best mode, and return the outcome; None if the job is too short."""
        start = yield from self._start_measured()
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

    def _start_measured(self) -> Measuring:
        """Measure the start mode, or the best mode of an earlier run if that was set instead."""
        runner = self.runner
        if self._warm_mode is not None:
            mode, self._warm_mode = self._warm_mode, None
            self.enter(Phase.VERIFYING)
            yield from runner.measured_cool(mode)
            start = runner.warm.find(runner.profile, runner.start_mode)
            assert start is not None
            return start
        self.enter(Phase.MEASURING_START)
        is_warm = runner.start_mode in runner.warm.modes
        measured = [each for each in runner.profile.measurements if each.mode == runner.start_mode]
        if measured and not is_warm:
            return measured[0]  # Measured before the history was dropped.
        start = yield from runner.measured_cool(runner.device.current_mode())
        if not is_warm:
            with runner.computing():
                runner.warm.check_predicted(runner.profile, start, self.config.predictor)
        return start

    def _drop_history(self, contradiction: ContradictionError) -> None:
        """Drop the measurements of the earlier run, and return to the start mode."""
        history = self.runner.warm.history
        assert history is not None
        what = "the measurements of %s no longer hold: %s. Profiling starts over"
        warn(what, history.source, contradiction, see="cache.md#what-a-second-job-does-with-it")
        self.runner.profile = self.runner.warm.dropped(self.profile)
        self.outcome = None
        self.runner.keep(self.runner.start_mode)

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
        self.outcome = outcome
        self.enter(Phase.LOCKED)
        self.observers.verified(outcome)
        self.runner.check_open()

    def uninterrupted_s(self) -> float:
        """Time without interruptions: validation costs no more during profiling than at any other time."""
        return self.runner.device.clock.now() - self.stopwatch.interrupted_s - self.trained_on_s
