"""How long a minibatch takes on a foreign board.

Every kernel group is split into pieces of unequal work. The main thread launches pieces ahead of the GPU, but only so
many; threads share cores by the expected number that is runnable; the slower of loader and step sets the pace, and
random delays of both add to it (Clark 1961: the expected maximum of two normal variables).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import erf, pi, sqrt
from zlib import crc32

import numpy as np

from lightning_powertrain.simulation.foreign.silicon import ForeignPhysics
from lightning_powertrain.simulation.physics import FloatArray
from lightning_powertrain.simulation.timing import Activity, Clocks
from lightning_powertrain.simulation.workload import Workload

_ROUNDS = 14
_PIECES = 3
_AHEAD = 12
_LEAST_BANDWIDTH = 0.35
_STEP_SPREAD = 0.03
_WAITS = 0.35
_erf = np.vectorize(erf, otypes=[np.float64])


@dataclass(frozen=True)
class Pieces:
    """What the GPU does in a minibatch, piece by piece; arrays of shape ``(pieces,)``.

    Args:
        flop: Work, at the efficiency of the kernels: FLOP over the share of the peak that they reach.
        traffic: Bytes that they move.
        launches: Kernels.
        cycles: CPU cycles to launch them all.
    """

    flop: FloatArray
    traffic: FloatArray
    launches: FloatArray
    cycles: FloatArray


@lru_cache(maxsize=256)
def pieces_of(physics: ForeignPhysics, workload: Workload) -> Pieces:
    """The kernels of a workload as this board runs them; libraries of another generation are not equally good."""
    rng = np.random.default_rng([physics.seed, crc32(workload.name.encode())])
    rows = []
    for group in workload.groups:
        compute, traffic, launch = np.exp(physics.workload_spread * rng.standard_normal(3))
        shares = np.exp(physics.kernel_spread * rng.standard_normal((3, _PIECES)))
        shares /= shares.sum(axis=1, keepdims=True)
        flop = group.gflop * 1e9 / group.efficiency * compute
        totals = flop, group.dram_mb * 1e6 * traffic, float(group.launches)
        for work, moved, count in shares.T.tolist():
            cycles = group.host_mcycles * 1e6 * launch * physics.cpu.launch_cost * count
            rows.append((totals[0] * work, totals[1] * moved, max(totals[2] * count, 1.0), cycles))
    return Pieces(*np.array(rows).T)


def run(physics: ForeignPhysics, workload: Workload, clocks: Clocks) -> Activity:
    """Run a workload to its steady state in every mode at once; ``clocks`` are those at which the board runs."""
    loader_traffic = np.zeros_like(clocks.cores)
    host_slowdown = worker_slowdown = np.ones_like(clocks.cores)
    for _ in range(_ROUNDS):
        activity = _run_under(physics, workload, clocks, (host_slowdown, worker_slowdown, loader_traffic))
        host, worker = _slowdowns(physics, workload, clocks, activity)
        host_slowdown, worker_slowdown = (host_slowdown + host) / 2, (worker_slowdown + worker) / 2
        loader_traffic = (loader_traffic + workload.loader_mb * 1e6 / activity.period_s) / 2
    return activity


def _run_under(
    physics: ForeignPhysics, workload: Workload, clocks: Clocks, pressure: tuple[FloatArray, FloatArray, FloatArray]
) -> Activity:
    host_slowdown, worker_slowdown, loader_traffic = pressure
    peak = _peak(physics, clocks)
    pieces = pieces_of(physics, workload)
    kernel_s, stalled_s = _kernels(physics, pieces, clocks, np.maximum(peak - loader_traffic, _LEAST_BANDWIDTH * peak))
    cycle_s = _seconds_per_cycle(physics, clocks, loader_traffic / peak)
    launch_s = (pieces.cycles[:, None] * cycle_s + physics.cpu.launch_us * 1e-6 * pieces.launches[:, None]) * (
        host_slowdown
    )
    own_s = workload.host_mcycles * 1e6 * cycle_s * host_slowdown
    ready_s = own_s + _stream(launch_s, kernel_s, pieces.launches)
    host_s = own_s + launch_s.sum(axis=0)
    copy_s = workload.loader_mb * 1e6 / (physics.copy_share * peak)
    slower = _mean_speed(physics, clocks)
    worker_s = (workload.loader_mcycles * 1e6 * physics.loader_cost * cycle_s / slower + copy_s) * worker_slowdown
    period_s, loading_s = ready_s + worker_s, np.zeros_like(worker_s)
    if workload.num_workers:
        interval_s = worker_s / workload.num_workers
        scatter = sqrt(physics.loader_spread**2 / (1 + workload.prefetched) + _STEP_SPREAD**2)
        period_s = _expected_maximum(ready_s, interval_s, scatter * np.maximum(ready_s, interval_s))
    else:
        loading_s, worker_s = worker_s, loading_s
        ready_s, host_s = period_s, host_s + loading_s
    return Activity(period_s, ready_s, host_s, worker_s, kernel_s.sum(axis=0), stalled_s.sum(axis=0), loading_s)


def _peak(physics: ForeignPhysics, clocks: Clocks) -> FloatArray:
    """Bandwidth that traffic reaches, by the clock at which memory runs."""
    efficiency = physics.dram.at(clocks.emc_hz, physics.dram.efficiency)
    return clocks.emc_hz * physics.dram.bytes_per_cycle * efficiency


def _seconds_per_cycle(physics: ForeignPhysics, clocks: Clocks, busy_memory: FloatArray) -> FloatArray:
    """Seconds per cycle of work, with its share of misses; these queue where memory is busy."""
    cpu = physics.cpu
    miss_s = (cpu.miss_ns * 1e-9 + cpu.miss_emc_cycles / clocks.emc_hz) * (1 + np.minimum(busy_memory, 1.0))
    cycle_s = 1 / (cpu.instructions_per_cycle * clocks.cpu_hz)
    return np.asarray(cycle_s + cpu.misses_per_kcycle * 1e-3 * miss_s, dtype=np.float64)


def _mean_speed(physics: ForeignPhysics, clocks: Clocks) -> FloatArray:
    """Of all cores, relative to those of the first cluster."""
    first = np.minimum(clocks.cores, physics.cpu.cluster)
    speed = (first + (clocks.cores - first) * physics.cpu.later_speed) / clocks.cores
    return np.asarray(speed, dtype=np.float64)


def _kernels(
    physics: ForeignPhysics, pieces: Pieces, clocks: Clocks, bandwidth: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Seconds of each piece on the GPU, and how many of them it waits for memory; shape ``(pieces, n)``."""
    gpu = physics.gpu
    compute_s = pieces.flop[:, None] / (gpu.flop_per_cycle * clocks.gpu_hz)
    asked = gpu.bytes_per_cycle * clocks.gpu_hz
    # A request waits for the GPU's own queue and then for DRAM's: rates add like resistances where both are busy.
    reached = np.minimum(asked, bandwidth) / (1 + 0.15 * np.minimum(asked, bandwidth) / np.maximum(asked, bandwidth))
    traffic = pieces.traffic[:, None]
    memory_s = traffic * ((1 - gpu.cached) / reached + gpu.cached / (2 * asked))
    longer, shorter = np.maximum(compute_s, memory_s), np.minimum(compute_s, memory_s)
    both_s = longer * (1 + gpu.exposed * (shorter / longer) ** gpu.exposed_bend)
    lost_s = pieces.launches[:, None] * (gpu.kernel_cycles / clocks.gpu_hz + gpu.kernel_us * 1e-6)
    return both_s + lost_s, both_s - compute_s


