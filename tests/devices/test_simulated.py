from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from lightning_powertrain.boards import PowerMode, load_board
from lightning_powertrain.devices import BaseDevice, PowerPoller, SimulatedDevice
from lightning_powertrain.errors import ArgumentError, ModeError
from lightning_powertrain.simulation import load_physics, load_workload, simulated_board_names, steady_state


def train(device: SimulatedDevice, minibatches: int) -> list[float]:
    """Seconds of some minibatches."""
    ends_s = [device.clock.now()]
    for _ in range(minibatches):
        device.minibatch_ended()
        ends_s.append(device.clock.now())
    return np.diff(ends_s).tolist()


def truth(device: SimulatedDevice) -> tuple[float, float]:
    """Settled time (ms) and power (W) of the device's mode at its temperature."""
    state = steady_state(
        load_physics(device.board.key),
        device.workload,
        device.modes.rows([device.current_mode()]),
        temperature_c=device.temperature_c,
    )
    return float(state.time_ms[0]), float(state.total_w[0])


@pytest.mark.parametrize(
    ("board", "preset"), [("orin-agx-64gb", "MODE_50W"), ("agx-xavier", "MODE_30W_ALL"), ("orin-nano-8gb", "15W")]
)
def test_it_starts_in_the_preset_in_which_all_gpu_clusters_are_on(board: str, preset: str) -> None:
    device: BaseDevice = SimulatedDevice(board)
    assert device.current_mode() == load_board(board).preset(preset)
    assert device.simulated
    assert device.settle_s == 2.0


def test_a_board_may_be_given_as_such() -> None:
    board = load_board("orin-nano-8gb")
    assert SimulatedDevice(board).board is board


def test_boards_and_workloads_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ArgumentError, match="board='tx2' is not valid"):
        SimulatedDevice("tx2")
    with pytest.raises(ArgumentError, match="workload='gpt' is not valid"):
        SimulatedDevice("orin-agx-64gb", workload="gpt")
    with pytest.raises(ArgumentError, match="workload='gpt' is not valid"):
        SimulatedDevice("orin-agx-64gb").workload = "gpt"  # type: ignore[assignment]


def test_time_passes_only_when_a_minibatch_ends() -> None:
    device = SimulatedDevice("orin-agx-64gb")
    device.apply(device.modes.highest)
    device.read_power()
    assert device.clock.now() == 0.0
    device.minibatch_ended()
    assert device.clock.now() > 0.05


@pytest.mark.parametrize("workload", ["resnet18", "mobilenetv3", "lstm"])
def test_mean_time_and_power_after_settling_are_those_of_the_mode(workload: str) -> None:
    device = SimulatedDevice("orin-agx-64gb", workload)
    poller = PowerPoller(device)
    for preset in ("MAXN", "MODE_15W"):
        device.apply(device.board.preset(preset))
        train(device, round(3e3 / truth(device)[0]) + 10)
        poller.start()
        start_s = device.clock.now()
        times_s = train(device, 400)
        watts = poller.between(start_s, device.clock.now())[1]
        poller.stop()
        time_ms, power_w = truth(device)
        assert 1e3 * np.mean(times_s) == pytest.approx(time_ms, rel=0.02)
        assert watts.mean() == pytest.approx(power_w, rel=0.02, abs=0.5)


def test_power_lags_behind_a_switch_by_the_filter() -> None:
    device = SimulatedDevice("orin-agx-64gb")
    train(device, 200)
    low_w = device.read_power().total_w
    device.apply(device.modes.highest)
    switched_s = device.clock.now()
    seen = []
    while device.clock.now() < switched_s + 3:
        train(device, 1)
        seen.append((device.clock.now() - switched_s, device.read_power().total_w))
    final_w = truth(device)[1]
    lag = [(after_s, (watts - low_w) / (final_w - low_w)) for after_s, watts in seen]
    assert all(share == pytest.approx(1 - np.exp(-after_s / 0.43), abs=0.06) for after_s, share in lag)
    assert lag[0][1] < 0.5
    assert lag[-1][1] > 0.94


