"""Where the time of a real loop over a real data loader goes, on this machine; the loader is never changed."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fakes import FakeDevice
from torch.utils.data import DataLoader, Dataset

from lightning_powertrain.devices import CpuTimes, Pollers, Stopwatch, SystemClock
from lightning_powertrain.devices.sysfs_activity import read_cpu_times
from lightning_powertrain.profiling import Measurement, Provenance, Window, WindowPlan
from lightning_powertrain.tuning.advice import advice

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the /proc of Linux")

SAMPLES, WAIT_S, CPU_S, STEP_S = 4, 0.02, 0.005, 0.01
"""A minibatch is four samples, each of which comes from a disk in 20 ms or takes 5 ms of CPU time; a step takes 10."""


class Waiting(Dataset[torch.Tensor]):
    """Data that comes from a slow disk."""

    def __len__(self) -> int:
        return 400

    def __getitem__(self, index: int) -> torch.Tensor:
        time.sleep(WAIT_S)
        return torch.zeros(1)


class Working(Waiting):
    """Data that takes CPU time to make."""

    def __getitem__(self, index: int) -> torch.Tensor:
        end_s = time.process_time() + CPU_S
        while time.process_time() < end_s:
            pass
        return torch.zeros(1)


class RealTime(FakeDevice):
    """The tiny board on the clock of this machine."""

    simulated = False

    def __init__(self) -> None:
        super().__init__()
        self.clock = SystemClock()  # type: ignore[assignment]

    def read_cpu_times(self) -> CpuTimes:
        return read_cpu_times(Path("/"))


def measured(loader: DataLoader[Any]) -> tuple[Measurement, float]:
    """One window of a loop over the loader, and for how long the loop waited for a minibatch by its own clock (ms)."""
    batches = iter(loader)  # Its workers are there before any thread of ours.
    device = RealTime()
    pollers, stopwatch = Pollers(device), Stopwatch(device.clock)
    pollers.start()
    plan = WindowPlan(discard=4, settle_s=0.0, minibatches=12, minimum_s=0.3, tolerance=None)
    window = Window(device, pollers, device.mode, plan, lambda: None)
    waits_s: list[float] = []
    stopwatch.restart()
    try:
        while True:
            start_s = time.monotonic()
            next(batches)
            waits_s.append(time.monotonic() - start_s)
            stopwatch.minibatch_started()
            time.sleep(STEP_S)
            (interval,) = stopwatch.minibatch_ended(cycle_complete=True, at_least_s=0.0)
            if window.add(interval):
                measurement = window.measurement
                return measurement, 1e3 * sum(waits_s[-measurement.minibatches :]) / measurement.minibatches
            stopwatch.restart()
    finally:
        pollers.stop()
        del batches


def loader_of(dataset: Dataset[torch.Tensor], workers: int) -> DataLoader[Any]:
    return DataLoader(dataset, batch_size=SAMPLES, num_workers=workers)


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_the_wait_for_a_slow_disk_is_what_the_loop_itself_sees(workers: int) -> None:
    measurement, wait_ms = measured(loader_of(Waiting(), workers))
    signals = measurement.signals
    assert signals.data_wait_ms == pytest.approx(wait_ms, rel=0.05, abs=1.0)
    assert signals.data_wait_ms is not None
    assert signals.data_wait_ms <= measurement.time_ms - 1e3 * STEP_S
    if not workers:
        assert signals.data_wait_ms >= 1e3 * SAMPLES * WAIT_S
    assert signals.children_ms is not None
    assert signals.children_ms < 1e3 * SAMPLES * WAIT_S / 2, "they sleep"


@pytest.mark.parametrize("workers", [0, 1])
def test_a_slow_disk_asks_for_workers_and_the_loader_stays_as_it_is(workers: int) -> None:
    loader = loader_of(Waiting(), workers)
    measurement, _ = measured(loader)
    cores = dict.fromkeys(range(8), 0.1)  # Of a board: this machine may have two, which others keep busy.
    known = replace(measurement, signals=replace(measurement.signals, cores_busy=cores))
    (advised,) = advice(known, Provenance("tiny", "a loop", False, {"workers": workers}))
    assert (advised.kind, advised.saves > 0.2) == ("workers", True)
    assert ("the workers themselves wait" if workers else "the main thread loads data itself") in advised.text
    assert loader.num_workers == workers


def test_the_cpu_time_of_workers_is_theirs_and_that_of_loading_is_the_loops() -> None:
    making_ms = 1e3 * SAMPLES * CPU_S
    alone = measured(loader_of(Working(), 0))[0].signals
    assert alone.children_ms == pytest.approx(0.0, abs=2.0)
    assert alone.process_ms is not None
    assert alone.process_ms > 0.95 * making_ms
    helped = measured(loader_of(Working(), 2))[0].signals
    assert helped.process_ms is not None
    assert helped.process_ms < 0.7 * making_ms
    # The workers may be some minibatches further ahead at one end of the window than at the other.
    assert helped.children_ms == pytest.approx(making_ms, rel=0.5)
