"""A small physical model of board power: a positive sum of what domains draw at rest and under activity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import NamedTuple

import numpy as np

from lightning_powertrain.boards import IntArray
from lightning_powertrain.prediction.knob_layout import FloatArray, KnobLayout
from lightning_powertrain.prediction.map_fit import Curve, Prior
from lightning_powertrain.prediction.time_model import Activity

# Coefficient at the highest clocks, relative to each other, and spread of its logarithm.
_BOARD = ((0.15, 0.6),)
_CLUSTER = ((0.04, 0.8), (0.08, 0.8), (0.08, 0.9), (0.12, 0.9))
_GPU = ((0.12, 0.8), (0.25, 0.9), (0.15, 0.9))
_MEMORY = ((0.05, 0.8), (0.06, 0.9))
# Mean and spread of the shape of a domain's dynamic power over its clock: the knee, as a logit of the share of the
# highest clock; the logarithm of the exponent beyond it; the logarithm of what the steep part is to the even one.
_SHAPE = ((-0.4, 0.8), (log(1.6), 0.35), (0.0, 0.6))
_EXPONENT_OF_OTHER = (0.0, 0.5)
_TYPICAL_WORKERS = 4.0
_LEAST_ABOVE = 1e-9


class Domains(NamedTuple):
    """What each domain draws, in watts, shape ``(..., n)``."""

    board: FloatArray
    cpu: FloatArray
    gpu: FloatArray
    memory: FloatArray


@dataclass(frozen=True)
class PowerModel:
    """Power of a board that is busy in a known way.

    Power is a sum of terms with positive coefficients: a constant; online cores, alone and times ``f(c)``; the main
    thread and the workers times ``f(c)``; the GPU's clock tree, the GPU while it runs kernels, and its computing, times
    ``f(g)``; the memory clock, and memory traffic.

    Dynamic power is ``C V^2 f``, and a voltage stands still up to some clock and rises steeply beyond. So ``f(x)``
    grows with the clock up to a knee, and with a learned power of the distance from the knee in addition beyond it.
    All terms of a domain have its voltage in common: there is one such shape for the CPU and one for the GPU.

    Args:
        layout: What the columns of modes act on.
    """

    layout: KnobLayout

    @property
    def prior(self) -> Prior:
        """Prior of the parameters without a reference."""
        terms = [(log(coefficient), spread) for coefficient, spread in self._coefficients]
        shapes = (*_SHAPE, *_SHAPE, *[_EXPONENT_OF_OTHER] * len(self.layout.columns("other")))
        means, spreads = zip(*terms, *shapes)
        return Prior(np.array(means), np.array(spreads), np.arange(len(means)) < len(terms))

    @property
    def _coefficients(self) -> tuple[tuple[float, float], ...]:
        return (*_BOARD, *_CLUSTER * len(self.layout.clusters), *_GPU, *_MEMORY)

    def curve(self, modes: IntArray, activity: Activity) -> Curve:
        """Logarithm of the power in ``modes`` as a function of the parameters, for one activity or for several."""
        others, domains = self.layout.log_others(modes), self.domains(modes, activity)
        return lambda parameters: self.log_total(parameters, domains(parameters), others)

    def log_total(self, parameters: FloatArray, domains: Domains, others: FloatArray) -> FloatArray:
        """Logarithm of the power of all domains; ``others`` are the logarithms of the knobs of role ``other``."""
        exponents = parameters[..., len(self._coefficients) + 2 * len(_SHAPE) :]
        return np.asarray(np.log(sum(domains)) + exponents @ others, dtype=np.float64)

    def domains(self, modes: IntArray, activity: Activity) -> Callable[[FloatArray], Domains]:
        """What each domain draws in ``modes``, as a function of the parameters."""
        layout, count = self.layout, len(self._coefficients)
        clocks = [layout.relative(modes, clock) for _, clock in layout.clusters]
        gpu_clock = layout.relative_to_role(modes, "gpu")
        rest, of_cpu, of_gpu = self._factors(modes, activity)
        present = 1 + len(layout.clusters)
        ends = np.cumsum([1, len(layout.clusters), len(rest) - present, *map(len, of_cpu), len(of_gpu)])

        def domains(parameters: FloatArray) -> Domains:
            coefficients = np.exp(np.clip(parameters[..., self._order], -50, 50))
            shapes = parameters[..., count : count + 2 * len(_SHAPE)]
            on_cpu, on_gpu = shapes[..., : len(_SHAPE)], shapes[..., len(_SHAPE) :]
            board, there, memory, *cores, gpu = np.split(coefficients, ends[:-1], axis=-1)
            cpu = np.tensordot(there, rest[1:present], axes=1)
            for weights, factors, clock in zip(cores, of_cpu, clocks):
                cpu = cpu + np.tensordot(weights, factors, axes=1) * _dynamic(clock, on_cpu)
            return Domains(
                board=np.tensordot(board, rest[:1], axes=1),
                cpu=cpu,
                gpu=np.tensordot(gpu, of_gpu, axes=1) * _dynamic(gpu_clock, on_gpu),
                memory=np.tensordot(memory, rest[present:], axes=1),
            )

        return domains

    @property
    def _order(self) -> list[int]:
        """Columns of the coefficients: those that no clock of CPU or GPU scales, then those of each domain."""
        clusters, size = len(self.layout.clusters), len(_CLUSTER)
        present = [1 + size * cluster for cluster in range(clusters)]
        gpu = 1 + size * clusters
        memory = [gpu + len(_GPU), gpu + len(_GPU) + 1]
        domains = [column for first in present for column in range(first + 1, first + size)]
        return [0, *present, *memory, *domains, gpu, gpu + 1, gpu + 2]

    def _factors(self, modes: IntArray, activity: Activity) -> tuple[FloatArray, list[FloatArray], FloatArray]:
        """What the coefficients multiply: at rest, in each CPU cluster, in the GPU; shape ``(terms, ..., n)`` each."""
        layout, one = self.layout, np.ones(len(modes))
        online = np.maximum(sum(layout.count(modes, cores) for cores, _ in layout.clusters), 1.0)
        shares = [layout.count(modes, cores) / online for cores, _ in layout.clusters]
        present = [layout.count(modes, cores) / layout.most_cores for cores, _ in layout.clusters]
        memory_clock = layout.relative_to_role(modes, "emc")
        at_rest = _stacked(one, *present, memory_clock, activity.traffic)
        of_cpu = [
            _stacked(there, activity.host * share, activity.loader * share / _TYPICAL_WORKERS)
            for there, share in zip(present, shares)
        ]
        return at_rest, of_cpu, _stacked(one, activity.gpu, activity.compute)


def _stacked(*factors: FloatArray) -> FloatArray:
    return np.stack(np.broadcast_arrays(*factors))


def _dynamic(clock: FloatArray, shape: FloatArray) -> FloatArray:
    """Dynamic power over a clock, relative to that at the highest clock; shapes ``(n,)`` and ``(..., 3)``."""
    knee, bend, steep = (shape[..., index, None] for index in range(len(_SHAPE)))
    flat = 1 / (1 + np.exp(-knee))
    above = np.maximum((clock - flat) / (1 - flat), _LEAST_ABOVE)
    weight = np.exp(steep)
    return np.asarray(clock * (1 + weight * above ** np.exp(bend)) / (1 + weight), dtype=np.float64)