def _stream(launch_s: FloatArray, kernel_s: FloatArray, launches: FloatArray) -> FloatArray:
    """Seconds until the GPU has run all pieces; the main thread is at most some pieces ahead of it."""
    launched = free = np.zeros(kernel_s.shape[1])
    ends: list[FloatArray] = []
    for index, (launch, kernel) in enumerate(zip(launch_s, kernel_s)):
        begun = launched if index < _AHEAD else np.maximum(launched, ends[index - _AHEAD])
        launched = begun + launch
        started = np.maximum(free, begun + launch / launches[index])
        free = np.maximum(started + kernel, launched + kernel / launches[index])
        ends.append(free)
    return free


def _slowdowns(
    physics: ForeignPhysics, workload: Workload, clocks: Clocks, activity: Activity
) -> tuple[FloatArray, FloatArray]:
    """Of the main thread and of the workers, by threads that want the same cores or the same cache."""
    cpu, workers = physics.cpu, workload.num_workers
    background = cpu.background_ghz * 1e9 / clocks.cpu_hz
    main = np.minimum(1.0, activity.ready_s / activity.period_s)
    duty = np.minimum(1.0, activity.worker_s / (max(workers, 1) * activity.period_s))
    variance = workers * duty * (1 - duty) + main * (1 - main) + background
    clusters = np.ceil(clocks.cores / cpu.cluster)
    crowded = 1 + cpu.crowding * np.minimum(1.0, (main + workers * duty) / (cpu.cluster * clusters))

    def shared(others: FloatArray) -> FloatArray:
        wanted, scatter = (1 + others) / clocks.cores, _WAITS * np.sqrt(variance) / clocks.cores
        return np.asarray(crowded * _expected_maximum(np.ones_like(wanted), wanted, scatter), dtype=np.float64)

    return shared(workers * duty + background), shared(main + max(workers - 1, 0) * duty + background)


def _expected_maximum(first: FloatArray, second: FloatArray, spread: FloatArray) -> FloatArray:
    """Of two normal variables whose difference has a standard deviation of ``spread``."""
    spread = np.maximum(spread, 1e-12)
    z = (first - second) / spread
    below = 0.5 * (1 + _erf(z / sqrt(2)))
    density = np.exp(-0.5 * z**2) / sqrt(2 * pi)
    return np.asarray(first * below + second * (1 - below) + spread * density, dtype=np.float64)
