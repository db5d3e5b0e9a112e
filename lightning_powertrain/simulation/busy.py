"""How busy a board is while a workload runs, as its operating system and its counters would see it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightning_powertrain.simulation.foreign.silicon import ForeignPhysics
from lightning_powertrain.simulation.foreign.timing import pieces_of
from lightning_powertrain.simulation.physics import BoardPhysics, FloatArray
from lightning_powertrain.simulation.timing import Activity, Clocks
from lightning_powertrain.simulation.workload import Workload


@dataclass(frozen=True)
class Busy:
    """How busy a board is in ``n`` modes; arrays of shape ``(n,)``.

    Args:
        gpu: Share of the time in which the GPU runs kernels.
        process: Cores that the training process keeps busy. It spins while it waits for the GPU, and sleeps while it
            waits for data.
        workers: Cores that the workers of its data loader keep busy.
        system: Cores that everything else keeps busy.
        emc_active_hz: Cycles of the memory controller that move data, per second.
    """

    gpu: FloatArray
    process: FloatArray
    workers: FloatArray
    system: FloatArray
    emc_active_hz: FloatArray


def busy(physics: BoardPhysics | ForeignPhysics, workload: Workload | None, clocks: Clocks, activity: Activity) -> Busy:
    """How busy a board is; ``clocks`` are those at which it runs."""
    period_s = activity.period_s
    wanted = [activity.ready_s / period_s, activity.worker_s / period_s, _system_cores(physics, clocks)]
    # Threads that share a core take longer, and are no more on the CPU for that.
    shared = np.minimum(1.0, clocks.cores / np.maximum(np.sum(wanted, axis=0), 1e-9))
    process, workers, system = (shared * cores for cores in wanted)
    traffic, per_cycle = _traffic(physics, workload, clocks)
    emc_active_hz = np.minimum(traffic / period_s / per_cycle, clocks.emc_hz)
    return Busy(np.minimum(1.0, activity.gpu_s / period_s), process, workers, system, emc_active_hz)


def _system_cores(physics: BoardPhysics | ForeignPhysics, clocks: Clocks) -> FloatArray:
    ghz = physics.cpu.background_ghz if isinstance(physics, ForeignPhysics) else physics.cpu.background_cores
    return ghz * 1e9 / clocks.cpu_hz


def _traffic(
    physics: BoardPhysics | ForeignPhysics, workload: Workload | None, clocks: Clocks
) -> tuple[float, FloatArray]:
    """Bytes that a minibatch moves, and bytes that an active cycle moves in each mode."""
    if isinstance(physics, ForeignPhysics):
        dram = physics.dram
        per_cycle = dram.bytes_per_cycle * dram.at(clocks.emc_hz, dram.efficiency)
        moved = 0.0
        if workload is not None:
            moved = float(pieces_of(physics, workload).traffic.sum()) * (1 - physics.gpu.cached)
    else:
        per_cycle = np.full_like(clocks.cores, physics.memory.bytes_per_cycle * physics.memory.efficiency)
        moved = 0.0 if workload is None else sum(group.dram_mb for group in workload.groups) * 1e6
    return moved + (0.0 if workload is None else workload.loader_mb * 1e6), per_cycle
