"""What each rail of a foreign board draws while a workload runs."""

from __future__ import annotations

import numpy as np

from lightning_powertrain.simulation.foreign.silicon import ForeignPhysics
from lightning_powertrain.simulation.foreign.timing import pieces_of
from lightning_powertrain.simulation.physics import FloatArray
from lightning_powertrain.simulation.timing import Activity, Clocks
from lightning_powertrain.simulation.workload import Workload


def rails_at_reference(
    physics: ForeignPhysics, workload: Workload | None, clocks: Clocks, activity: Activity
) -> tuple[FloatArray, FloatArray]:
    """Power of each rail at 50 C (W) and its growth per degree (W/C), both of shape ``(n, rails)``.

    Args:
        physics: The board.
        workload: What it runs; None if it is idle.
        clocks: At which the board runs.
        activity: What happens in a minibatch.
    """
    clusters = np.ceil(clocks.cores / physics.cpu.cluster) / np.ceil(physics.cpu.cores / physics.cpu.cluster)
    leakages = {
        "gpu": physics.gpu.domain.leakage(clocks.gpu_hz),
        "cpu": physics.cpu.domain.leakage(clocks.cpu_hz) * clusters,
    }
    domains = {
        "gpu": leakages["gpu"] + _gpu(physics, workload, clocks, activity),
        "cpu": leakages["cpu"] + _cpu(physics, clocks, activity, clusters),
        "soc": 0.4 * physics.system_w + 0.3 * (memory := _dram(physics, workload, clocks, activity)),
        "dram": 0.7 * memory,
        "system": np.full_like(clocks.cores, 0.6 * physics.system_w),
    }
    zero = np.zeros_like(clocks.cores)
    rails = [rail.feeds for rail in physics.rails.values()]
    watts = np.stack([sum((domains[name] for name in feeds), zero) for feeds in rails], axis=1)
    leaking = np.stack([sum((leakages.get(name, zero) for name in feeds), zero) for feeds in rails], axis=1)
    constant, relative, per_watt = physics.loss
    supplied = constant / len(rails) + watts * (1 + relative) + per_watt * watts**2
    return supplied, leaking * physics.thermal.leakage_per_c * (1 + relative)


def _gpu(physics: ForeignPhysics, workload: Workload | None, clocks: Clocks, activity: Activity) -> FloatArray:
    gpu = physics.gpu
    runs = np.minimum(1.0, activity.gpu_s / activity.period_s)
    stalled = np.minimum(runs, activity.stalled_s / activity.period_s)
    flop = 0.0 if workload is None else float(pieces_of(physics, workload).flop.sum())
    computes = np.minimum(1.0, flop / (gpu.flop_per_cycle * clocks.gpu_hz * activity.period_s))
    tree_w = gpu.idle_w * (1 - gpu.gated * (1 - runs))
    work_w = gpu.active_w * (runs - (1 - gpu.stalled) * stalled) + gpu.busy_w * computes
    return gpu.domain.switching(clocks.gpu_hz) * (tree_w + work_w)


def _cpu(physics: ForeignPhysics, clocks: Clocks, activity: Activity, clusters: FloatArray) -> FloatArray:
    cpu = physics.cpu
    spinning = cpu.spin_share * np.maximum(activity.ready_s - activity.host_s, 0)
    busy = (activity.host_s + spinning + activity.worker_s) / activity.period_s
    busy = np.minimum(busy + cpu.background_ghz * 1e9 / clocks.cpu_hz, clocks.cores)
    active = cpu.core_w * (busy + cpu.idle_share * (clocks.cores - busy)) / cpu.cores
    return cpu.domain.switching(clocks.cpu_hz) * (active + cpu.uncore_w * clusters)


def _dram(physics: ForeignPhysics, workload: Workload | None, clocks: Clocks, activity: Activity) -> FloatArray:
    dram = physics.dram
    volts = dram.at(clocks.emc_hz, dram.volts) / dram.volts[-1]
    moved = 0.0
    if workload is not None:
        moved = float(pieces_of(physics, workload).traffic.sum()) * (1 - physics.gpu.cached) + workload.loader_mb * 1e6
    clock_w = dram.clock_w * volts**2 * clocks.emc_hz / dram.clocks_hz[-1]
    return dram.rest_w + clock_w + dram.pj_per_byte * 1e-12 * moved / activity.period_s
