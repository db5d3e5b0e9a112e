"""How long a minibatch takes: two queues in series, each a max-plus recurrence.

The main thread launches kernels and the GPU runs them in order (:func:`_run_stream`); worker processes make minibatches
and the main thread takes them in order (:func:`_run_loader`). Threads slow each other down where cores are few, and
CPU traffic takes DRAM bandwidth from the GPU; both depend on how long a minibatch takes, hence a fixed point.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import comb

import numpy as np

from lightning_powertrain.boards import IntArray
from lightning_powertrain.simulation.network import KernelGroup
from lightning_powertrain.simulation.physics import BoardPhysics, FloatArray
from lightning_powertrain.simulation.workload import Workload

_ROUNDS = 16
_COUNTED = 20
_LOADER_SPREAD = 0.25
_STEP_SPREAD = 0.03
_BANDWIDTH_OF_CORES = 0.5
_LEAST_BANDWIDTH_OF_GPU = 0.3


@dataclass(frozen=True)
class Clocks:
    """The knobs of some modes, one array of shape ``(n,)`` each."""

    cores: FloatArray
    cpu_hz: FloatArray
    gpu_hz: FloatArray
    emc_hz: FloatArray

    @classmethod
    def of(cls, modes: IntArray) -> Clocks:
        """From an array of modes: cores, CPU kHz, GPU Hz, EMC Hz."""
        cores, cpu_khz, gpu_hz, emc_hz = modes.T.astype(np.float64)
        return cls(cores, cpu_khz * 1e3, gpu_hz, emc_hz)


@dataclass(frozen=True)
class Activity:
    """What happens in one minibatch; seconds, arrays of shape ``(n,)``.

    Args:
        period_s: Time of a minibatch.
        ready_s: What it would be with data always ready.
        host_s: The main thread works.
        worker_s: All workers together work.
        gpu_s: The GPU runs kernels.
        stalled_s: Part of it in which they wait for DRAM.
        loading_s: Part of :attr:`ready_s` in which the main thread makes the minibatch itself, without workers.
    """

    period_s: FloatArray
    ready_s: FloatArray
    host_s: FloatArray
    worker_s: FloatArray
    gpu_s: FloatArray
    stalled_s: FloatArray
    loading_s: FloatArray


@dataclass(frozen=True)
class _Pressure:
    """How threads and traffic hold each other up; arrays of shape ``(n,)``."""

    host_slowdown: FloatArray
    worker_slowdown: FloatArray
    loader_traffic: FloatArray

    def towards(self, other: _Pressure) -> _Pressure:
        """Half-way to ``other``: without that the fixed point would be circled, not reached."""
        return _Pressure(
            (self.host_slowdown + other.host_slowdown) / 2,
            (self.worker_slowdown + other.worker_slowdown) / 2,
            (self.loader_traffic + other.loader_traffic) / 2,
        )


def run(physics: BoardPhysics, workload: Workload, clocks: Clocks) -> Activity:
    """Run a workload to its steady state in every mode at once."""
    alone = np.ones_like(clocks.cores)
    pressure = _Pressure(alone, alone, np.zeros_like(alone))
    for _ in range(_ROUNDS):
        activity = _run_under(pressure, physics, workload, clocks)
        pressure = pressure.towards(_pressure(physics, workload, clocks, activity))
    return activity


def _run_under(pressure: _Pressure, physics: BoardPhysics, workload: Workload, clocks: Clocks) -> Activity:
    peak = physics.memory.efficiency * physics.memory.bytes_per_cycle * clocks.emc_hz
    left = np.maximum(peak - pressure.loader_traffic, _LEAST_BANDWIDTH_OF_GPU * peak)
    kernels = [_kernel_seconds(physics, group, clocks, left) for group in workload.groups]
    kernel_s = [kernel for kernel, _ in kernels]
    cycle_s = _seconds_per_cycle(physics, clocks)
    mcycle_s = 1e6 * cycle_s * pressure.host_slowdown
    launch_s = [group.host_mcycles * mcycle_s for group in workload.groups]
    own_s = workload.host_mcycles * mcycle_s
    host_s = own_s + total(launch_s)
    ready_s = own_s + _run_stream(launch_s, kernel_s, [group.launches for group in workload.groups])
    copy_s = workload.loader_mb * 1e6 / (_BANDWIDTH_OF_CORES * peak)
    worker_s = (workload.loader_mcycles * 1e6 * cycle_s + copy_s) * pressure.worker_slowdown
    loading_s = np.zeros_like(worker_s)
    if workload.num_workers == 0:
        loading_s, worker_s = worker_s, loading_s
        host_s, ready_s = host_s + loading_s, ready_s + loading_s
        period_s = ready_s
    else:
        period_s = _run_loader(workload, ready_s, worker_s)
    stalled_s = total([stalled for _, stalled in kernels])
    return Activity(period_s, ready_s, host_s, worker_s, total(kernel_s), stalled_s, loading_s)


def total(arrays: Sequence[FloatArray]) -> FloatArray:
    """Element-wise sum of arrays of one shape."""
    return np.asarray(np.sum(arrays, axis=0), dtype=np.float64)


def _seconds_per_cycle(physics: BoardPhysics, clocks: Clocks) -> FloatArray:
    """Seconds per CPU cycle of work: the cycle itself, and its share of waiting for DRAM."""
    memory = physics.memory
    miss_s = memory.latency_ns * 1e-9 + memory.latency_cycles / clocks.emc_hz
    return 1 / clocks.cpu_hz + physics.cpu.misses_per_kcycle * 1e-3 * miss_s


def _kernel_seconds(
    physics: BoardPhysics, group: KernelGroup, clocks: Clocks, bandwidth: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Seconds that the GPU needs for a kernel group, and how many of them it waits for DRAM."""
    gpu = physics.gpu
    compute_s = group.gflop * 1e9 / (gpu.flop_per_cycle * clocks.gpu_hz * group.efficiency)
    traffic_s = group.dram_mb * 1e6 / np.minimum(bandwidth, gpu.bytes_per_cycle * clocks.gpu_hz)
    fixed_s = group.launches * gpu.launch_cycles / clocks.gpu_hz
    stalled_s = np.maximum(traffic_s - compute_s, 0) + gpu.overlap_loss * np.minimum(compute_s, traffic_s)
    return fixed_s + compute_s + stalled_s, stalled_s


