"""The tuner: a training loop reports its minibatches to it; it finds the best power mode and locks it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Literal

from lightning_powertrain.devices import BaseDevice, Interval
from lightning_powertrain.profiling import Profile
from lightning_powertrain.reporting import ConsoleReporter
from lightning_powertrain.selection import BudgetLike
from lightning_powertrain.tuning import History, Outcome, Phase, ProfilingOptions, Spent, Status
from lightning_powertrain.tuning.checks import check_switches, count_modes
from lightning_powertrain.tuning.claims import claim
from lightning_powertrain.tuning.config import TuningConfig
from lightning_powertrain.tuning.job_length import JobLength
from lightning_powertrain.tuning.opening import open_session
from lightning_powertrain.tuning.session import TuningSession
from lightning_powertrain.tuning.session_guard import SessionGuard
from lightning_powertrain.tuning.status import IDLE
from lightning_powertrain.tuning.tracked_loop import Batch, TrackedLoop

# A locked mode is watched for minutes: there is no need to look at each minibatch.
_LOCKED_INTERVAL_S = 1.0


class Tuner:
    """Moves a device through power modes while a job trains, learns what they cost, and locks the best one.

    It measures the mode that the job started in and the most informative other modes, predicts the rest, and
    continues where the best one for the budget is expected (:class:`~lightning_powertrain.tuning.search.Search`). The
    mode that stays was always measured, and is within the budget by more than the noise of its measurement.

    Training is sacred: an error in here restores the board, is one warning, and training continues unchanged. No random
    state of torch, numpy or Python is touched. Off a Jetson nothing is tuned, with one warning.

    Args:
        budget: What to look for: ``30`` or ``"30 W"``, ``"120 ms"``, ``"energy"``, ``"edp"``, ``"5 % slower"``,
            ``"8 h"``, ``"50 Wh"``, an objective of your own, or None for least energy per minibatch, no slower than the
            mode that the job started in, with no more power. docs/budgets.md has all forms.
        device: None for the Jetson that this runs on; a name such as ``"simulated:orin-agx-64gb:resnet18"``; or a
            device of your own.
        max_modes: How many modes to measure; None for 50, or all that a smaller board has; ``"auto"`` for as many as it
            takes until no other is expected to be better by more than 0.3 %, at most 50. Up to five more follow while
            one is expected to be better by 1 %.
        max_share: Largest share of the job's time that profiling may take; fewer modes are measured if need be.
        hard_limit: Never exceed a power budget, not even to measure; docs/budgets.md says how well that is kept.
        strict: Raise errors instead of warning, also if no mode can meet the budget.
        verbose: Print progress and a summary.
        options: How modes are measured, predicted and watched; None for the defaults.

    Raises:
        ArgumentError: If an argument is not valid.

    Example::

        with Tuner("30 W") as tuner:
            for epoch in range(3):
                for batch in tuner.track(loader, epochs=3):
                    train(batch)
    """

    def __init__(
        self,
        budget: BudgetLike = None,
        *,
        device: str | BaseDevice | None = None,
        max_modes: int | Literal["auto"] | None = None,
        max_share: float = 0.1,
        hard_limit: bool = False,
        strict: bool = False,
        verbose: bool = True,
        options: ProfilingOptions | None = None,
    ) -> None:
        self._config = TuningConfig.checked(
            budget, max_modes, max_share, hard_limit, strict, options, available=count_modes(device)
        )
        check_switches(verbose=verbose)
        self._given = device
        self._verbose = verbose
        self._guard = SessionGuard(strict)
        self._loop = TrackedLoop(self)

    @property
    def phase(self) -> Phase:
        """Where the tuner stands."""
        session = self._guard.session
        return session.phase if session else Phase.IDLE

    @property
    def status(self) -> Status:
        """Where the tuner stands, or why nothing was tuned: one word and one sentence."""
        session = self._guard.session
        return self._guard.failure or (session.status if session else IDLE)

    @property
    def device(self) -> BaseDevice | None:
        """The board; None before :meth:`start` if it was given by its name."""
        session = self._guard.session
        given = None if isinstance(self._given, str) else self._given
        return session.runner.device if session else given

    @property
    def profile(self) -> Profile | None:
        """What was measured so far; None before the first measurement."""
        session = self._guard.session
        return session.runner.profile if session and session.runner.profile.measurements else None

    @property
    def reusable_profile(self) -> Profile | None:
        """What a later run can start from: the profile; after a drift also the earlier measurements, rescaled."""
        session = self._guard.session
        reusable = session.drift.reusable_profile if session else None
        return reusable if reusable is not None and len(reusable) else None

    @property
    def outcome(self) -> Outcome | None:
        """The result; None until a mode was chosen."""
        session = self._guard.session
        return session.outcome if session else None

    @property
    def spent(self) -> Spent | None:
        """What the job has spent so far; None unless its budget is for the whole of it."""
        session = self._guard.session
        return session.plan.ledger.spent if session and session.plan else None

    @property
    def watch_is_paused(self) -> bool:
        """Whether a mode is locked but not watched, since the power of the board can no longer be read."""
        session = self._guard.session
        return session is not None and session.phase is Phase.LOCKED and session.drift.is_blind

    # What a training loop calls: track, or else start, minibatch_started, minibatch_ended, interrupt and stop.

    def track(
        self,
        loader: Iterable[Batch],
        *,
        epochs: int = 1,
        minibatches: int | None = None,
        accumulate: int = 1,
        workload: str = "unnamed",
    ) -> Iterator[Batch]:
        """Iterate over a data loader while this tuner tunes.

        It starts the tuner, reports the end of each minibatch and epoch, and stops the tuner after the last epoch. A
        ``break`` or an error in the loop also stops it. A loop over ``tuner.track`` inside of another one is
        validation, and is not measured. Inside a ``with`` statement of the tuner the board also comes back where
        training ends between two epochs.

        Args:
            loader: A data loader of torch or of Fabric, or anything else that yields minibatches.
            epochs: How many loops the job has, of which this is one.
            minibatches: Length of the whole job; None for ``epochs`` times the length of the loader. A loader without
                a length needs it, or the job counts as long enough.
            accumulate: Minibatches of a gradient-accumulation cycle.
            workload: Name of the job, for the profile.

        Returns:
            The minibatches of the loader.

        Raises:
            ArgumentError: If an argument is not valid.
        """
        return self._loop.passes(
            loader, epochs=epochs, minibatches=minibatches, accumulate=accumulate, workload=workload
        )

    def start(
        self,
        *,
        minibatches: int | None = None,
        seconds: float | None = None,
        prefetched: int = 0,
        workers: int | None = None,
        workload: str = "unnamed",
    ) -> Tuner:
        """Remember the state of the board, and start to measure.

        Args:
            minibatches: Length of the job; None if not known, and then it counts as long enough.
            seconds: Time limit of the job, on the device's clock; None without one.
            prefetched: Minibatches that the data loader keeps ready: ``num_workers * prefetch_factor``.
            workers: Workers of the data loader, for advice; None if not known.
            workload: Name of the job, for the profile.

        Returns:
            This tuner, which is a context manager that stops it.
        """
        self.stop()
        claim()
        job = JobLength.of(minibatches, seconds)

        def session(device: BaseDevice) -> TuningSession:
            console = [ConsoleReporter(simulated=device.simulated)] if self._verbose else []
            return open_session(
                device, self._config, job, console, prefetched=prefetched, workers=workers, workload=workload
            )

        self._guard.start(self._given, self._config.options.seed, session)
        return self

    def warm_start(self, history: History) -> None:
        """Use what an earlier run of this very job measured on this board, or this run before it broke off.

        Call it right after :meth:`start`. If the history was enough to choose a mode, the best one is set at once, and
        stays if a new measurement of it agrees. If one differs by more than 10 %, measuring starts over.

        Args:
            history: The earlier measurements.
        """
        session = self._guard.session
        if session is not None and session.awaited is not None:
            with self._guard.running(), session.runner.charged():
                session.job_start.warm_start(history)

    def minibatch_started(self) -> None:
        """Report that the data loader has returned a minibatch. Optional: it shows how long training waits for data."""
        session = self._guard.session
        if session is None or session.runner.is_closed or session.awaited is None:
            return
        runner = session.runner
        try:
            if runner.advance_to_data is not None:
                runner.advance_to_data()
            if runner.advance_to_data is not None or not runner.device.simulated:
                session.stopwatch.minibatch_started()
        except Exception as error:
            self.give_up(error)

    def minibatch_ended(self, *, cycle_complete: bool = True) -> None:
        """Report that one minibatch has ended.

        Args:
            cycle_complete: False for all but the last minibatch of a gradient-accumulation cycle.
        """
        session = self._guard.session
        if session is None or session.runner.is_closed:
            return
        try:
            if session.runner.advance_clock is not None:
                session.runner.advance_clock()
            if session.awaited is not None:
                at_least_s = _LOCKED_INTERVAL_S if session.phase is Phase.LOCKED else 0.0
                intervals = session.stopwatch.minibatch_ended(cycle_complete=cycle_complete, at_least_s=at_least_s)
                if intervals:
                    self._go_on(session, intervals)
                    # What the session has just done (fitting, switching) is no part of the next minibatch.
                    session.stopwatch.restart()
        except Exception as error:
            self.give_up(error)
        finally:
            if session.close_is_due:
                self.stop()

    def interrupt(self) -> None:
        """Report what makes the time to the next end no measure of a minibatch: validation, a checkpoint, an edge."""
        session = self._guard.session
        if session is not None:
            session.stopwatch.interrupt()

    def give_up(self, error: Exception) -> None:
        """Report that something which tuning needs has failed: the board is restored, and training continues.

        Args:
            error: What was raised; it is part of the one warning.

        Raises:
            Exception: ``error`` itself, under ``strict``.
        """
        self._guard.fail(error)

    def stop(self) -> None:
        """Restore the board. May be called at any time, and more than once.

        Also from an observer or a signal handler: during a switch of power modes it takes effect after the switch.

        Raises:
            DeviceError: If some setting could not be restored, under ``strict``; otherwise that is a warning.
        """
        self._guard.stop()

    def __enter__(self) -> Tuner:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._guard.leave(error)

    def _go_on(self, session: TuningSession, intervals: Sequence[Interval]) -> None:
        with session.runner.charged():
            for interval in intervals:
                if session.awaited is not None and session.awaited.add(interval):
                    session.go_on()
        if session.awaited is None and session.phase is not Phase.LOCKED:
            self.stop()  # The job is too short for tuning.
