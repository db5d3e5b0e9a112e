"""What a Trainer tells about its job."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from torch.utils.data import DataLoader

from lightning_powertrain.callbacks import _lightning as pl


def minibatches_left(trainer: pl.Trainer) -> int | None:
    """Minibatches from here to the end of training; None if the Trainer does not know."""
    limits: list[float] = []
    if trainer.max_epochs not in (None, -1):
        limits.append(trainer.num_training_batches * (trainer.max_epochs - trainer.current_epoch))
    if trainer.max_steps != -1:
        limits.append((trainer.max_steps - trainer.global_step) * trainer.accumulate_grad_batches)
    left = min(limits, default=math.inf)
    return None if math.isinf(left) else int(left)


def loader_workers(trainer: pl.Trainer) -> tuple[int, int]:
    """Workers of the training data loader, and minibatches that each keeps ready; of several loaders the busiest."""
    workers = [(loader.num_workers, loader.prefetch_factor or 0) for loader in _loaders(trainer)]
    return max(workers, key=lambda each: each[0] * each[1], default=(0, 0))


def _loaders(trainer: pl.Trainer) -> Iterator[DataLoader[Any]]:
    def walk(data: object) -> Iterator[DataLoader[Any]]:
        if isinstance(data, DataLoader):
            yield data
        elif isinstance(data, Mapping):
            yield from walk(list(data.values()))
        elif isinstance(data, (list, tuple)):
            for part in data:
                yield from walk(part)

    return walk(trainer.train_dataloader)


def logging_step(trainer: pl.Trainer) -> int:
    """The x-axis of all that Lightning itself logs, which its own callbacks take from here too."""
    return int(trainer.fit_loop.epoch_loop._batches_that_stepped)
