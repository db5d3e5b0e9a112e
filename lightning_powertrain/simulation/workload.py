"""What one minibatch asks of a board."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from functools import lru_cache

from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.simulation import _toml
from lightning_powertrain.simulation.network import KernelGroup, load_network


@dataclass(frozen=True)
class Workload:
    """What one minibatch asks of a board, whatever the power mode.

    Args:
        name: Identifier, such as ``resnet18``.
        groups: Kernel groups in the order in which the host launches them.
        minibatch_size: Samples in a minibatch.
        host_mcycles: CPU cycles of the main thread per minibatch beside the launches, in millions: the loop itself,
            collecting a minibatch from its workers, starting the copy to the GPU.
        loader_mcycles: CPU cycles that the data loader spends on a minibatch, in millions.
        loader_mb: DRAM traffic that the data loader causes per minibatch, in megabytes.
        num_workers: Worker processes of the data loader; with none, the main thread loads.
        prefetch_factor: Minibatches that each worker may have ready.

    Raises:
        ArgumentError: If there is no kernel group, or a quantity is negative or not finite.
    """

    name: str
    groups: tuple[KernelGroup, ...]
    minibatch_size: int = 16
    host_mcycles: float = 2.0
    loader_mcycles: float = 0.0
    loader_mb: float = 0.0
    num_workers: int = 4
    prefetch_factor: int = 2

    def __post_init__(self) -> None:
        if not self.groups:
            raise ArgumentError.of("groups", self.groups, "at least one kernel group")
        for quantity in fields(self)[2:]:
            value = getattr(self, quantity.name)
            if not (math.isfinite(value) and value >= 0):
                raise ArgumentError.of(quantity.name, value, "a finite number that is not negative")

    @property
    def prefetched(self) -> int:
        """Minibatches that the data loader holds ready when it keeps up."""
        return self.num_workers * self.prefetch_factor


def workload_names() -> tuple[str, ...]:
    """Names of the workloads that :func:`load_workload` knows, sorted.

    >>> workload_names()
    ('bert-base', 'lstm', 'mobilenetv3', 'mobilenetv3-imagenet', 'resnet18', 'resnet18-gld23k', 'yolov8n')
    """
    return _toml.names_in("workloads")


@lru_cache(maxsize=None)
def load_workload(name: str) -> Workload:
    """The training workload called ``name``: a network and a data set.

    Raises:
        ArgumentError: If there is no such workload.
    """
    table = _toml.read("workloads", name, "workload")
    size = table["minibatch_size"]
    groups = load_network(table["network"]).training(size, table.get("work", 1.0))
    return Workload(
        name=name,
        groups=groups,
        minibatch_size=size,
        loader_mcycles=size * table["loader_mcycles_per_sample"],
        loader_mb=size * table["loader_mb_per_sample"],
        num_workers=table["num_workers"],
        prefetch_factor=table["prefetch_factor"],
    )


def inference(network: str, minibatch_size: int) -> Workload:
    """Inference of a network on data that lies ready, as in the published measurements.

    Raises:
        ArgumentError: If there is no such network.
    """
    groups = load_network(network).inference(minibatch_size)
    return Workload(f"{network}-inference-{minibatch_size}", groups, minibatch_size, host_mcycles=0.3, num_workers=0)
