from __future__ import annotations

import numpy as np
import pytest

from lightning_powertrain.boards import load_board
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.simulation import (
    SteadyState,
    load_physics,
    load_workload,
    simulated_board_names,
    steady,
    steady_state,
    workload_names,
)

COMBINATIONS = [("orin-agx-64gb", name) for name in workload_names()] + [
    (board, "resnet18") for board in simulated_board_names() if board != "orin-agx-64gb"
]


def settled(board: str, workload: str) -> SteadyState:
    return steady_state(load_physics(board), load_workload(workload), load_board(board).modes.array)


@pytest.fixture
def no_idiosyncrasies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady, "_hashed_normal", lambda modes, salt: np.zeros(len(modes)))


@pytest.mark.usefixtures("no_idiosyncrasies")
@pytest.mark.parametrize(("board", "workload"), COMBINATIONS)
def test_more_of_anything_is_hardly_ever_slower_and_a_higher_clock_draws_more(board: str, workload: str) -> None:
    shape = load_board(board).modes.shape
    state = settled(board, workload)
    time_ms, power_w = state.time_ms.reshape(shape), state.total_w.reshape(shape)
    for axis in range(4):
        assert np.diff(np.log(time_ms), axis=axis).max() < 0.05, axis
    for axis in (1, 2):
        assert np.diff(np.log(power_w), axis=axis).min() > -0.02, axis
        assert (np.take(power_w, -1, axis=axis) > np.take(power_w, 0, axis=axis)).all()


def test_modes_have_idiosyncrasies_of_about_one_and_half_a_percent(monkeypatch: pytest.MonkeyPatch) -> None:
    real = settled("orin-agx-64gb", "resnet18")
    monkeypatch.setattr(steady, "_hashed_normal", lambda modes, salt: np.zeros(len(modes)))
    smooth = settled("orin-agx-64gb", "resnet18")
    time_scatter, power_scatter = real.time_ms / smooth.time_ms - 1, real.total_w / smooth.total_w - 1
    assert abs(time_scatter.mean()) < 0.001
    assert 0.008 < time_scatter.std() < 0.012
    assert 0.004 < power_scatter.std() < 0.006
    assert abs(np.corrcoef(time_scatter, power_scatter)[0, 1]) < 0.05


def test_a_mode_gets_the_same_figures_alone_and_among_others() -> None:
    physics, workload = load_physics("orin-agx-64gb"), load_workload("mobilenetv3")
    modes = load_board("orin-agx-64gb").modes.array[::997]
    together = steady_state(physics, workload, modes)
    for row in range(len(modes)):
        alone = steady_state(physics, workload, modes[row : row + 1])
        assert alone.time_ms[0] == pytest.approx(together.time_ms[row], rel=1e-12)
        assert alone.rails_w[0] == pytest.approx(together.rails_w[row], rel=1e-12)


@pytest.mark.parametrize("board", simulated_board_names())
def test_rails_are_those_of_the_catalogue_and_add_up_to_its_total(board: str) -> None:
    state, total = settled(board, "resnet18"), load_board(board).total
    assert state.rails == load_board(board).rails
    assert (state.rails_w >= 0).all()
    expected = state.rails_w.sum(axis=1) if total == "sum" else state.rails_w[:, state.rails.index(total)]
    assert state.total_w == pytest.approx(expected)


def test_one_core_is_much_slower_where_data_must_be_loaded_and_not_where_it_lies_ready() -> None:
    modes = load_board("orin-agx-64gb").modes
    pair = modes.rows([modes.at_most({"cores": 1}), modes.highest])
    physics = load_physics("orin-agx-64gb")
    loading = steady_state(physics, load_workload("resnet18"), pair).time_ms
    ready = steady_state(physics, load_workload("bert-base"), pair).time_ms
    assert loading[0] > 3 * loading[1]
    assert ready[0] < 1.1 * ready[1]


def test_gpu_and_loader_overlap_instead_of_adding_up() -> None:
    modes = load_board("orin-agx-64gb").modes
    physics, workload = load_physics("orin-agx-64gb"), load_workload("resnet18-gld23k")
    highest = steady_state(physics, workload, modes.rows([modes.highest]))
    assert highest.ready_ms[0] < highest.time_ms[0] < 1.9 * highest.ready_ms[0]


def test_a_mode_settles_where_heat_in_equals_heat_out() -> None:
    physics, workload = load_physics("orin-agx-64gb"), load_workload("resnet18")
    modes = load_board("orin-agx-64gb").modes.array[::1009]
    settled = steady_state(physics, workload, modes, ambient_c=30.0)
    assert settled.temperature_c == pytest.approx(30.0 + physics.thermal.resistance_c_per_w * settled.total_w)
    for row in range(len(modes)):
        held = steady_state(physics, workload, modes[row : row + 1], temperature_c=float(settled.temperature_c[row]))
        assert held.total_w[0] == pytest.approx(settled.total_w[row])


def test_a_warmer_board_leaks_more_and_is_no_slower() -> None:
    physics, workload = load_physics("orin-agx-64gb"), load_workload("resnet18")
    modes = load_board("orin-agx-64gb").modes.array[::1009]
    cold, warm = (steady_state(physics, workload, modes, temperature_c=degrees) for degrees in (30.0, 80.0))
    assert (warm.total_w > cold.total_w).all()
    assert (warm.time_ms == cold.time_ms).all()
    assert warm.total_w - cold.total_w == pytest.approx(50 * cold.total_w_per_c)


@pytest.mark.parametrize("board", simulated_board_names())
def test_an_idle_board_draws_less_than_a_busy_one(board: str) -> None:
    modes = load_board(board).modes.array
    assert (steady_state(load_physics(board), None, modes).total_w < settled(board, "resnet18").total_w).all()


@pytest.mark.parametrize("board", simulated_board_names())
def test_voltage_stands_on_the_steps_of_the_regulator_just_above_the_curve(board: str) -> None:
    physics, knobs = load_physics(board), {knob.name: knob.values for knob in load_board(board).knobs}
    for supply, clock_hz in (
        (physics.cpu.supply, 1e3 * np.array(knobs["cpu_khz"])),
        (physics.gpu.supply, 1.0 * np.array(knobs["gpu_hz"])),
    ):
        volts = supply.voltage(clock_hz)
        needed = np.interp(clock_hz / 1e6, supply.clock_mhz, supply.volts)
        assert volts / supply.step_v == pytest.approx(np.round(volts / supply.step_v))
        assert (volts >= needed - 1e-9).all()
        assert (volts < needed + supply.step_v).all()


def test_unknown_names_are_refused_with_all_that_are_known() -> None:
    with pytest.raises(ArgumentError, match=r"board='tx3' .* agx-xavier, orin-agx-64gb, orin-nano-8gb"):
        load_physics("tx3")
    with pytest.raises(ArgumentError, match=r"workload='gpt' .* resnet18"):
        load_workload("gpt")
