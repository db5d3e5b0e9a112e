"""The time of a plain minibatch, in every kind of job: within one percent of the true one."""

from __future__ import annotations

from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from jobs import LIGHTNING_WARNINGS
from pytorch_lightning.callbacks import GradientAccumulationScheduler
from pytorch_lightning.utilities import CombinedLoader
from timed import BATCH, LOAD, OPTIMIZE, STEP, Job, Timed, TimedDevice, errors_of, loading, tuned
from torch import Tensor

pytestmark = [
    *LIGHTNING_WARNINGS,
    pytest.mark.usefixtures("short_windows"),
    pytest.mark.filterwarnings("ignore:`training_step` returned `None`"),
    pytest.mark.filterwarnings("ignore:.*`dataloader_iter`"),
]


class Manual(Timed):
    """Optimizes by hand, with as many optimizers as asked for."""

    optimizers_asked = 1

    def __init__(self, device: TimedDevice) -> None:
        super().__init__(device)
        self.automatic_optimization = False

    def training_step(self, batch: Any, batch_idx: int) -> None:
        optimizers = self.optimizers()
        for optimizer in optimizers if isinstance(optimizers, list) else [optimizers]:
            optimizer.zero_grad()
            self.manual_backward(self.network(batch[0]).mean())
            optimizer.step()
        self.board.work(STEP)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        self.board.work(OPTIMIZE / self.optimizers_asked)

    def configure_optimizers(self) -> Any:
        return [torch.optim.SGD(self.parameters(), lr=1e-3) for _ in range(self.optimizers_asked)]


class TwoOptimizers(Manual):
    optimizers_asked = 2


class SometimesNothing(Timed):
    """Has no loss for every third minibatch, after the same work."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor | None:
        loss = super().training_step(batch, batch_idx)
        return None if batch_idx % 3 == 2 else loss


class Skipping(Timed):
    """Leaves the rest of an epoch out; what it is busy with meanwhile is no minibatch."""

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> int | None:
        if batch_idx < 9:
            return None
        self.board.clock.advance(0.5)
        return -1


class TakesTheLoader(Timed):
    def training_step(self, dataloader_iter: Any) -> Tensor | None:  # type: ignore[override]
        batch, _, _ = next(dataloader_iter)
        return self.forward_pass(batch[0])


class TakesTwoAtOnce(Timed):
    """Every step is of two minibatches, so that ``batch_idx`` runs ahead of the steps."""

    def training_step(self, dataloader_iter: Any) -> Tensor | None:  # type: ignore[override]
        batches = [next(dataloader_iter)[0] for _ in range(2)]
        return self.forward_pass(torch.cat([batch[0] for batch in batches])[:BATCH])


class TwoLoaders(Timed):
    def training_step(self, batch: Any, batch_idx: int) -> Tensor | None:
        return self.forward_pass(batch["a"][0])


def two_loaders(mode: Any) -> Any:
    def data(device: TimedDevice) -> CombinedLoader:
        longer, shorter = (loading(device, each * BATCH, share=LOAD / 2) for each in (24, 10))
        return CombinedLoader({"a": longer, "b": shorter}, mode)

    return data


def short_last(device: TimedDevice) -> Any:
    return loading(device, 11 * BATCH + 2)


def unsized(device: TimedDevice) -> Any:
    """Lightning loads one minibatch ahead, so the last but one is a little short too, which nobody can know in time."""
    return loading(device, 39 * BATCH + 2, sized=False)


class Busy(pl.Callback):
    """A user's callback whose work after every minibatch belongs to the minibatch, by the contract."""

    def __init__(self, device: TimedDevice, share: float) -> None:
        self.board, self.share = device, share

    def on_train_batch_end(self, *details: Any) -> None:
        self.board.work(self.share)


class Lighter(Timed):
    def forward_pass(self, features: Tensor) -> Tensor:
        self.board.work(-0.2 * len(features) / self.batch_size)
        return super().forward_pass(features)


JOBS = {
    "plain": Job(),
    "one endless epoch": Job(data=lambda device: loading(device, 4000 * BATCH)),
    "short last minibatch": Job(data=short_last),
    "short last minibatch, accumulation": Job({"accumulate_grad_batches": 4}, data=short_last),
    "validation after every epoch": Job(),
    "validation in an epoch": Job({"val_check_interval": 5}),
    "validation across epochs": Job({"val_check_interval": 7, "check_val_every_n_epoch": None}),
    "validation in an accumulation cycle": Job({"val_check_interval": 6, "accumulate_grad_batches": 4}),
    "sanity check": Job({"num_sanity_val_steps": 2, "check_val_every_n_epoch": 1000}),
    "accumulation": Job({"accumulate_grad_batches": 4}),
    "accumulation that does not fit the epoch": Job({"accumulate_grad_batches": 5}),
    "accumulation that changes": Job(before=lambda device: [GradientAccumulationScheduler({0: 1, 3: 4, 6: 5, 12: 2})]),
    "manual optimization": Job(model=Manual),
    "two optimizers": Job(model=TwoOptimizers),
    "training_step returns None": Job(model=SometimesNothing),
    "rest of the epoch skipped": Job(model=Skipping),
    "rest of the epoch skipped in an accumulation cycle": Job({"accumulate_grad_batches": 4}, model=Skipping),
    "dataloader_iter": Job(model=TakesTheLoader, data=short_last),
    "dataloader_iter, two minibatches a step": Job(
        {"accumulate_grad_batches": 4}, model=TakesTwoAtOnce, data=lambda device: loading(device, 46 * BATCH, share=0.1)
    ),
    "iterable data": Job(data=unsized),
    "iterable data, limited": Job({"limit_train_batches": 8}, data=unsized),
    "two loaders, as long as the shorter": Job(model=TwoLoaders, data=two_loaders("min_size")),
    "two loaders, as long as the longer": Job(model=TwoLoaders, data=two_loaders("max_size_cycle")),
    "limited epochs": Job({"limit_train_batches": 9}),
    "share of an epoch": Job({"limit_train_batches": 0.5}),
    "overfit": Job({"overfit_batches": 5}),
    "barebones": Job({"barebones": True}),
    "reloaded data": Job({"reload_dataloaders_every_n_epochs": 1}),
    "busy callback before": Job(model=Lighter, before=lambda device: [Busy(device, 0.2)]),
    "busy callback after": Job(model=Lighter, after=lambda device: [Busy(device, 0.2)]),
}


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS.keys())
def test_time_is_that_of_a_plain_minibatch(board: TimedDevice, job: Job) -> None:
    assert max(map(abs, errors_of(tuned(job, board)))) < 0.01
