"""What each rail draws while a workload runs."""

from __future__ import annotations

import numpy as np

from lightning_powertrain.simulation import timing
from lightning_powertrain.simulation.physics import BoardPhysics, FloatArray
from lightning_powertrain.simulation.timing import Activity, Clocks
from lightning_powertrain.simulation.workload import Workload


def idle(clocks: Clocks) -> Activity:
    """Nothing happens."""
    zero = np.zeros_like(clocks.cores)
    return Activity(np.ones_like(zero), zero, zero, zero, zero, zero, zero)


def rails_at_reference(
    physics: BoardPhysics, workload: Workload | None, clocks: Clocks, activity: Activity
) -> tuple[FloatArray, FloatArray]:
    """Power of each rail at 50 C (W) and its growth per degree (W/C), both of shape ``(n, rails)``.

    Leakage is taken as a straight line in temperature and the loss of the regulators as that at 50 C, so the power of
    a rail is exactly such a line too; the sensors and the heat sink can then be integrated in closed form.
    """
    gpu_leakage_w = physics.gpu.supply.leakage_w * physics.gpu.supply.voltage(clocks.gpu_hz) ** 3
    clusters = np.ceil(clocks.cores / physics.cpu.cores_per_cluster)
    cpu_leakage_w = clusters * physics.cpu.supply.leakage_w * physics.cpu.supply.voltage(clocks.cpu_hz) ** 3
    flop, gpu_bytes, cpu_bytes = _work(workload)
    byte_rate = (gpu_bytes + cpu_bytes) / activity.period_s
    soc_w, dram_w = _memory(physics, clocks, byte_rate)
    domains = {
        "gpu": gpu_leakage_w + _gpu(physics, clocks, activity, flop, gpu_bytes),
        "cpu": cpu_leakage_w + _cpu(physics, clocks, activity),
        "soc": soc_w,
        "dram": dram_w,
        "vision": np.zeros_like(soc_w),
    }
    domains["system"] = physics.system_w + physics.system_w_per_w * timing.total(list(domains.values()))
    leakages = {"gpu": gpu_leakage_w, "cpu": cpu_leakage_w}
    feeds = [rail.feeds for rail in physics.rails.values()]
    at_reference_w = np.stack(
        [_from_regulator(physics, timing.total([domains[name] for name in fed])) for fed in feeds], axis=1
    )
    zero = np.zeros_like(clocks.cores)
    leakage_w = np.stack([timing.total([leakages.get(name, zero) for name in fed]) for fed in feeds], axis=1)
    return at_reference_w, leakage_w * physics.thermal.leakage_per_c / physics.regulator_efficiency


def _work(workload: Workload | None) -> tuple[float, float, float]:
    if workload is None:
        return 0.0, 0.0, 0.0
    flop = sum(group.gflop for group in workload.groups) * 1e9
    return flop, sum(group.dram_mb for group in workload.groups) * 1e6, workload.loader_mb * 1e6


def _gpu(physics: BoardPhysics, clocks: Clocks, activity: Activity, flop: float, traffic: float) -> FloatArray:
    gpu = physics.gpu
    busy = (activity.gpu_s - (1 - gpu.stalled) * activity.stalled_s) / activity.period_s
    switching_w = (gpu.clock_nf + gpu.busy_nf * busy) * clocks.gpu_hz * 1e-9
    work_w = (gpu.pj_per_flop * flop + gpu.pj_per_byte * traffic) * 1e-12 / activity.period_s
    return gpu.supply.voltage(clocks.gpu_hz) ** 2 * (switching_w + work_w)


def _cpu(physics: BoardPhysics, clocks: Clocks, activity: Activity) -> FloatArray:
    """The main thread works or spins on the GPU; while it waits for data it sleeps."""
    cpu = physics.cpu
    spinning_s = cpu.spin * np.maximum(activity.ready_s - activity.host_s, 0)
    busy_cores = (activity.host_s + spinning_s + activity.worker_s) / activity.period_s
    busy_cores = np.minimum(busy_cores + cpu.background_cores * 1e9 / clocks.cpu_hz, clocks.cores)
    clusters = np.ceil(clocks.cores / cpu.cores_per_cluster)
    capacitance_nf = cpu.core_nf * busy_cores + cpu.idle_nf * clocks.cores + cpu.cluster_nf * clusters
    return capacitance_nf * cpu.supply.voltage(clocks.cpu_hz) ** 2 * clocks.cpu_hz * 1e-9


def _memory(physics: BoardPhysics, clocks: Clocks, byte_rate: FloatArray) -> tuple[FloatArray, FloatArray]:
    memory = physics.memory
    emc_ghz = clocks.emc_hz * 1e-9
    soc_w = (
        memory.controller_w + memory.controller_w_per_ghz * emc_ghz + memory.controller_pj_per_byte * byte_rate * 1e-12
    )
    dram_w = memory.dram_w + memory.dram_w_per_ghz * emc_ghz + memory.dram_pj_per_byte * byte_rate * 1e-12
    return soc_w, dram_w


def _from_regulator(physics: BoardPhysics, load_w: FloatArray) -> FloatArray:
    return load_w / physics.regulator_efficiency + physics.conduction_loss_per_w * load_w**2
