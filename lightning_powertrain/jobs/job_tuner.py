"""What the callback of any framework does and shows, apart from the framework."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from math import prod
from pathlib import Path
from typing import Any, Literal, Union

from lightning_powertrain.devices import BaseDevice
from lightning_powertrain.distributed import Coordinator, Worker
from lightning_powertrain.jobs.job import BaseJob
from lightning_powertrain.jobs.tuner_factory import TunerFactory
from lightning_powertrain.jobs.workload import JobWorkload
from lightning_powertrain.logs import swallowed
from lightning_powertrain.profiling import Profile
from lightning_powertrain.selection import BudgetLike, Selection
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Outcome, ProfilingOptions, Spent, Status
from lightning_powertrain.tuning.checks import check_switches, count_modes
from lightning_powertrain.tuning.config import TuningConfig
from lightning_powertrain.tuning.history_store import HistoryStore
from lightning_powertrain.tuning.status import IDLE, disabled, warn_not_restored

AnyTuner = Union[Tuner, Coordinator, Worker]

_TOGETHER = Status("profiling", "All boards of this job are tuned together.")


class JobTuner:
    """Tunes the jobs of one callback, one after the other, and keeps the results of the last one.

    A callback translates the events of its framework into these calls. None of them raises, except under ``strict``.
    After the first minibatch it reports directly to :attr:`active`: what each minibatch passes through stays short.

    Args:
        budget: What to look for; this and the others are arguments of the callback.
        device: The board.
        max_modes: How many power modes to measure.
        max_share: Largest share of the job's time that measuring may take.
        hard_limit: Never exceed a power budget.
        strict: Raise errors.
        cache: Where profiles are kept.
        verbose: Print progress and a summary.
        options: How modes are measured, predicted and watched.

    Raises:
        ArgumentError: If an argument is not valid.
    """

    def __init__(
        self,
        budget: BudgetLike,
        *,
        device: str | BaseDevice | None,
        max_modes: int | Literal["auto"] | None,
        max_share: float,
        hard_limit: bool,
        strict: bool,
        cache: bool | str | Path,
        verbose: bool,
        options: ProfilingOptions | None,
    ) -> None:
        check_switches(verbose=verbose)
        config = TuningConfig.checked(
            budget, max_modes, max_share, hard_limit, strict, options, available=count_modes(device)
        )
        self._factory = TunerFactory(config, device, verbose)
        self._strict = strict
        self._store = HistoryStore(cache, config.predictor.minimum_modes, str(config.budget), strict)
        self.active: AnyTuner | None = None
        """What the callback reports minibatches to; None until the first one has ended, and where nothing is tuned."""
        self._tuner: AnyTuner | None = None
        self._begins = False
        self._workload: JobWorkload | None = None
        self._outcome: Outcome | None = None
        self._profile: Profile | None = None
        self._reusable: Profile | None = None
        self._spent: Spent | None = None
        self._has_failed = False
        self._status = IDLE

    @property
    def outcome(self) -> Outcome | None:
        """All that tuning found out; None until a mode was chosen."""
        return self._tuner.outcome if self._tuner else self._outcome

    @property
    def status(self) -> Status:
        """Where tuning stands, or why nothing was tuned: one word and one sentence."""
        if self._tuner is None:
            return self._status
        return self._tuner.status if isinstance(self._tuner, Tuner) else _TOGETHER

    @property
    def selection(self) -> Selection | None:
        """The choice; None until then."""
        return self.outcome.selection if self.outcome else None

    @property
    def profile(self) -> Profile | None:
        """What was measured so far; None before the first measurement."""
        return self._tuner.profile if self._tuner else self._profile

    def state(self) -> dict[str, Any]:
        """What a checkpoint holds: what was measured so far and the mode that is locked, as plain Python values."""
        outcome = self.outcome
        kept = outcome.selection.mode if outcome and outcome.selection.measured else None
        spent = self._tuner.spent if isinstance(self._tuner, Tuner) else self._spent
        return self._store.state(self._tuner.reusable_profile if self._tuner else self._reusable, kept, spent)

    def load(self, state: Any) -> None:
        """Have the next job continue from the state of a checkpoint; its first minibatch reports what is wrong with it.

        In the middle of a job nothing is loaded: a learning-rate finder saves and restores its Trainer, and the tuner
        continues with what it knows.
        """
        if self._tuner is None:
            self._store.load(state)

    def __getstate__(self) -> dict[str, Any]:
        """All but the predictions for every mode, which would make a saved callback large."""
        return {**vars(self), "_outcome": None}

    # What a callback calls.

    def reset(self) -> None:
        """Forget the results of the job before; a job begins."""
        self._outcome = self._profile = self._reusable = self._spent = None
        self._has_failed = False
        self._store.job_started()

    def start(self, make_job: Callable[[], BaseJob]) -> None:
        """Tune a job, whose first minibatch is about to start.

        Args:
            make_job: Makes the job; if that fails, the job is not tuned.
        """
        try:
            self._tune(make_job())
        except Exception as error:
            self._fail(error)

    def first_minibatch_starts(self, batch: object) -> None:
        """Report that the first minibatch starts.

        Args:
            batch: The minibatch, or what is known of it.
        """
        self._while_tuning(lambda tuner: self._look_at(tuner, batch))

    def first_minibatch_ended(self) -> AnyTuner | None:
        """Report that the first minibatch has ended; returns :attr:`active`, to which the callback then reports it."""
        self._while_tuning(lambda _: self._finish_workload())
        self.active = self._tuner
        return self.active

    def minibatch_failed(self, error: Exception, *, cycle_complete: bool) -> None:
        """Report that the end of a minibatch could not be reported to :attr:`active`.

        Args:
            error: What was raised.
            cycle_complete: False for all but the last minibatch of a gradient-accumulation cycle.
        """
        self._fail(error)
        if isinstance(self._tuner, (Coordinator, Worker)):
            self._tuner.minibatch_ended(cycle_complete=cycle_complete)  # Sends the failure to all processes.

    def interrupt(self) -> None:
        """Report what makes the time between two minibatches no measure of one: validation, a checkpoint, an edge."""
        self._while_tuning(lambda tuner: tuner.interrupt())

    def stop(self, *, strict: bool = False) -> None:
        """Restore the board, at the end of a job or after an error; idempotent.

        Args:
            strict: Raise what fails.
        """
        tuner, self._tuner, self.active = self._tuner, None, None
        if tuner is None:
            return
        self._outcome, self._profile, self._reusable = tuner.outcome, tuner.profile, tuner.reusable_profile
        self._spent = tuner.spent if isinstance(tuner, Tuner) else None
        try:
            with ExitStack() as endings:  # The last one comes first, and all of them come, whatever one of them does.
                endings.callback(self._factory.close)
                endings.callback(tuner.stop)
                endings.callback(self._unwatch)
        except Exception as error:
            if strict:
                raise
            warn_not_restored(error)
        finally:
            self._outcome = tuner.outcome  # What it holds of the whole job is complete once the tuner has stopped.
            self._status = tuner.status if isinstance(tuner, Tuner) else Status("closed", "The job has ended.")

    def _tune(self, job: BaseJob) -> None:
        tuner, device = self._factory.build(job, self._store)
        self._tuner, self._begins = tuner, True
        about: dict[str, Any] = {}
        try:
            about = self._about(job, device)
        except Exception as error:
            if isinstance(tuner, Tuner):
                raise
            tuner.give_up(error)  # It must start all the same: the other processes wait for its registration.
        tuner.start(**about)

    def _about(self, job: BaseJob, device: BaseDevice | None) -> dict[str, Any]:
        """What a tuner has to know of the job."""
        self._workload = workload = JobWorkload(job, device, self._factory.simulates_this_model)
        left, prefetched = job.minibatches_left(), prod(job.loader_workers())
        # Frameworks count the seconds of this computer, which a simulated board does not share.
        limit_s = None if device is None or device.simulated else job.seconds_left()
        about = {"minibatches": left, "seconds": limit_s, "prefetched": prefetched}
        return {**about, "workers": workload.workers, "workload": workload.name}

    def _look_at(self, tuner: AnyTuner, batch: object) -> None:
        begins, self._begins = self._begins, False
        tuner.minibatch_started()
        workload = self._workload
        if workload is None:
            return
        if begins and tuner.device is not None:
            history = self._store.find(tuner.device, workload.fingerprint(batch))
            if history is not None:
                tuner.warm_start(history)
        workload.minibatch_starts()

    def _finish_workload(self) -> None:
        if self._workload is not None:
            self._workload.minibatch_ended()
            self._workload = None  # The first minibatch has shown all that is needed.

    def _while_tuning(self, act: Callable[[AnyTuner], object]) -> None:
        if self._tuner is not None and not self._has_failed:
            try:
                act(self._tuner)
            except Exception as error:
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Restore the board and warn once, or raise ``error`` under ``strict``. Nothing more is tuned in this job."""
        if self._has_failed:
            return
        self._has_failed = True
        with swallowed("removing the hooks from the model"):
            self._unwatch()
        if self._tuner is not None:
            self._tuner.give_up(error)
            return
        with swallowed("closing the device"):
            self._factory.close()
        if self._strict:
            raise error
        self._status = disabled(error)

    def _unwatch(self) -> None:
        workload, self._workload = self._workload, None
        if workload is not None:
            workload.stop()


class TuningResults:
    """The results of a :class:`JobTuner`; base of the callbacks of all frameworks."""

    _tuner: JobTuner

    @property
    def outcome(self) -> Outcome | None:
        """All that tuning found out; None until a mode was chosen."""
        return self._tuner.outcome

    @property
    def status(self) -> Status:
        """Where tuning stands, or why nothing was tuned: one word and one sentence."""
        return self._tuner.status

    @property
    def selection(self) -> Selection | None:
        """The choice: the mode, what was predicted, and what was measured once it was set; None until then."""
        return self._tuner.selection

    @property
    def profile(self) -> Profile | None:
        """What was measured so far, mode by mode; None before the first measurement."""
        return self._tuner.profile