@pytest.mark.parametrize("board", simulated_board_names())
def test_every_rail_reads_in_the_steps_of_its_sensor(board: str) -> None:
    device = SimulatedDevice(board)
    train(device, 100)
    reading = device.read_power()
    for name, rail in load_physics(board).rails.items():
        assert reading.rails_w[name] / rail.step_w == pytest.approx(round(reading.rails_w[name] / rail.step_w))
    total = device.board.total
    assert reading.total_w == pytest.approx(sum(reading.rails_w.values()) if total == "sum" else reading.rails_w[total])


def story(seed: int) -> tuple[list[float], list[float]]:
    device = SimulatedDevice("orin-agx-64gb", seed=seed)
    times_s, watts = [], []
    for index in (0, 5000, 18095, 9000):
        device.apply(device.modes.mode(index))
        times_s += train(device, 30)
        watts.append(device.read_power().total_w)
    return times_s, watts


def test_equal_seeds_tell_equal_stories() -> None:
    assert story(3) == story(3)
    assert story(3) != story(4)


def test_reading_power_does_not_change_the_times() -> None:
    quiet, curious = SimulatedDevice("orin-agx-64gb"), SimulatedDevice("orin-agx-64gb")
    PowerPoller(curious).start()
    assert train(quiet, 100) == pytest.approx(train(curious, 100), abs=1e-12)


def test_no_global_random_state_is_touched() -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    story(0)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (np.random.get_state()[1].tolist(), random.getstate())


def test_a_mode_that_is_not_in_the_tables_changes_nothing() -> None:
    device = SimulatedDevice("orin-agx-64gb")
    before = device.current_mode()
    with pytest.raises(ModeError, match="cores=13"):
        device.apply({**before, "cores": 13})
    with pytest.raises(ModeError, match="exactly these knobs"):
        device.apply({"cores": 4})
    assert device.current_mode() == before


def test_restore_brings_back_what_snapshot_saw() -> None:
    device = SimulatedDevice("orin-agx-64gb")
    before = device.current_mode()
    device.restore()
    assert device.current_mode() == before
    device.snapshot()
    assert device.apply(device.modes.highest) == device.current_mode() == device.modes.highest
    device.restore()
    device.restore()
    assert device.current_mode() == before


def test_taking_cores_away_costs_time_at_once_and_speed_afterwards() -> None:
    device = SimulatedDevice("orin-agx-64gb")
    with_all_s = np.mean(train(device, 50))
    device.apply(PowerMode(**{**device.current_mode(), "cores": 1}))
    times_s = train(device, 50)
    assert times_s[0] > times_s[2] + 0.4
    assert np.mean(times_s[10:]) > 3 * with_all_s


def test_too_hot_it_slows_down_until_it_has_cooled_and_still_shows_the_mode_that_was_set() -> None:
    device = SimulatedDevice("orin-agx-64gb", ambient_c=65.0)
    device.apply(device.modes.highest)
    cool_s = np.mean(train(device, 100)[10:])
    assert not device.throttled
    states = []
    for _ in range(20_000):
        device.minibatch_ended()
        states.append(device.throttled)
    thermal = load_physics("orin-agx-64gb").thermal
    assert {True, False} <= set(states)
    assert thermal.release_c - 1 < device.temperature_c < thermal.trip_c + 1
    while not device.throttled:
        device.minibatch_ended()
    assert device.current_mode() == device.modes.highest
    assert np.mean(train(device, 20)) > 1.3 * cool_s
    device.apply(device.board.preset("MODE_15W"))
    train(device, 3000)
    assert not device.throttled


def test_an_idle_board_warms_up_once_it_trains() -> None:
    device = SimulatedDevice("orin-agx-64gb")
    cold_c, idle_w = device.temperature_c, device.read_power().total_w
    train(device, 10_000)
    assert device.temperature_c > cold_c + 5
    assert device.read_power().total_w > idle_w + 5


def test_another_workload_may_be_set() -> None:
    device = SimulatedDevice("orin-agx-64gb")
    train(device, 10)
    device.workload = "lstm"  # type: ignore[assignment]
    assert device.workload == load_workload("lstm")
    assert 1e3 * np.mean(train(device, 300)) == pytest.approx(truth(device)[0], rel=0.02)
