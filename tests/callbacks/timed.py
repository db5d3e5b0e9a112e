"""Jobs in which the true time of a plain minibatch is known, because the job itself moves the clock of the board."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytorch_lightning as pl
import torch
from fakes import FakeDevice, true_time_ms
from jobs import Model, locked, powertrain, trainer
from lightning_fabric.plugins import TorchCheckpointIO
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, TensorDataset, default_collate

from lightning_powertrain import PowerTrainCallback

BATCH = 8

# What a plain minibatch consists of, as shares of its time.
LOAD, STEP, OPTIMIZE = 0.2, 0.2, 0.6

# Long enough for one of these in a window to show.
VALIDATION_S, CHECKPOINT_S, EPOCH_EDGE_S = 2.0, 3.0, 1.0


class TimedDevice(FakeDevice):
    """The tiny board, whose clock only moves while the job works: a plain minibatch takes ``true_time_ms``."""

    settle_s = 0.2

    def work(self, share: float) -> None:
        """Let the time of a part of a minibatch pass, in the mode that is set."""
        self.clock.advance(share * float(true_time_ms(self.modes.rows([self.mode]))[0]) / 1e3)

    def minibatch_ended(self) -> None:
        self.minibatches += 1


class Timed(Model):
    """Takes its time for every part of the work; an optimizer step costs what the minibatches it stands for are due."""

    def __init__(self, device: TimedDevice) -> None:
        super().__init__()
        self.board = device
        self.batch_size = BATCH
        self.lr = 1e-2

    def forward_pass(self, features: Tensor) -> Tensor:
        self.board.work(STEP * len(features) / self.batch_size)
        loss: Tensor = self.network(features).square().mean()
        return loss

    def training_step(self, batch: Any, batch_idx: int) -> Tensor | None:
        return self.forward_pass(batch[0])

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        in_cycle = self.trainer.fit_loop.batch_idx % self.trainer.accumulate_grad_batches + 1
        self.board.work(OPTIMIZE * in_cycle)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.board.clock.advance(VALIDATION_S)

    def on_train_epoch_start(self) -> None:
        self.board.clock.advance(EPOCH_EDGE_S)

    def on_train_epoch_end(self) -> None:
        self.board.clock.advance(EPOCH_EDGE_S)


class SlowDisk(TorchCheckpointIO):
    """Every checkpoint comes through here, whoever saves it and whatever is in it."""

    def __init__(self, device: TimedDevice) -> None:
        self.board = device

    def save_checkpoint(self, *args: Any, **kwargs: Any) -> None:
        self.board.clock.advance(CHECKPOINT_S)
        super().save_checkpoint(*args, **kwargs)


class Unsized(IterableDataset[Any]):
    """Samples whose number nobody knows."""

    def __init__(self, samples: int) -> None:
        self.samples = samples

    def __iter__(self) -> Iterator[Any]:
        return iter([(row, row.sum()) for row in torch.ones(self.samples, 8)])


def loading(device: TimedDevice, samples: int, *, share: float = LOAD, sized: bool = True, **options: Any) -> Any:
    """A loader of minibatches of ``BATCH`` that takes its time for every sample."""

    def collate(rows: list[Any]) -> Any:
        device.work(share * len(rows) / options.get("batch_size", BATCH))
        return default_collate(rows)

    features = torch.ones(samples, 8)
    dataset = TensorDataset(features, features.sum(dim=1)) if sized else Unsized(samples)
    return DataLoader(dataset, **{"batch_size": BATCH, "collate_fn": collate, **options})


class Until(pl.Callback):
    """Ends a job once it has been tuned."""

    def __init__(self, callback: PowerTrainCallback) -> None:
        self.callback = callback
        self.seen = 0

    def on_train_batch_end(self, job: pl.Trainer, *details: Any) -> None:
        self.seen += 1
        assert self.seen < 10_000, "tuning does not come to an end"
        job.should_stop = locked(self.callback)


@dataclass
class Job:
    """One kind of job, as a test states it.

    Args:
        options: Of the Trainer.
        model: Makes the model.
        data: Makes what trains it: by default epochs of 24 full minibatches.
        before: Makes the callbacks that stand before ours.
        after: Makes those that stand after it.
        prepare: Runs with the Trainer, the model and the data before the job.
    """

    options: dict[str, Any] = field(default_factory=dict)
    model: Callable[[TimedDevice], Timed] = Timed
    data: Callable[[TimedDevice], Any] = lambda device: loading(device, 24 * BATCH)
    before: Callable[[TimedDevice], list[pl.Callback]] = lambda device: []
    after: Callable[[TimedDevice], list[pl.Callback]] = lambda device: []
    prepare: Callable[[pl.Trainer, Timed, Any], None] = lambda job, model, data: None


def callback_for(device: TimedDevice, **options: Any) -> PowerTrainCallback:
    return powertrain(device, budget="12 W", max_modes=3, **options)


def trainer_of(job: Job, device: TimedDevice, callback: PowerTrainCallback) -> pl.Trainer:
    around = [*job.before(device), callback, *job.after(device), Until(callback)]
    return trainer(*around, **{"max_epochs": -1, "plugins": SlowDisk(device), **job.options})


def tuned(job: Job, device: TimedDevice, **fit: Any) -> PowerTrainCallback:
    """The callback after the job has run until a mode was locked."""
    callback = callback_for(device)
    running, model, data = trainer_of(job, device, callback), job.model(device), job.data(device)
    job.prepare(running, model, data)
    running.fit(model, data, loading(device, BATCH, share=0.0), **fit)
    return callback


def errors_of(callback: PowerTrainCallback) -> list[float]:
    """By how much each measured time is off, as a share of the true one."""
    assert locked(callback)
    assert callback.profile is not None
    assert len(callback.profile) >= 1 + 3
    true_ms = true_time_ms(callback.profile.modes)
    return [float(error) for error in callback.profile.time_ms / true_ms - 1]
