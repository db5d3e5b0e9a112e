"""What a network asks of a GPU and of the host that feeds it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from lightning_powertrain.simulation import _toml

_BACKWARD_WORK = 2.0
"""FLOP and bytes of a backward pass, in forward passes: gradients of activations, then of weights."""

_BACKWARD_HOST_SHARE = 0.4
"""Host cycles of a launch in the backward pass, in those of one in the forward pass: autograd runs without Python."""

_OPTIMIZER_PASSES = 5
"""Times that an optimizer step reads or writes each parameter-sized array."""


@dataclass(frozen=True)
class KernelGroup:
    """GPU kernels of one character, launched one after another.

    Args:
        name: What they compute.
        gflop: Floating-point work, in GFLOP.
        dram_mb: DRAM traffic, in megabytes.
        launches: Number of kernels.
        efficiency: Share of the GPU's peak that they reach when given enough work.
        host_mcycles: CPU cycles that the main thread needs to launch them, in millions.
    """

    name: str
    gflop: float
    dram_mb: float
    launches: int
    efficiency: float
    host_mcycles: float


@dataclass(frozen=True)
class Layers:
    """A stretch of a network: its forward pass per sample, and its parameters.

    Args:
        name: What it is called.
        gflop: Floating-point work per sample, in GFLOP.
        activations_mb: DRAM traffic of activations per sample, in megabytes.
        parameters_mb: Size of the parameters, in megabytes.
        launches: Kernels per forward pass.
        efficiency: Share of the GPU's peak that they reach when given enough work.
        host_mcycles: CPU cycles to launch them once, in millions.
    """

    name: str
    gflop: float
    activations_mb: float
    parameters_mb: float
    launches: int
    efficiency: float
    host_mcycles: float

    def forward(self, samples: int) -> KernelGroup:
        """The kernels of one forward pass."""
        traffic_mb = self.activations_mb * samples + self.parameters_mb
        return KernelGroup(
            self.name, self.gflop * samples, traffic_mb, self.launches, self.efficiency, self.host_mcycles
        )


@dataclass(frozen=True)
class Network:
    """A network, as stretches of layers in forward order."""

    layers: tuple[Layers, ...]

    def inference(self, samples: int) -> tuple[KernelGroup, ...]:
        """Kernel groups of one forward pass."""
        return tuple(layers.forward(samples) for layers in self.layers)

    def training(self, samples: int, work: float = 1.0) -> tuple[KernelGroup, ...]:
        """Kernel groups of forward pass, backward pass and optimizer step: about three times the forward work.

        Args:
            samples: Samples in a minibatch.
            work: FLOP and bytes relative to this network in FP32; below one for mixed precision or smaller inputs.
        """
        forward = [
            replace(group, gflop=group.gflop * work, dram_mb=group.dram_mb * work) for group in self.inference(samples)
        ]
        parameters_mb = sum(layers.parameters_mb for layers in self.layers)
        return (*forward, *(backward(group) for group in reversed(forward)), optimizer_step(parameters_mb))


def backward(group: KernelGroup) -> KernelGroup:
    """The backward pass of some forward kernels."""
    return replace(
        group,
        name=f"{group.name} backward",
        gflop=_BACKWARD_WORK * group.gflop,
        dram_mb=_BACKWARD_WORK * group.dram_mb,
        launches=round(_BACKWARD_WORK * group.launches),
        host_mcycles=_BACKWARD_WORK * _BACKWARD_HOST_SHARE * group.host_mcycles,
    )


def optimizer_step(parameters_mb: float) -> KernelGroup:
    """The update of all parameters by fused kernels: hardly any work, five passes over memory."""
    return KernelGroup("optimizer", parameters_mb / 1e3, _OPTIMIZER_PASSES * parameters_mb, 12, 0.2, 3.0)


@lru_cache(maxsize=None)
def load_network(name: str) -> Network:
    """The network called ``name``.

    Raises:
        ArgumentError: If there is no such network.
    """
    table = _toml.read("networks", name, "network")
    return Network(
        tuple(
            Layers(host_mcycles=layers["launches"] * table["host_kcycles_per_launch"] / 1e3, **layers)
            for layers in table["layers"]
        )
    )
