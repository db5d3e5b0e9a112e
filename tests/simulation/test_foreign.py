from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from lightning_powertrain.boards import IntArray, load_board
from lightning_powertrain.devices import open_device
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.simulation import (
    SteadyState,
    foreign,
    load_physics,
    load_workload,
    simulated_board,
    steady_state,
)

BOARDS = [f"foreign-{seed}" for seed in range(200, 212)]


def some_modes(board: str) -> IntArray:
    return simulated_board(board).grid("study").array[::37]


def settled(board: str, workload: str, modes: IntArray) -> SteadyState:
    return steady_state(load_physics(board), load_workload(workload), modes)


@pytest.mark.parametrize("board", BOARDS)
def test_figures_are_those_of_a_jetson(board: str) -> None:
    for workload in ("resnet18", "lstm"):
        state = settled(board, workload, some_modes(board))
        assert (state.time_ms > 2).all()
        assert (state.time_ms < 60_000).all()
        assert state.total_w.min() > 2
        assert state.total_w.max() < 90
        assert state.total_w.max() > 1.7 * state.total_w.min()
        assert (state.ready_ms < 1.2 * state.time_ms).all()
        assert state.temperature_c.max() < 110


def test_a_seed_is_a_board_and_another_is_another() -> None:
    modes = simulated_board("foreign-200").grid("study").array[::37]
    first, again = settled("foreign-200", "resnet18", modes), settled("foreign-200", "resnet18", modes)
    assert (first.time_ms == again.time_ms).all()
    assert (first.total_w == again.total_w).all()
    ratios = set()
    for board in BOARDS:
        known = simulated_board(board).modes
        high, low = known.highest, known.mode(0)
        state = settled(board, "resnet18", known.rows([high, low]))
        ratios.add(round(float(state.time_ms[1] / state.time_ms[0]), 3))
    assert len(ratios) == len(BOARDS)


def test_some_boards_have_the_tables_of_an_orin_and_some_their_own() -> None:
    twins = [simulated_board(board).knobs == load_board("orin-agx-64gb").knobs for board in BOARDS]
    assert 2 < sum(twins) < len(BOARDS) - 2


def test_some_clocks_are_held_and_change_nothing_beyond() -> None:
    held = 0
    for board in BOARDS:
        physics = load_physics(board)
        assert isinstance(physics, foreign.ForeignPhysics)
        if physics.gpu.domain.held_at == 1:
            continue
        held += 1
        known = simulated_board(board).modes
        clocks = np.array([clock for clock in known.knobs[2].values if clock >= physics.gpu.domain.running(np.inf)])
        modes = np.repeat(known.rows([known.highest]), len(clocks), axis=0)
        modes[:, 2] = clocks
        scatter = 5 * sum((*physics.scatter.mode, *physics.scatter.level))
        state = settled(board, "bert-base", modes)
        assert np.ptp(np.log(state.time_ms)) < scatter
        assert np.ptp(np.log(state.total_w)) < scatter
    assert held


def test_voltages_have_a_floor_and_a_steep_end() -> None:
    for board in BOARDS:
        physics = load_physics(board)
        assert isinstance(physics, foreign.ForeignPhysics)
        domain = physics.gpu.domain
        clocks = np.linspace(0.05, 1, 40) * domain.highest_hz
        volts = domain.voltage(clocks)
        assert np.ptp(volts[clocks < domain.knee * domain.highest_hz]) == 0
        assert volts[-1] > volts[0] + 0.15
        assert (np.diff(volts) >= 0).all()


def test_they_share_no_code_with_predictors_or_with_the_calibrated_boards() -> None:
    folder = Path(foreign.__file__).parent
    allowed = {"physics": {"FloatArray", "Rail", "Scatter", "Thermal"}, "timing": {"Activity", "Clocks"}}
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert "prediction" not in str(node.module)
                room, _, module = str(node.module).rpartition(".")
                if room == "lightning_powertrain.simulation" and module in allowed:
                    assert {each.name for each in node.names} <= allowed[module]


@pytest.mark.parametrize("name", ["foreign-", "foreign-x", "foreign--1", "foreign-1.5", "foreign"])
def test_what_is_no_seed_is_refused(name: str) -> None:
    with pytest.raises(ArgumentError, match="foreign-SEED"):
        simulated_board(name)
    with pytest.raises(ArgumentError, match="foreign-SEED"):
        open_device(f"simulated:{name}")
