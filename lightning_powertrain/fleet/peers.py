"""How the processes of one job talk to each other."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Protocol

import torch.distributed as dist

from lightning_powertrain.errors import PowerTrainError
from lightning_powertrain.warning import swallowed

# As long as torch waits for other processes over NCCL: when these give up, so may we.
_MOST_WAIT = timedelta(minutes=10)


class Peers(Protocol):
    """The processes of a job; each has one of these.

    Attributes:
        rank: Which of them this one is, from 0.
    """

    @property
    def rank(self) -> int: ...

    def gather(self, mine: Any) -> list[Any]:
        """Give ``mine`` to all, and return what each gave, in order of rank. Returns once every process has called it.

        Raises:
            Exception: If a process is gone.
        """
        ...

    def close(self) -> None:
        """Talk no more."""
        ...


class TorchPeers:
    """The processes of ``torch.distributed``, which must have been initialised. All of them have to make one together.

    They talk over Gloo, beside whatever the job itself talks over: with NCCL each word would wait for the accelerator.

    Raises:
        PowerTrainError: If the job uses something else than ``torch.distributed``.
    """

    def __init__(self) -> None:
        if not (dist.is_available() and dist.is_initialized()):
            raise PowerTrainError("the processes of this job do not talk over torch.distributed")
        self._group: Any = dist.group.WORLD
        if dist.is_gloo_available():
            self._group = dist.new_group(backend="gloo", timeout=_MOST_WAIT)

    @property
    def rank(self) -> int:
        return dist.get_rank()

    def gather(self, mine: Any) -> list[Any]:
        everyone: list[Any] = [None] * dist.get_world_size()
        dist.all_gather_object(everyone, mine, group=self._group)
        return everyone

    def close(self) -> None:
        group, self._group = self._group, None
        if group not in (None, dist.group.WORLD):
            with swallowed("closing the process group of this job"):  # The job may have ended all groups itself.
                dist.destroy_process_group(group)
