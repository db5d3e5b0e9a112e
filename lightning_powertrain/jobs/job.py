"""What a framework knows of a training job."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn


class BaseJob(ABC):
    """A training job of a framework, from the start of training to its end.

    A callback creates one when training starts. Whatever a method raises disables tuning, and never training.

    Attributes:
        model: The model that is trained.
        world_size: Processes of the job.
        rank: Number of this process among them, from 0.
        local_rank: The same among those of this computer, whose first one drives the board.
    """

    model: nn.Module
    world_size: int = 1
    rank: int = 0
    local_rank: int = 0

    @abstractmethod
    def minibatches_left(self) -> int | None:
        """Minibatches from here to the end of training; None if nobody knows."""

    def seconds_left(self) -> float | None:
        """Seconds from here to the time limit of training; None without one."""
        return None

    @abstractmethod
    def loader_workers(self) -> tuple[int, int]:
        """Workers of the data loader, and minibatches that each keeps ready."""

    def worker_count(self) -> int | None:
        """Workers of the data loader, for advice; None if there is no loader that has any, such as a generator."""
        return self.loader_workers()[0]

    @abstractmethod
    def settings(self) -> Mapping[str, object]:
        """What the time and power of a minibatch depend on besides model, minibatch and data loader."""

    def folder(self) -> Path | None:
        """Where the files of a run go; None for nowhere. All processes of a job ask for it."""
        return None

    def loggers(self) -> Sequence[Any]:
        """What has ``log_metrics(metrics, step=...)`` and receives what is measured."""
        return ()

    @abstractmethod
    def step(self) -> int:
        """The step at which the loggers log."""

    def printer(self) -> Callable[[str], None] | None:
        """Prints a line above the progress bar of the framework; None if it has none."""
        return None
