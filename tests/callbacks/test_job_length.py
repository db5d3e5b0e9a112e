"""How many minibatches a job has left, compared with how many then really come."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from jobs import LIGHTNING_WARNINGS, Model, StopWhen, data, trainer
from pytorch_lightning import callbacks
from pytorch_lightning.callbacks import BatchSizeFinder, GradientAccumulationScheduler, LearningRateFinder
from timed import BATCH, Timed, TimedDevice, callback_for, loading
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from lightning_powertrain.callbacks.job import minibatches_left, seconds_left

pytestmark = [
    *LIGHTNING_WARNINGS,
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended"),
    pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no `val_dataloader`"),
]

EPOCH = 10


class Counts(pl.Callback):
    """Asks at the start of training, and counts to its end."""

    def __init__(self) -> None:
        self.expected: int | None = -1
        self.came = 0

    def on_train_start(self, job: pl.Trainer, *details: Any) -> None:
        self.expected, self.came = minibatches_left(job), 0

    def on_train_batch_end(self, *details: Any) -> None:
        self.came += 1


class Saves(pl.Callback):
    """Saves a checkpoint at one moment of the second epoch."""

    def __init__(self, path: Path, moment: str) -> None:
        self.path, self.moment = path, moment

    def save_if(self, job: pl.Trainer, moment: str) -> None:
        if job.current_epoch == 1 and moment == self.moment:
            job.save_checkpoint(self.path)

    def on_train_batch_end(self, job: pl.Trainer, *details: Any) -> None:
        self.save_if(job, f"minibatch {details[-1]}")

    def on_validation_end(self, job: pl.Trainer, *details: Any) -> None:
        self.save_if(job, "validation")

    def on_train_epoch_end(self, job: pl.Trainer, *details: Any) -> None:
        self.save_if(job, "epoch")


class Validated(Model):
    batch_size = 4
    lr = 1e-3

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        pass


class Manual(Model):
    """Two optimizers, each of which steps after every minibatch."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        for optimizer in self.optimizers():
            optimizer.zero_grad()
            self.manual_backward(self.network(batch[0]).mean())
            optimizer.step()

    def configure_optimizers(self) -> Any:
        return [torch.optim.SGD(self.parameters(), lr=1e-3) for _ in range(2)]


