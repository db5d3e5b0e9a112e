"""PowerTrainCallback: finds the best power mode of a Jetson during the first minibatches of a training job."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from math import prod
from pathlib import Path
from typing import Any, Literal

from lightning_powertrain.callbacks import _lightning as pl
from lightning_powertrain.callbacks.exception_guard import ExceptionGuard
from lightning_powertrain.callbacks.job import is_running, loader_workers, minibatches_left, seconds_left
from lightning_powertrain.callbacks.tuner_factory import TunerFactory
from lightning_powertrain.callbacks.workload import JobWorkload
from lightning_powertrain.devices import BaseDevice
from lightning_powertrain.distributed import Coordinator, Worker
from lightning_powertrain.errors import PowerTrainError
from lightning_powertrain.logs import swallowed, warn
from lightning_powertrain.profiling import Profile
from lightning_powertrain.selection import Selection
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Outcome, ProfilingOptions, Status
from lightning_powertrain.tuning.checks import check_switches, count_modes
from lightning_powertrain.tuning.config import TuningConfig
from lightning_powertrain.tuning.history_store import HistoryStore
from lightning_powertrain.tuning.status import IDLE, disabled, warn_not_restored

_TOGETHER = Status("profiling", "All boards of this job are tuned together.")


class PowerTrainCallback(pl.Callback):
    r"""Finds the power mode in which this job should train, and keeps the board in it.

    During the first minibatches the board is moved through sampled power modes, each of which is measured; a bundled
    reference is transferred to this workload, predicts all others and says where to measure next; the best measured one
    for the budget is kept to the end of training. Then the board is restored. The trained weights are
    those of a run without the callback, bit for bit. Off a Jetson training continues unchanged, with one warning.

    Args:
        budget: What to look for: ``30`` or ``"30 W"`` (fastest mode that draws no more), ``"120 ms"`` (least power
            with minibatches no slower), ``"energy"`` (least energy per minibatch), ``"edp"`` (least energy-delay
            product), or None (at least as fast as the mode that the job started in, with no more power).
        device: None for the Jetson that this runs on; ``"simulated:orin-agx-64gb"`` for a simulated one that trains
            this very model, ``"simulated:orin-agx-64gb:resnet18"`` for one that trains a given workload; or a device
            of your own.
        max_modes: How many power modes to measure; None for 50, or all that a smaller board has; ``"auto"`` for as many
            as it takes to settle the choice, at most 50. Up to five more follow while one is expected to be better by
            1 %.
        max_share: Largest share of the job's time that measuring may take; a short job measures fewer modes.
        hard_limit: Never exceed a power budget, not even to measure: for a supply that really ends there. Starts from
            the lowest mode, which takes longer.
        strict: Raise errors instead of warning and continuing; also if no mode can meet the budget.
        cache: Where profiles are kept for later jobs of the same workload on the same board: True for the usual folder
            (see docs/cache.md), False for none, or a folder.
        verbose: Print progress and a summary.
        options: How modes are measured, predicted and watched; None for the defaults.

    Raises:
        ArgumentError: If an argument is not valid.

    Example::

        trainer = pl.Trainer(max_epochs=3, callbacks=[PowerTrainCallback(budget="30 W")])
        trainer.fit(model, data)
    """

    def __init__(
        self,
        budget: float | str | None = None,
        *,
        device: str | BaseDevice | None = None,
        max_modes: int | Literal["auto"] | None = None,
        max_share: float = 0.1,
        hard_limit: bool = False,
        strict: bool = False,
        cache: bool | str | Path = True,
        verbose: bool = True,
        options: ProfilingOptions | None = None,
    ) -> None:
        check_switches(verbose=verbose)
        config = TuningConfig.checked(
            budget, max_modes, max_share, hard_limit, strict, options, available=count_modes(device)
        )
        self._factory = TunerFactory(config, device, verbose)
        self._strict = strict
        self._store = HistoryStore(cache, config.predictor.minimum_modes, str(config.objective), strict)
        self._guard = ExceptionGuard(self._stop)
        self._begins = False
        self._trainer: pl.Trainer | None = None
        self._tuner: Tuner | Coordinator | Worker | None = None
        self._workload: JobWorkload | None = None
        self._outcome: Outcome | None = None
        self._profile: Profile | None = None
        self._reusable: Profile | None = None
        self._saved: list[int | None] = []
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
        """The choice: the mode, what was predicted, and what was measured once it was set; None until then."""
        return self.outcome.selection if self.outcome else None

    @property
    def profile(self) -> Profile | None:
        """What was measured so far, mode by mode; None before the first measurement."""
        return self._tuner.profile if self._tuner else self._profile

    def state_dict(self) -> dict[str, Any]:
        """What was measured so far and the mode that is locked, as plain Python values."""
        outcome = self.outcome
        kept = outcome.selection.mode if outcome and outcome.selection.measured else None
        return self._store.state(self._tuner.reusable_profile if self._tuner else self._reusable, kept)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Have the next job go on from a state; what is wrong with it is told at its first minibatch.

        In the middle of a job nothing is loaded: a learning-rate finder saves and restores the Trainer, and the tuner
        goes on with what it knows.
        """
        if self._tuner is None:
            self._store.load(state_dict)

    def __getstate__(self) -> dict[str, Any]:
        """All but the predictions for every mode, which would make a saved Trainer large."""
        return {**vars(self), "_outcome": None}

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage != "fit" or self._trainer in (None, trainer):
            return
        assert self._trainer is not None
        if is_running(self._trainer):
            raise PowerTrainError(
                "this PowerTrainCallback is tuning for another Trainer that has not finished. "
                "Give each Trainer a PowerTrainCallback of its own"
            )
        self._stop(self._trainer)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._outcome = self._profile = self._reusable = None
        self._has_failed = False
        self._store.job_started()
        if getattr(trainer, "fast_dev_run", False):
            if trainer.is_global_zero:
                what = "power-mode tuning is disabled for this run, since `fast_dev_run` is too short for it"
                warn(what, see="troubleshooting.md#short-jobs")
        else:
            self._start(trainer, pl_module)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self._while_tuning(lambda tuner: self._minibatch_starts(trainer, pl_module, batch, tuner))

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self._while_tuning(lambda tuner: self._minibatch_ended(trainer, tuner))
        if self._has_failed and isinstance(self._tuner, (Coordinator, Worker)):  # Sends the failure to all processes.
            self._tuner.minibatch_ended(cycle_complete=_is_stepping(trainer))

    # Whatever happens between two minibatches makes the time between them no measure of a minibatch.

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._while_tuning(lambda tuner: tuner.interrupt())

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._while_tuning(lambda tuner: tuner.interrupt())

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._while_tuning(lambda tuner: tuner.interrupt())

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._stop(trainer, strict=self._strict)

    # In these two an error of ours would replace the user's.

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._stop(trainer)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self._stop(trainer)

    def _start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        try:
            self._tune(trainer, pl_module)
        except Exception as error:
            self._fail(error)

    def _while_tuning(self, act: Callable[[Tuner | Coordinator | Worker], object]) -> None:
        if self._tuner is not None and not self._has_failed:
            try:
                act(self._tuner)
            except Exception as error:
                self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Restore the board and warn once, or raise ``error`` under ``strict``. Nothing more is tuned in this job."""
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

    def _tune(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        tuner, device = self._factory.build(trainer, self._store)
        self._trainer, self._tuner, self._begins = trainer, tuner, True
        self._guard.begin(trainer)
        about: dict[str, Any] = {}
        try:
            about = self._about(trainer, pl_module, device)
        except Exception as error:
            if isinstance(tuner, Tuner):
                raise
            tuner.give_up(error)  # It must start all the same: the other processes wait for its registration.
        tuner.start(**about)

    def _about(self, trainer: pl.Trainer, pl_module: pl.LightningModule, device: BaseDevice | None) -> dict[str, Any]:
        """What a tuner has to know of the job."""
        self._workload = JobWorkload(pl_module, device, self._factory.simulates_this_model)
        left, prefetched = minibatches_left(trainer), prod(loader_workers(trainer))
        # Lightning counts the seconds of this computer, which a simulated board does not share.
        limit_s = None if device is None or device.simulated else seconds_left(trainer)
        return {"minibatches": left, "seconds": limit_s, "prefetched": prefetched, "workload": self._workload.name}

    def _minibatch_starts(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, tuner: Tuner | Coordinator | Worker
    ) -> None:
        if isinstance(tuner, Tuner):
            tuner.minibatch_started()
        begins, self._begins = self._begins, False
        workload = self._workload
        if workload is None:
            return
        if begins and tuner.device is not None:
            history = self._store.find(tuner.device, workload.fingerprint(trainer, pl_module, batch))
            if history is not None:
                tuner.warm_start(history)
        workload.minibatch_starts()

    def _minibatch_ended(self, trainer: pl.Trainer, tuner: Tuner | Coordinator | Worker) -> None:
        if self._workload is not None:
            self._workload.minibatch_ended(trainer)
            self._workload = None  # The first minibatch has shown all that is needed.
        # A checkpoint of weights only is not reported to other callbacks.
        saved = [getattr(callback, "_last_global_step_saved", None) for callback in trainer.checkpoint_callbacks]
        if trainer.is_last_batch or saved != self._saved:  # The last minibatch may be a short one.
            tuner.interrupt()
        self._saved = saved
        tuner.minibatch_ended(cycle_complete=_is_stepping(trainer))

    def _stop(self, trainer: pl.Trainer, strict: bool = False) -> None:
        """Close the board."""
        tuner = self._tuner
        if tuner is None or self._trainer is not trainer:
            return
        self._tuner = self._trainer = None
        self._outcome, self._profile, self._reusable = tuner.outcome, tuner.profile, tuner.reusable_profile
        try:
            with ExitStack() as endings:  # The last one comes first, and all of them come, whatever one of them does.
                endings.callback(self._factory.close)
                endings.callback(tuner.stop)
                endings.callback(self._unwatch)
                endings.callback(self._guard.end, trainer)
        except Exception as error:
            if strict:
                raise
            warn_not_restored(error)
        finally:
            self._status = tuner.status if isinstance(tuner, Tuner) else Status("closed", "The job has ended.")

    def _unwatch(self) -> None:
        workload, self._workload = self._workload, None
        if workload is not None:
            workload.stop()


def _is_stepping(trainer: pl.Trainer) -> bool:
    """Whether the minibatch that has just ended is the last of its accumulation cycle."""
    return bool(trainer.is_last_batch) or bool((trainer.fit_loop.batch_idx + 1) % trainer.accumulate_grad_batches == 0)
