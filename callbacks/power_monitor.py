"""PowerMonitor: logs the power and energy of a training job, and sets nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any

import torch

from lightning_powertrain.callbacks import _lightning as pl
from lightning_powertrain.callbacks.exception_guard import ExceptionGuard
from lightning_powertrain.callbacks.job import is_running, loader_workers, logging_step
from lightning_powertrain.callbacks.power_log import PowerLog
from lightning_powertrain.callbacks.powertrain import PowerTrainCallback
from lightning_powertrain.devices import PowerSource, SimulatedDevice, find_power_source, open_device, parse_simulated
from lightning_powertrain.errors import DeviceError, DeviceNotFoundError, PowerTrainError
from lightning_powertrain.logs import warn
from lightning_powertrain.reporting import PowerSummary
from lightning_powertrain.reporting.writing import LoggerWriter
from lightning_powertrain.simulation.probe import ModelProbe
from lightning_powertrain.terminal import print_line
from lightning_powertrain.tuning import EnergyRates


class PowerMonitor(pl.Callback):
    """Logs power, energy, energy per sample and throttling of a job to all loggers of the Trainer.

    On a Jetson the power is that of the whole module, elsewhere that of the NVIDIA GPUs that the Trainer uses
    (``pip install 'lightning-powertrain[nvml]'``), on this node. It is written every ``log_every_n_steps`` of the
    Trainer and at the end; ``docs/logging.md`` lists the names. Nothing is ever set, and no right is needed that other
    programs lack. Weights are those of a run without the callback, bit for bit; if power cannot be read, training runs
    unchanged, with one warning. In a job of several processes the first one on each node monitors that node.

    Args:
        device: None for what this runs on; ``"simulated:orin-agx-64gb"`` for a simulated board that trains this very
            model, ``"simulated:orin-agx-64gb:resnet18"`` for one that trains a given workload; or a device of your own,
            such as the one that a :class:`PowerTrainCallback` in the same Trainer tunes.
        verbose: Print one line when training ends.
        price_per_kwh: Price of a kilowatt-hour, in whatever currency; None to leave prices out.
        carbon_per_kwh: Grams of CO2 that a kilowatt-hour emits; None to leave emissions out.

    Raises:
        ArgumentError: If an argument is not valid.

    Example::

        trainer = pl.Trainer(max_epochs=3, callbacks=[PowerMonitor()])
        trainer.fit(model, data)

    """

    def __init__(
        self,
        device: str | PowerSource | None = None,
        *,
        verbose: bool = True,
        price_per_kwh: float | None = None,
        carbon_per_kwh: float | None = None,
    ) -> None:
        self._rates = EnergyRates(price_per_kwh, carbon_per_kwh)
        self._simulates_this_model = isinstance(device, str) and parse_simulated(device)[1] is None
        self._device = device
        self._verbose = verbose
        self._trainer: pl.Trainer | None = None
        self._source: PowerSource | None = None
        self._power: PowerLog | None = None
        self._probe: ModelProbe | None = None
        self._summary: PowerSummary | None = None
        self._guard = ExceptionGuard(self._finish)

    @property
    def summary(self) -> PowerSummary | None:
        """Energy, time and samples of the job, as of the last time they were logged; None before it began."""
        return self._power.summary if self._power else self._summary

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        elsewhere = self._trainer not in (None, trainer) and is_running(self._trainer)
        if trainer.local_rank == 0 and not elsewhere:
            self._stop()
            self._trainer, self._summary = trainer, None
            self._guard.begin(trainer)
            self._softly(lambda: self._begin(trainer, pl_module))

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._probe is not None and trainer is self._trainer:
            self._softly(self._probe.start)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if self._power is not None and trainer is self._trainer:
            self._softly(lambda: self._minibatch_ended(trainer, batch, batch_idx))

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._finish(trainer)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._finish(trainer)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self._finish(trainer)

    def _begin(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        source = self._open(trainer)
        if self._simulates_this_model:
            self._probe = ModelProbe(pl_module)
        everybody = trainer.callbacks  # type: ignore[union-attr]  # not declared by Lightning
        shared = any(isinstance(callback, PowerTrainCallback) for callback in everybody)
        writer = LoggerWriter(lambda: trainer.loggers, lambda: logging_step(trainer), about="the power")
        self._power = PowerLog(source, writer, self._rates, shared=shared)

    def _open(self, trainer: pl.Trainer) -> PowerSource:
        if self._device is not None and not isinstance(self._device, str):
            return self._device
        self._source = find_power_source(_gpus(trainer)) if self._device is None else open_device(self._device)
        return self._source

    def _minibatch_ended(self, trainer: pl.Trainer, batch: Any, batch_idx: int) -> None:
        assert self._power is not None
        if self._probe is not None:
            # The first minibatch has shown the simulated board what this model asks of it.
            assert isinstance(self._source, SimulatedDevice)
            self._source.workload = self._probe.finish(*loader_workers(trainer))
            self._probe = None
        self._power.minibatch_ended(_samples(batch) * trainer.num_devices)
        every = trainer.log_every_n_steps  # type: ignore[union-attr]  # not declared by Lightning
        stepped = trainer.is_last_batch or (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if every and stepped and (logging_step(trainer) + 1) % every == 0:
            self._power.write()

    def _finish(self, trainer: pl.Trainer) -> None:
        if trainer is not self._trainer:
            return
        if self._power is not None:
            self._softly(self._power.write)
        summary = self.summary
        self._stop()
        if self._verbose and summary is not None:
            self._softly(lambda: print_line(f"Energy of this job: {summary}"))

    def _softly(self, act: Callable[[], None]) -> None:
        """Training is sacred: whatever goes wrong ends the monitoring, with one warning."""
        try:
            act()
        except Exception as error:
            self._stop()
            reason = error if isinstance(error, PowerTrainError) else repr(error)
            off_board = isinstance(error, DeviceNotFoundError)  # So it is for each Trainer of this program.
            what = "training continues unchanged, but its power is not monitored: %s"
            warn(what, reason, see="logging.md#powermonitor", once=off_board)

    def _stop(self) -> None:
        """Close everything but a device that the caller passed in."""
        power, probe, source, self._summary = self._power, self._probe, self._source, self.summary
        trainer, self._trainer = self._trainer, None
        self._power = self._probe = self._source = None
        try:
            with ExitStack() as ending:
                if trainer is not None:
                    ending.callback(self._guard.end, trainer)
                if source is not None:
                    ending.callback(source.close)
                if power is not None:
                    ending.callback(power.stop)
                if probe is not None:
                    ending.callback(probe.stop)
        except Exception as error:
            warn("the power sensors could not be closed: %r", error, see="logging.md#powermonitor")


def _gpus(trainer: pl.Trainer) -> list[str]:
    """UUIDs of the NVIDIA GPUs that the Trainer uses on this node. CUDA numbers GPUs differently than NVML does."""
    if trainer.strategy.root_device.type != "cuda":
        return []
    devices = [torch.cuda.get_device_properties(index) for index in trainer.device_ids]
    if not all(hasattr(device, "uuid") for device in devices):
        raise DeviceError(f"torch {torch.__version__} does not report which GPUs it uses: update torch to 2.5 or later")
    return [f"GPU-{device.uuid}" for device in devices]


def _samples(batch: object) -> int:
    """Samples in a minibatch: the size of the first tensor in it; 0 if it holds none."""
    if isinstance(batch, torch.Tensor):
        return len(batch) if batch.dim() else 1
    if isinstance(batch, (Mapping, list, tuple)):
        parts = batch.values() if isinstance(batch, Mapping) else batch
        return next(filter(None, map(_samples, parts)), 0)
    return 0
