"""PowerTrainCallback: finds the best power mode of a Jetson during the first minibatches of a training job."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from math import prod
from pathlib import Path
from typing import Any, Literal

from lightning_powertrain.callbacks import _lightning as pl
from lightning_powertrain.callbacks.exception_guard import ExceptionGuard
from lightning_powertrain.callbacks.job import (
    checkpoints_saved,
    is_running,
    is_stepping,
    loader_workers,
    minibatches_left,
    seconds_left,
)
from lightning_powertrain.callbacks.memory import Memory
from lightning_powertrain.callbacks.options import Options
from lightning_powertrain.devices import BaseDevice, SimulatedDevice, open_device
from lightning_powertrain.distributed import Coordinator, Worker
from lightning_powertrain.errors import ArgumentError, DeviceNotFoundError, PowerTrainError
from lightning_powertrain.logs import swallowed, warn
from lightning_powertrain.prediction import DEFAULT_REFERENCE, BasePredictor, default_predictor
from lightning_powertrain.profiling import Profile
from lightning_powertrain.selection import Selection, parse_budget
from lightning_powertrain.simulation.probe import ModelProbe
from lightning_powertrain.tuning import Outcome, Status, Tuner, check_seed
from lightning_powertrain.tuning.status import IDLE

_TOGETHER = Status("profiling", "All boards of this job are tuned together.")


class PowerTrainCallback(pl.Callback):
    r"""Finds the power mode in which this job should train, and keeps the board in it.

    During the first minibatches the board is moved through sampled power modes, each of which is measured; a bundled
    reference is transferred to this workload, predicts all others and says where to measure next; the best measured one
    for the budget is kept to the end of training. Then the board is put back as it was found. The trained weights are
    those of a run without the callback, bit for bit. Off a Jetson training runs as ever, with one warning.

    Args:
        budget: What to look for: ``30`` or ``"30 W"`` (fastest mode that draws no more), ``"120 ms"`` (least power
            with minibatches no slower), ``"energy"`` (least energy per minibatch), ``"edp"`` (least energy-delay
            product), or None (neither slower nor hungrier than the mode the job started in).
        device: None for the Jetson that this runs on; ``"simulated:orin-agx-64gb"`` for a simulated one that trains
            this very model, ``"simulated:orin-agx-64gb:resnet18"`` for one that trains a given workload; or a device
            of your own.
        modes: How many power modes to measure; None for 50, or all that a smaller board has; ``"auto"`` for as many as
            it takes to settle the choice, at most 50. Up to five more follow while one promises to be better by 1 %.
        reference: Name of a bundled reference, or the path of one that ``powertrain reference fit`` made; None for the
            bundled one of an AGX Orin.
        predictor: Predicts the modes that are not measured, such as
            :class:`~lightning_powertrain.prediction.baselines.PaperTransfer`; by default a transfer from ``reference``.
        max_share: Largest share of the job's time that measuring may take; a short job measures fewer modes.
        precision: A mode is measured until its mean time and power are known as well as this, the half-width of their
            95 % confidence intervals relative to the mean, or for 40 minibatches; None for always 40.
        seed: Makes the sample of modes reproducible.
        hard: Never go beyond a power budget, not even to measure: for a supply that really ends there. Starts from the
            lowest mode and feels its way up, which takes longer.
        strict: Raise errors instead of warning and training on; also if no mode can meet the budget.
        match_threads: Keep torch from computing with more threads on the CPU than there are cores online. Off by
            default: another number of threads may change the last bits of what is computed there.
        adapt: Watch the mode once it is locked, and choose again if its time or power moves for good, or if the board
            throttles in it (see docs/drift.md); not in jobs over several boards.
        cache: Where profiles are kept for later jobs of the same workload on the same board: True for the usual folder
            (see docs/cache.md), False for none, or a folder.
        verbose: Print progress and a summary.

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
        modes: int | Literal["auto"] | None = None,
        reference: str | Path | None = None,
        predictor: BasePredictor | None = None,
        max_share: float = 0.1,
        precision: float | None = 0.02,
        seed: int = 0,
        hard: bool = False,
        strict: bool = False,
        match_threads: bool = False,
        adapt: bool = True,
        cache: bool | str | Path = True,
        verbose: bool = True,
    ) -> None:
        if predictor is None:
            check_seed(seed)
            predictor = default_predictor(DEFAULT_REFERENCE if reference is None else reference, seed)
        elif reference is not None:
            raise ArgumentError.of("reference", reference, "None together with predictor=, which brings its own")
        self._options = Options(
            budget=parse_budget(budget),
            device=device,
            predictor=predictor,
            modes=modes,
            max_share=max_share,
            precision=precision,
            seed=seed,
            hard=hard,
            strict=strict,
            match_threads=match_threads,
            adapt=adapt,
            verbose=verbose,
        )
        self._strict = strict
        self._memory = Memory(cache, self._options.predictor.minimum_modes, str(self._options.budget), strict)
        self._guard = ExceptionGuard(self._stop)
        self._begins = False
        self._simulated_workload: str | None = None
        self._trainer: pl.Trainer | None = None
        self._tuner: Tuner | Coordinator | Worker | None = None
        self._probe: ModelProbe | None = None
        self._unmodelled: SimulatedDevice | None = None
        self._opened: BaseDevice | None = None
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
        return self._memory.state(self._tuner.reusable_profile if self._tuner else self._reusable, kept)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Have the next job go on from a state; what is wrong with it is told at its first minibatch.

        In the middle of a job nothing is loaded: a learning-rate finder saves and restores the Trainer, and the tuner
        goes on with what it knows.
        """
        if self._tuner is None:
            self._memory.load(state_dict)

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
        self._memory.job_started()
        if getattr(trainer, "fast_dev_run", False):
            if trainer.is_global_zero:
                what = "power-mode tuning is skipped, since `fast_dev_run` is enabled"
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
            self._tuner.minibatch_ended(cycle_complete=is_stepping(trainer))

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
        """Put the board back and say so once, or raise ``error`` under ``strict``. No more is done in this job."""
        self._has_failed = True
        with swallowed("removing the hooks from the model"):
            self._unwatch()
        if self._tuner is not None:
            self._tuner.give_up(error)
            return
        with swallowed("closing the device"):
            self._close()
        if self._strict:
            raise error
        reason = error if isinstance(error, PowerTrainError) else repr(error)
        self._status = Status("failed", f"Tuning did not begin: {reason}")
        what = "training runs as ever, in the power mode that the board is in: %s"
        off_board = isinstance(error, DeviceNotFoundError)  # So it is for each Trainer of this program.
        warn(what, reason, see="troubleshooting.md#tuning-does-not-begin", once=off_board)

    def _tune(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        folder = trainer.log_dir if trainer.loggers else None  # Every process has to ask for it.
        tuner: Tuner | Coordinator | Worker
        if trainer.world_size > 1:
            tuner, device = self._options.distributed_tuner(trainer, folder, self._memory, self._open_device)
        else:
            device = self._open_device(self._options.seed)
            tuner = self._options.tuner(device, trainer, folder, self._memory)
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
        self._simulated_workload = None
        if isinstance(device, SimulatedDevice) and self._options.simulates_this_model:
            self._probe, self._unmodelled = ModelProbe(pl_module), device
        elif isinstance(device, SimulatedDevice):
            self._simulated_workload = device.workload.name
        workload = self._simulated_workload or type(pl_module).__name__
        left, prefetched = minibatches_left(trainer), prod(loader_workers(trainer))
        # Lightning counts the seconds of this computer, which a simulated board does not share.
        limit_s = None if device is None or device.simulated else seconds_left(trainer)
        return {"minibatches": left, "seconds": limit_s, "prefetched": prefetched, "workload": workload}

    def _open_device(self, seed: int) -> BaseDevice:
        device = self._options.device
        if device is None or isinstance(device, str):
            self._opened = open_device(device, seed)
            return self._opened
        return device

    def _minibatch_starts(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, tuner: Tuner | Coordinator | Worker
    ) -> None:
        begins, self._begins = self._begins, False
        if begins and tuner.device is not None:
            known = self._memory.recall(trainer, pl_module, batch, tuner.device, self._simulated_workload)
            if known is not None:
                tuner.warm_start(known)
        if self._probe is not None:
            self._probe.start()

    def _minibatch_ended(self, trainer: pl.Trainer, tuner: Tuner | Coordinator | Worker) -> None:
        if self._probe is not None and self._unmodelled is not None:
            # The first minibatch has shown the simulated board what this model asks of it.
            self._unmodelled.workload = self._probe.finish(*loader_workers(trainer))
            self._probe = self._unmodelled = None
        saved = checkpoints_saved(trainer)
        if trainer.is_last_batch or saved != self._saved:  # The last minibatch may be a short one.
            tuner.interrupt()
        self._saved = saved
        tuner.minibatch_ended(cycle_complete=is_stepping(trainer))

    def _stop(self, trainer: pl.Trainer, strict: bool = False) -> None:
        """Let go of the board."""
        tuner = self._tuner
        if tuner is None or self._trainer is not trainer:
            return
        self._tuner = self._trainer = None
        self._outcome, self._profile, self._reusable = tuner.outcome, tuner.profile, tuner.reusable_profile
        try:
            with ExitStack() as endings:  # The last one comes first, and all of them come, whatever one of them does.
                endings.callback(self._close)
                endings.callback(tuner.stop)
                endings.callback(self._unwatch)
                endings.callback(self._guard.end, trainer)
        except Exception as error:
            if strict:
                raise
            warn(
                "the board could not be put back (%r): `powertrain restore` does it by hand",
                error,
                see="safety.md#by-hand",
            )
        finally:
            self._status = tuner.status if isinstance(tuner, Tuner) else Status("closed", "The job has ended.")

    def _unwatch(self) -> None:
        """Leave no hook on the user's model."""
        probe, self._probe, self._unmodelled = self._probe, None, None
        if probe is not None:
            probe.stop()

    def _close(self) -> None:
        """Let go of a device that was opened here; one that was given is its owner's."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()
