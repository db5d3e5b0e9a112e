"""All-gather between the processes of a job."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Protocol

import torch.distributed as dist

from lightning_powertrain.errors import PowerTrainError
from lightning_powertrain.logs import swallowed

# The default of torch for NCCL: a job on GPUs does not wait longer for a lost process either.
_TIMEOUT = timedelta(minutes=10)


class Communicator(Protocol):
    """Connects the processes of a job; each process has one.

    Attributes:
        rank: The rank of this process, from 0.
    """

    @property
    def rank(self) -> int: ...

    def all_gather(self, value: Any) -> list[Any]:
        """Send ``value`` to all processes and return the values of all, in order of rank.

        The call blocks until every process has made it.

        Raises:
            Exception: If a process has ended.
        """
        ...

    def close(self) -> None:
        """Release the connections."""
        ...


class TorchCommunicator:
    """Connects processes with ``torch.distributed``, which must be initialized. All of them must create one together.

    It uses a Gloo group of its own. Over NCCL each message would wait for the work that the accelerator has queued.

    Raises:
        PowerTrainError: If the job does not use ``torch.distributed``.
    """

    def __init__(self) -> None:
        if not (dist.is_available() and dist.is_initialized()):
            raise PowerTrainError(
                'tuning several boards needs torch.distributed, which this job does not use; set strategy="ddp"'
            )
        self._group: Any = dist.group.WORLD
        if dist.is_gloo_available():
            self._group = dist.new_group(backend="gloo", timeout=_TIMEOUT)

    @property
    def rank(self) -> int:
        return dist.get_rank()

    def all_gather(self, value: Any) -> list[Any]:
        values: list[Any] = [None] * dist.get_world_size()
        dist.all_gather_object(values, value, group=self._group)
        return values

    def close(self) -> None:
        group, self._group = self._group, None
        if group not in (None, dist.group.WORLD):
            with swallowed("closing the process group"):  # The job may have destroyed all groups itself.
                dist.destroy_process_group(group)
