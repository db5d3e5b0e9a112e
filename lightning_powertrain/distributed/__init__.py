"""Several boards in one job: a coordinator tunes them all, and a worker drives each of the other boards.

The protocol between them is in :mod:`lightning_powertrain.distributed.messages`.
"""

from lightning_powertrain.distributed.communicator import Communicator, TorchCommunicator
from lightning_powertrain.distributed.coordinator import Coordinator
from lightning_powertrain.distributed.task_sequence import TuningTask
from lightning_powertrain.distributed.worker import Worker

__all__ = ["Communicator", "Coordinator", "TorchCommunicator", "TuningTask", "Worker"]
