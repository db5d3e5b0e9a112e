"""How busy a simulated board says it is, against what its physics says."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import ComputingCost, CpuTimes, SimulatedDevice
from lightning_powertrain.simulation import SteadyState, Workload, load_physics, load_workload, steady_state
from lightning_powertrain.tuner import Tuner

FREE = ComputingCost(0.0)
AGX = "orin-agx-64gb"
# Waits for its loader, never waits, and has two cores for five threads.
STARVED = {"cores": 11, "cpu_khz": 883200, "gpu_hz": 1032750000, "emc_hz": 3199000000}
FED = {"cores": 12, "cpu_khz": 2201600, "gpu_hz": 522750000, "emc_hz": 3199000000}
CROWDED = {"cores": 2, "cpu_khz": 2201600, "gpu_hz": 1300500000, "emc_hz": 3199000000}


def opened(board: str, workload: str | Workload, mode: dict[str, int]) -> tuple[SimulatedDevice, SteadyState]:
    """A device that has settled in a mode, and the truth about it."""
    device = SimulatedDevice(board, workload, computing=FREE)
    device.apply(PowerMode(**mode))
    for _ in range(20):
        device.minibatch_ended()
    return device, steady_state(load_physics(board), device.workload, device.modes.rows([PowerMode(**mode)]))


def spent(before: CpuTimes, after: CpuTimes) -> Iterator[float]:
    for earlier, later in ((before.process_s, after.process_s), (before.children_s, after.children_s)):
        assert earlier is not None
        assert later is not None
        yield later - earlier


@pytest.mark.parametrize("mode", [STARVED, FED, CROWDED], ids=["waits", "never waits", "crowded"])
@pytest.mark.parametrize("board", [AGX, "foreign-3"])
def test_counters_and_waits_are_those_of_the_physics(board: str, mode: dict[str, int]) -> None:
    device, truth = opened(board, "resnet18", mode)
    before, start_s = device.read_cpu_times(), device.clock.now()
    loads, waited_s = [], 0.0
    for _ in range(300):
        gap_s = device.clock.now()
        device.minibatch_started()
        waited_s += device.clock.now() - gap_s
        loads.append(device.read_load())
        device.minibatch_ended()
    seconds = device.clock.now() - start_s
    process_s, children_s = spent(before, device.read_cpu_times())
    assert process_s / seconds == pytest.approx(truth.busy.process[0], rel=0.06)
    assert children_s / seconds == pytest.approx(truth.busy.workers[0], rel=0.06)
    expected_wait = float(1 - truth.ready_ms[0] / truth.time_ms[0])
    assert waited_s / seconds == pytest.approx(expected_wait, rel=0.02, abs=1e-9)
    assert np.mean([load.gpu for load in loads]) == pytest.approx(truth.busy.gpu[0], abs=0.03)
    assert np.mean([load.emc_active_hz for load in loads]) == pytest.approx(truth.busy.emc_active_hz[0], rel=0.03)
    busy = [device.read_cpu_times().cores_s[core] - before.cores_s[core] for core in range(mode["cores"])]
    everything = truth.busy.process[0] + truth.busy.workers[0] + truth.busy.system[0]
    assert sum(busy) / seconds == pytest.approx(everything, rel=0.06)
    assert max(busy) <= seconds + 0.01


def test_threads_that_share_two_cores_use_no_more_than_two() -> None:
    _, truth = opened(AGX, "mobilenetv3", CROWDED)
    assert truth.busy.process[0] + truth.busy.workers[0] + truth.busy.system[0] == pytest.approx(2.0)


def test_one_reading_of_the_load_says_little_unless_the_gpu_is_always_busy() -> None:
    scatter = {}
    for name, mode in (("waits", STARVED), ("never waits", FED)):
        device, _ = opened(AGX, "resnet18", mode)
        scatter[name] = float(np.std([device.read_load().gpu or 0.0 for _ in range(200)]))
    assert scatter["waits"] > 0.1
    assert scatter["never waits"] < 0.02


def test_the_load_follows_a_switch_with_a_lag() -> None:
    device, truth = opened(AGX, "resnet18", STARVED)
    device.apply(PowerMode(**FED))
    device.clock.advance(0.05)
    soon = np.mean([device.read_load().gpu for _ in range(100)])
    device.clock.advance(1.0)
    later = np.mean([device.read_load().gpu for _ in range(100)])
    assert truth.busy.gpu[0] - 0.05 < soon < later - 0.1


def test_a_loop_that_does_not_report_its_data_takes_as_long() -> None:
    (reported, _), (unreported, _) = opened(AGX, "resnet18", STARVED), opened(AGX, "resnet18", STARVED)
    for _ in range(30):
        reported.minibatch_started()
        reported.minibatch_started()  # A second report of the same minibatch changes nothing.
        reported.minibatch_ended()
        unreported.minibatch_ended()
    assert reported.clock.now() == pytest.approx(unreported.clock.now())


def test_without_workers_the_wait_is_the_loading() -> None:
    known = load_workload("resnet18")
    alone = Workload("alone", known.groups, 16, known.host_mcycles, known.loader_mcycles, known.loader_mb, 0, 0)
    ready = Workload("ready", known.groups, 16, known.host_mcycles, 0.0, 0.0, 0, 0)
    device, truth = opened(AGX, alone, FED)
    _, without = opened(AGX, ready, FED)
    start_s = device.clock.now()
    device.minibatch_started()
    waited_s = device.clock.now() - start_s
    device.minibatch_ended()
    share = waited_s / (device.clock.now() - start_s)
    assert share == pytest.approx(float(truth.loading_ms[0] / truth.time_ms[0]))
    assert share == pytest.approx(float(1 - without.time_ms[0] / truth.time_ms[0]), abs=0.03)
    assert truth.busy.workers[0] == 0


def test_an_idle_board_is_not_busy() -> None:
    device, _ = opened(AGX, "resnet18", FED)
    before = device.read_cpu_times()
    device.wait(5.0)
    assert list(spent(before, device.read_cpu_times())) == [0.0, 0.0]
    assert (device.read_load().gpu or 0.0) < 0.01


def test_windows_of_a_tuned_job_hold_them() -> None:
    device = SimulatedDevice(AGX, "mobilenetv3", computing=FREE)
    with Tuner("30 W", device=device, max_modes=5, verbose=False).start(prefetched=8) as tuner:
        for _ in range(500):
            tuner.minibatch_started()
            tuner.minibatch_ended()
        assert tuner.profile is not None
        measurements = tuner.profile.measurements
    assert len(measurements) >= 6
    for each in measurements:
        truth = steady_state(load_physics(AGX), device.workload, device.modes.rows([each.mode]))
        signals = each.signals
        assert set(signals.rails_w) == set(truth.rails)
        assert signals.gpu_load == pytest.approx(truth.busy.gpu[0], abs=0.1)
        assert signals.process_ms == pytest.approx(truth.busy.process[0] * truth.time_ms[0], rel=0.08)
        assert signals.children_ms == pytest.approx(truth.busy.workers[0] * truth.time_ms[0], rel=0.08)
        assert signals.data_wait_ms == pytest.approx(truth.time_ms[0] - truth.ready_ms[0], rel=0.1, abs=2.0)
