"""What a Trainer knows of a training job."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning_powertrain.callbacks import _lightning as pl
from lightning_powertrain.callbacks.job import (
    loader_workers,
    logging_step,
    minibatches_left,
    seconds_left,
    worker_count,
)
from lightning_powertrain.jobs import BaseJob


class LightningJob(BaseJob):
    """A fit of a Trainer.

    Args:
        trainer: The Trainer.
        pl_module: The model.
    """

    def __init__(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._trainer = trainer
        self.model = pl_module
        self.world_size, self.rank, self.local_rank = trainer.world_size, trainer.global_rank, trainer.local_rank

    def minibatches_left(self) -> int | None:
        return minibatches_left(self._trainer)

    def seconds_left(self) -> float | None:
        return seconds_left(self._trainer)

    def loader_workers(self) -> tuple[int, int]:
        return loader_workers(self._trainer)

    def worker_count(self) -> int | None:
        return worker_count(self._trainer)

    def settings(self) -> Mapping[str, object]:
        trainer = self._trainer
        return {
            "precision": [trainer.precision, type(trainer.precision_plugin).__name__],
            "accumulate_grad_batches": trainer.accumulate_grad_batches,
            "gradient_clip": [trainer.gradient_clip_val, trainer.gradient_clip_algorithm],
            "optimizers": [type(optimizer).__qualname__ for optimizer in trainer.optimizers],
            "device": trainer.strategy.root_device.type,
        }

    def folder(self) -> Path | None:
        folder = self._trainer.log_dir if self._trainer.loggers else None
        return None if folder is None else Path(folder)

    def loggers(self) -> Sequence[Any]:
        return self._trainer.loggers

    def step(self) -> int:
        return logging_step(self._trainer)

    def printer(self) -> Callable[[str], None] | None:
        bar = self._trainer.progress_bar_callback
        return bar.print if bar is not None and getattr(bar, "is_enabled", True) else None
