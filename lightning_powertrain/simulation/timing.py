"""How long a minibatch takes: two queues in series, each a max-plus recurrence.

The main thread launches kernels and the GPU runs them in order (:func:`_run_stream`); worker processes make minibatches
and the main thread takes them in order (:func:`_run_loader`). Threads slow each other down where cores are few, and
CPU traffic takes DRAM bandwidth from the GPU; both depend on how long a minibatch takes, hence a fixed point.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np

from lightning_powertrain.boards import IntArray
from lightning_powertrain.simulation.network import KernelGroup
from lightning_powertrain.simulation.physics import BoardPhysics, FloatArray
from lightning_powertrain.simulation.workload import Workload

_ROUNDS = 6
_WARM_UP = 16
_COUNTED = 24
_LOADER_SPREAD = 0.25
_STEP_SPREAD = 0.03


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
    """

    period_s: FloatArray
    ready_s: FloatArray
    host_s: FloatArray
    worker_s: FloatArray
    gpu_s: FloatArray


def run(physics: BoardPhysics, workload: Workload, clocks: Clocks) -> Activity:
    """Run a workload to its steady state in every mode at once."""
    host_slowdown = worker_slowdown = np.ones_like(clocks.cores)
    period_s: FloatArray | None = None
    for _ in range(_ROUNDS):
        activity = _run_once(physics, workload, clocks, host_slowdown, worker_slowdown, period_s)
        period_s = activity.period_s if period_s is None else np.sqrt(period_s * activity.period_s)
        main_duty = np.minimum(1.0, activity.ready_s / period_s)
        worker_duty = np.minimum(1.0, activity.worker_s / (max(workload.num_workers, 1) * period_s))
        host_slowdown, worker_slowdown = _slowdowns(physics, workload, clocks, main_duty, worker_duty)
    return activity


def _run_once(
    physics: BoardPhysics,
    workload: Workload,
    clocks: Clocks,
    host_slowdown: FloatArray,
    worker_slowdown: FloatArray,
    period_s: FloatArray | None,
) -> Activity:
    cycle_s = _seconds_per_cycle(physics, clocks)
    bandwidth = physics.memory.efficiency * physics.memory.bytes_per_cycle * clocks.emc_hz
    copy_s = workload.loader_mb * 1e6 / (0.5 * bandwidth)
    if period_s is not None:
        bandwidth = np.maximum(bandwidth - workload.loader_mb * 1e6 / period_s, 0.3 * bandwidth)
    bandwidth = np.minimum(bandwidth, physics.gpu.bytes_per_cycle * clocks.gpu_hz)

    host_cycle_s = 1e6 * cycle_s * host_slowdown
    launch_s = [group.host_mcycles * host_cycle_s for group in workload.groups]
    kernel_s = [_kernel_seconds(physics, group, clocks, bandwidth) for group in workload.groups]
    launches = [group.launches for group in workload.groups]
    ready_s = workload.host_mcycles * host_cycle_s + _run_stream(launch_s, kernel_s, launches)
    worker_s = workload.loader_mcycles * 1e6 * cycle_s * worker_slowdown + copy_s
    host_s = workload.host_mcycles * host_cycle_s + sum(launch_s)
    if workload.num_workers == 0:
        return Activity(
            ready_s + worker_s, ready_s + worker_s, host_s + worker_s, np.zeros_like(worker_s), total(kernel_s)
        )
    return Activity(_run_loader(workload, ready_s, worker_s), ready_s, host_s, worker_s, total(kernel_s))


def total(arrays: list[FloatArray]) -> FloatArray:
    """Element-wise sum of arrays of one shape."""
    return np.asarray(np.sum(arrays, axis=0), dtype=np.float64)


def _seconds_per_cycle(physics: BoardPhysics, clocks: Clocks) -> FloatArray:
    """Seconds per CPU cycle of work: the cycle itself, and its share of waiting for DRAM."""
    memory = physics.memory
    miss_s = memory.latency_ns * 1e-9 + memory.latency_cycles / clocks.emc_hz
    return 1 / clocks.cpu_hz + physics.cpu.misses_per_kcycle * 1e-3 * miss_s


def _kernel_seconds(physics: BoardPhysics, group: KernelGroup, clocks: Clocks, bandwidth: FloatArray) -> FloatArray:
    """Seconds that the GPU needs for a kernel group."""
    gpu = physics.gpu
    compute_s = group.gflop * 1e9 / (gpu.flop_per_cycle * clocks.gpu_hz * group.efficiency)
    traffic_s = group.dram_mb * 1e6 / bandwidth
    hidden_s = np.minimum(compute_s, traffic_s)
    fixed_s = group.launches * gpu.launch_cycles / clocks.gpu_hz
    return np.asarray(fixed_s + np.maximum(compute_s, traffic_s) + gpu.overlap_loss * hidden_s, dtype=np.float64)


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

    A worker starts its next minibatch when its last is made and the main thread has made room by taking one.
    """
    workers, prefetched = workload.num_workers, max(workload.prefetched, 1)
    making, stepping = _JITTER
    made: list[FloatArray] = []
    taken: list[FloatArray] = []
    done_s = start_s = np.zeros_like(ready_s)
    for index in range(_WARM_UP + _COUNTED):
        begun_s = np.maximum(
            made[index - workers] if index >= workers else 0.0,
            taken[index - prefetched] if index >= prefetched else 0.0,
        )
        made.append(begun_s + worker_s * making[index])
        taken.append(np.maximum(done_s, made[index]))
        done_s = taken[index] + ready_s * stepping[index]
        if index == _WARM_UP - 1:
            start_s = done_s
    return (done_s - start_s) / _COUNTED


def _jitter(spread: float, seed: int) -> FloatArray:
    """Log-normal factors, the same for every mode; those of the counted minibatches have mean 1."""
    factors = np.random.default_rng(seed).lognormal(0.0, spread, _WARM_UP + _COUNTED)
    return np.asarray(factors / factors[_WARM_UP:].mean(), dtype=np.float64)


_JITTER = (_jitter(_LOADER_SPREAD, 1), _jitter(_STEP_SPREAD, 2))


def _slowdowns(
    physics: BoardPhysics, workload: Workload, clocks: Clocks, main_duty: FloatArray, worker_duty: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Slow-down of the main thread and of a worker by the other threads on the same cores and in the same caches.

    Threads come and go independently, so the number of busy workers is binomial; a fair scheduler shares the cores
    among those that are busy.
    """
    cpu = physics.cpu
    system = cpu.background_cores * 1e9 / clocks.cpu_hz
    workers = workload.num_workers
    clusters = np.ceil(clocks.cores / cpu.cores_per_cluster)
    crowd = (main_duty + workers * worker_duty + system) / clusters - 1
    crowded = 1 + cpu.crowding * np.maximum(crowd, 0)
    host = crowded * _waiting(clocks.cores, 1 + system, workers, worker_duty)
    worker = crowded * _waiting(clocks.cores, 1 + main_duty + system, max(workers - 1, 0), worker_duty)
    return host, worker


def _waiting(cores: FloatArray, certain: FloatArray, others: int, duty: FloatArray) -> FloatArray:
    """Expected slow-down of a thread among ``certain`` threads and ``others`` that are busy for a share of the time."""
    slowdown = np.zeros_like(cores)
    for busy in range(others + 1):
        chance = comb(others, busy) * duty**busy * (1 - duty) ** (others - busy)
        slowdown += chance * np.maximum(1.0, (certain + busy) / cores)
    return slowdown
