"""PowerTrainCallback: finds the best power mode of a Jetson during the first minibatches of a training job."""

from __future__ import annotations

import logging
from math import prod
from pathlib import Path
from typing import Any

from lightning_powertrain.boards import load_board
from lightning_powertrain.callbacks import _lightning as pl
from lightning_powertrain.callbacks.job import loader_workers, logging_step, minibatches_left
from lightning_powertrain.devices import Device, SimulatedDevice, open_device, parse_simulated
from lightning_powertrain.errors import PowerTrainError
from lightning_powertrain.prediction import DEFAULT_REFERENCE, Predictor, default_predictor
from lightning_powertrain.profiling import Profile
from lightning_powertrain.reporting import ConsoleReporter, LoggerReporter, RunWriter
from lightning_powertrain.selection import Selection, parse_budget
from lightning_powertrain.simulation.probe import ModelProbe
from lightning_powertrain.tuning import Observer, Outcome, Tuner, check_modes, check_share

_log = logging.getLogger("lightning_powertrain")


class PowerTrainCallback(pl.Callback):
    r"""Finds the power mode in which this job should train, and keeps the board in it.

    During the first minibatches the board is moved through sampled power modes, each of which is measured; a bundled
    reference is transferred to this workload and predicts all others; the best for the budget is set, measured too, and
    kept to the end of training. Then the board is put back as it was found. The trained weights are those of a run
    without the callback, bit for bit. Off a Jetson training runs as ever, with one warning.

    Args:
        budget: What to look for: ``30`` or ``"30 W"`` (fastest mode that draws no more), ``"120 ms"`` (least power
            with minibatches no slower), ``"energy"`` (least energy per minibatch), ``"edp"`` (least energy-delay
            product), or None (neither slower nor hungrier than the mode the job started in).
        device: None for the Jetson that this runs on; ``"simulated:orin-agx-64gb"`` for a simulated one that trains
            this very model, ``"simulated:orin-agx-64gb:resnet18"`` for one that trains a given workload; or a device
            of your own.
        modes: How many power modes to measure.
        reference: Name of a bundled reference, or the path of one that ``powertrain reference fit`` made.
        predictor: Predicts the modes that are not measured, such as
            :class:`~lightning_powertrain.prediction.baselines.PaperTransfer`; by default a transfer from ``reference``.
        max_share: Largest share of the job's time that measuring may take; a short job measures fewer modes.
        seed: Makes the sample of modes reproducible.
        strict: Raise errors instead of warning and training on; also if no mode can meet the budget.
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
        device: str | Device | None = None,
        modes: int = 50,
        reference: str | Path = DEFAULT_REFERENCE,
        predictor: Predictor | None = None,
        max_share: float = 0.1,
        seed: int = 0,
        strict: bool = False,
        verbose: bool = True,
    ) -> None:
        self._budget = parse_budget(budget)
        self._predictor = predictor or default_predictor(reference, seed)
        self._device = device
        self._simulates_this_model = isinstance(device, str) and parse_simulated(device)[1] is None
        check_modes(modes, self._predictor.minimum_modes, _count_modes(device))
        check_share(max_share)
        self._modes = modes
        self._max_share = max_share
        self._seed = seed
        self._strict = strict
        self._verbose = verbose
        self._trainer: pl.Trainer | None = None
        self._tuner: Tuner | None = None
        self._probe: ModelProbe | None = None
        self._unmodelled: SimulatedDevice | None = None
        self._opened: Device | None = None
        self._outcome: Outcome | None = None
        self._profile: Profile | None = None

    @property
    def outcome(self) -> Outcome | None:
        """All that tuning found out; None until a mode was chosen."""
        return self._tuner.outcome if self._tuner else self._outcome

    @property
    def selection(self) -> Selection | None:
        """The choice: the mode, what was predicted, and what was measured once it was set; None until then."""
        return self.outcome.selection if self.outcome else None

    @property
    def profile(self) -> Profile | None:
        """What was measured so far, mode by mode; None before the first measurement."""
        return self._tuner.profile if self._tuner else self._profile

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage == "fit" and self._trainer not in (None, trainer):
            raise PowerTrainError(
                "this PowerTrainCallback is tuning for another Trainer that has not finished. "
                "Give each Trainer a PowerTrainCallback of its own"
            )

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._outcome = self._profile = None
        folder = trainer.log_dir if trainer.loggers else None
        if getattr(trainer, "fast_dev_run", False):
            _log.warning("Power-mode tuning is skipped, since `fast_dev_run` is enabled.")
        elif trainer.world_size > 1:
            _log.warning("Power-mode tuning is skipped: jobs of more than one process are not supported yet.")
        else:
            self._start(trainer, pl_module, folder)

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._probe is not None:
            self._probe.start()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        tuner = self._tuner
        if tuner is None:
            return
        if self._probe is not None and self._unmodelled is not None:
            # The first minibatch has shown the simulated board what this model asks of it.
            self._unmodelled.workload = self._probe.finish(*loader_workers(trainer))
            self._probe = self._unmodelled = None
        last = trainer.is_last_batch
        if last:  # It may be a short one.
            tuner.interrupt()
        tuner.minibatch_ended(cycle_complete=last or (batch_idx + 1) % trainer.accumulate_grad_batches == 0)

    # Whatever happens between two minibatches makes the time between them no measure of a minibatch.

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._interrupt()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._interrupt()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._interrupt()

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._interrupt()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._stop(trainer)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._stop(trainer)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self._stop(trainer)

    def _start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, folder: str | None) -> None:
        try:
            self._tune(trainer, pl_module, folder)
        except Exception as error:
            self._stop(trainer)
            self._close()
            if self._strict:
                raise
            reason = error if isinstance(error, PowerTrainError) else repr(error)
            _log.warning("Training runs as ever, in the power mode that the board is in: %s.", reason)

    def _tune(self, trainer: pl.Trainer, pl_module: pl.LightningModule, folder: str | None) -> None:
        device = self._open_device()
        tuner = Tuner(
            device,
            self._budget,
            predictor=self._predictor,
            modes=self._modes,
            max_share=self._max_share,
            seed=self._seed,
            strict=self._strict,
            observers=self._observers(trainer, folder, device.simulated),
        )
        self._trainer, self._tuner = trainer, tuner
        workload = type(pl_module).__name__
        if isinstance(device, SimulatedDevice) and self._simulates_this_model:
            self._probe, self._unmodelled = ModelProbe(pl_module), device
        elif isinstance(device, SimulatedDevice):
            workload = device.workload.name
        tuner.start(minibatches=minibatches_left(trainer), prefetched=prod(loader_workers(trainer)), workload=workload)

    def _open_device(self) -> Device:
        if self._device is None or isinstance(self._device, str):
            self._opened = open_device(self._device, self._seed)
            return self._opened
        return self._device

    def _observers(self, trainer: pl.Trainer, folder: str | None, simulated: bool) -> list[Observer]:
        observers: list[Observer] = [
            LoggerReporter(lambda: trainer.loggers, lambda: logging_step(trainer), simulated=simulated)
        ]
        if folder is not None:
            observers.append(RunWriter(Path(folder) / "powertrain"))
        if self._verbose:
            bar = trainer.progress_bar_callback
            shown = getattr(bar, "is_enabled", True)
            observers.append(
                ConsoleReporter(write=bar.print if bar is not None and shown else None, simulated=simulated)
            )
        return observers

    def _interrupt(self) -> None:
        if self._tuner is not None:
            self._tuner.interrupt()

    def _stop(self, trainer: pl.Trainer) -> None:
        """Let go of the board. Lightning calls this from hooks in which an error of ours would replace the user's."""
        if self._tuner is None or self._trainer is not trainer:
            return
        tuner, probe = self._tuner, self._probe
        self._tuner = self._trainer = self._probe = self._unmodelled = None
        self._outcome, self._profile = tuner.outcome, tuner.profile
        try:
            if probe is not None:
                probe.stop()
            try:
                tuner.stop()
            finally:
                self._close()
        except Exception as error:
            _log.warning("The board could not be put back: %r. `powertrain restore` does it by hand.", error)

    def _close(self) -> None:
        """Let go of a device that was opened here; one that was given is its owner's."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()


def _count_modes(device: str | Device | None) -> int | None:
    """Power modes of the device; None if it is the one that this runs on, which is not asked before training."""
    if isinstance(device, str):
        return len(load_board(parse_simulated(device)[0]).modes)
    return None if device is None else len(device.modes)
