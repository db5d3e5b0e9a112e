from __future__ import annotations

from pathlib import Path

import pytest

from lightning_powertrain.boards import load_board
from lightning_powertrain.evaluation import simulated_profile
from lightning_powertrain.evaluation.calibration import Anchor, anchors, table
from lightning_powertrain.simulation import load_physics, load_workload, steady_state

KNOWN = [anchor for anchor in anchors() if anchor.verified]
WIDER = {("resnet50, inference of 4, MAXN", "W"): 20.0}


@pytest.mark.parametrize("anchor", KNOWN, ids=[f"{anchor.what} ({anchor.unit})" for anchor in KNOWN])
def test_measured_figures_are_met_within_15_percent(anchor: Anchor) -> None:
    assert abs(anchor.deviation_percent) < WIDER.get((anchor.what, anchor.unit), 15.0)


def test_the_table_in_the_docs_is_the_one_that_the_program_prints() -> None:
    page = Path(__file__).parents[2] / "docs" / "simulation.md"
    assert table() in page.read_text(encoding="utf-8")


def test_a_profile_is_the_steady_state_of_each_mode_and_says_that_it_is_simulated() -> None:
    board = load_board("orin-agx-64gb")
    modes = board.grid("study").array[::97]
    profile = simulated_profile("orin-agx-64gb", "lstm", modes)
    state = steady_state(load_physics(board.key), load_workload("lstm"), modes)
    assert profile.provenance.simulated
    assert (profile.provenance.board, profile.provenance.workload) == ("orin-agx-64gb", "lstm")
    assert (profile.modes == modes).all()
    assert profile.time_ms.tolist() == state.time_ms.tolist()
    assert profile.power_w.tolist() == state.total_w.tolist()


def test_a_seed_scatters_a_profile_as_measuring_would() -> None:
    modes = load_board("orin-agx-64gb").grid("study").array
    true, seeded, again = (simulated_profile("orin-agx-64gb", "lstm", modes, seed) for seed in (None, 5, 5))
    assert seeded == again
    assert (seeded.time_ms / true.time_ms - 1).std() == pytest.approx(0.006, rel=0.1)
    assert (seeded.power_w / true.power_w - 1).std() == pytest.approx(0.008, rel=0.1)