class Unsized(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return iter([(torch.zeros(8), torch.zeros(1))] * (4 * EPOCH))


def counted(model: pl.LightningModule, loader: Any, *callbacks: pl.Callback, **options: Any) -> Counts:
    counts = Counts()
    trainer(*callbacks, counts, **options).fit(model, loader)
    return counts


@pytest.mark.parametrize(
    "options",
    [
        {"max_epochs": 3},
        {"max_epochs": 3, "accumulate_grad_batches": 4},
        {"max_epochs": 3, "limit_train_batches": 4},
        {"max_epochs": 3, "limit_train_batches": 0.5},
        {"max_epochs": 3, "overfit_batches": 2},
        {"max_epochs": -1, "max_steps": 25},
        {"max_epochs": 2, "max_steps": 25},
        {"max_epochs": -1, "max_steps": 7, "accumulate_grad_batches": 4},
        {"max_epochs": -1, "max_steps": 6, "accumulate_grad_batches": 4},
        {"max_epochs": -1, "max_steps": 2, "accumulate_grad_batches": 4},
        {"max_epochs": -1, "max_steps": 3, "accumulate_grad_batches": 100},
    ],
    ids=str,
)
def test_length_of_a_job(options: dict[str, Any]) -> None:
    counts = counted(Model(), data(EPOCH, shuffle=False), **options)
    assert counts.expected == counts.came > 0


@pytest.mark.parametrize("scheduling", [{0: 4}, {0: 1, 1: 4}, {0: 8, 2: 3, 4: 1}, {3: 5}], ids=str)
@pytest.mark.parametrize("steps", [1, 4, 11, 40])
def test_length_with_an_accumulation_scheduler(scheduling: dict[int, int], steps: int) -> None:
    scheduler = GradientAccumulationScheduler(scheduling)
    counts = counted(Model(), data(EPOCH), scheduler, max_epochs=-1, max_steps=steps)
    assert counts.expected == counts.came > 0


def test_length_with_two_optimizers() -> None:
    counts = counted(Manual(), data(EPOCH), max_epochs=-1, max_steps=30)
    assert counts.expected == counts.came == 15


def test_length_of_data_that_has_none() -> None:
    assert counted(Model(), DataLoader(Unsized(), batch_size=4), max_epochs=2).expected is None
    counts = counted(Model(), DataLoader(Unsized(), batch_size=4), max_epochs=-1, max_steps=25)
    assert counts.expected == counts.came == 25
    counts = counted(Model(), DataLoader(Unsized(), batch_size=4), max_epochs=2, limit_train_batches=6)
    assert counts.expected == counts.came == 12


@pytest.mark.parametrize("moment", ["minibatch 2", "minibatch 9", "validation", "epoch"])
@pytest.mark.parametrize(
    "options",
    [
        {"max_epochs": 4},
        {"max_epochs": 4, "max_steps": 1000},
        {"max_epochs": -1, "max_steps": 35},
        {"max_epochs": -1, "max_steps": 10, "accumulate_grad_batches": 4},
    ],
    ids=str,
)
def test_length_of_what_is_left_of_a_resumed_job(tmp_path: Path, moment: str, options: dict[str, Any]) -> None:
    path = tmp_path / "some.ckpt"
    validation = data(1, shuffle=False)
    trainer(Saves(path, moment), **options).fit(Validated(), data(EPOCH), validation)
    counts = Counts()
    trainer(counts, **options).fit(Validated(), data(EPOCH), validation, ckpt_path=path)
    assert counts.expected == counts.came > 0


def test_length_of_a_second_fit() -> None:
    counts, model = Counts(), Model()
    job = trainer(counts, max_epochs=2)
    job.fit(model, data(EPOCH))
    job.fit_loop.max_epochs = 5
    job.fit(model, data(EPOCH))
    assert counts.expected == counts.came == 30


@pytest.mark.parametrize(
    "finder", [BatchSizeFinder(steps_per_trial=1, max_trials=1), LearningRateFinder(num_training_steps=5)]
)
def test_length_after_a_finder(tmp_path: Path, finder: pl.Callback) -> None:
    class Data(pl.LightningDataModule):
        batch_size = 2

        def train_dataloader(self) -> Any:
            return DataLoader(data(EPOCH).dataset, batch_size=self.batch_size)

        val_dataloader = train_dataloader

    counts = counted(Validated(), Data(), finder, max_epochs=3, default_root_dir=tmp_path)
    assert counts.expected == counts.came > 0


def test_a_callback_of_the_users_may_be_called_timer() -> None:
    """Only Lightning's own, of either package, has a time limit."""

    class Timer(pl.Callback):
        pass

    class Mine(callbacks.Timer):
        pass

    job = trainer(Timer(), max_epochs=1, max_time={"seconds": 20})
    assert seconds_left(job) == 20
    assert seconds_left(trainer(Timer(), max_epochs=1)) is None
    assert seconds_left(trainer(Timer(), Mine(duration={"seconds": 30}), max_epochs=1)) == 30


def test_time_limit_counts_as_the_length(board: TimedDevice, caplog: pytest.LogCaptureFixture) -> None:
    """On a real board, whose clock is that of the time limit: three modes take 4 s, a tenth of the job is 2 s."""
    board.simulated = False
    callback = callback_for(board, max_share=0.1)
    seen: list[int] = []

    def is_enough() -> bool:
        seen.append(1)
        return len(seen) == 200

    job = trainer(callback, StopWhen(is_enough), max_epochs=-1, max_time={"seconds": 20})
    job.fit(Timed(board), loading(board, 1000 * BATCH), loading(board, BATCH))
    assert "too short to tune" in caplog.text