def _run_stream(launch_s: list[FloatArray], kernel_s: list[FloatArray], launches: list[int]) -> FloatArray:
    """Seconds until the GPU has run all groups and the main thread has read the loss.

    A group of ``n`` equal kernels ends when the GPU has worked through them without a gap since it was free, or since
    the first was launched, or when the last one, launched late, has run.
    """
    launched_s = free_s = np.zeros_like(kernel_s[0])
    for launch, kernel, count in zip(launch_s, kernel_s, launches):
        without_gap_s = np.maximum(free_s, launched_s + launch / count) + kernel
        launched_s = launched_s + launch
        free_s = np.maximum(without_gap_s, launched_s + kernel / count)
    return free_s


def _run_loader(workload: Workload, ready_s: FloatArray, worker_s: FloatArray) -> FloatArray:
    """Mean seconds between minibatches when the data loader may or may not keep up.

    A worker starts its next minibatch when its last is made and the main thread has made room by taking one. Workers
    that hold the GPU up deliver in rounds, so whole rounds are counted, after two to fill the queue.
    """
    workers, prefetched = workload.num_workers, max(workload.prefetched, 1)
    warm_up, counted = 2 * max(workers, prefetched), workers * -(-_COUNTED // workers)
    making, stepping = (_jitter(spread, warm_up, counted) for spread in (_LOADER_SPREAD, _STEP_SPREAD))
    made: list[FloatArray] = []
    taken: list[FloatArray] = []
    done_s = start_s = np.zeros_like(ready_s)
    for index in range(warm_up + counted):
        start_s = done_s if index == warm_up else start_s
        begun_s = np.maximum(
            made[index - workers] if index >= workers else 0.0,
            taken[index - prefetched] if index >= prefetched else 0.0,
        )
        made.append(begun_s + worker_s * making[index])
        taken.append(np.maximum(done_s, made[index]))
        done_s = taken[index] + ready_s * stepping[index]
    return (done_s - start_s) / counted


@lru_cache(maxsize=None)
def _jitter(spread: float, warm_up: int, counted: int) -> FloatArray:
    """Log-normal factors, the same for every mode; those of the counted minibatches have mean 1."""
    factors = np.random.default_rng(round(1e6 * spread)).lognormal(0.0, spread, warm_up + counted)
    return np.asarray(factors / factors[warm_up:].mean(), dtype=np.float64)


def _pressure(physics: BoardPhysics, workload: Workload, clocks: Clocks, activity: Activity) -> _Pressure:
    """Slow-down of the main thread and of a worker by the other threads on the same cores and in the same caches.

    Threads come and go independently, so the number of busy workers is binomial; a fair scheduler shares the cores
    among those that are busy. The main thread spins while it waits for the GPU, and so is busy then too.
    """
    cpu = physics.cpu
    workers = workload.num_workers
    main_duty = np.minimum(1.0, activity.ready_s / activity.period_s)
    worker_duty = np.minimum(1.0, activity.worker_s / (max(workers, 1) * activity.period_s))
    system = cpu.background_cores * 1e9 / clocks.cpu_hz
    clusters = np.ceil(clocks.cores / cpu.cores_per_cluster)
    neighbours = (main_duty + workers * worker_duty + system) / clusters - 1
    crowded = 1 + cpu.crowding * np.maximum(neighbours, 0)
    return _Pressure(
        host_slowdown=crowded * _waiting(clocks.cores, 1 + system, workers, worker_duty),
        worker_slowdown=crowded * _waiting(clocks.cores, 1 + main_duty + system, max(workers - 1, 0), worker_duty),
        loader_traffic=workload.loader_mb * 1e6 / activity.period_s,
    )


def _waiting(cores: FloatArray, certain: FloatArray, others: int, duty: FloatArray) -> FloatArray:
    """Expected slow-down of a thread among ``certain`` threads and ``others`` that are busy for a share of the time."""
    slowdown = np.zeros_like(cores)
    for busy in range(others + 1):
        chance = comb(others, busy) * duty**busy * (1 - duty) ** (others - busy)
        slowdown += chance * np.maximum(1.0, (certain + busy) / cores)
    return slowdown
