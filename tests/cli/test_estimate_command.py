"""``powertrain estimate``: from the cache, from the reference, on a board and elsewhere."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plain_board import PlainBoard
from typer.testing import CliRunner

from lightning_powertrain.boards import PowerMode, load_board
from lightning_powertrain.cli import app
from lightning_powertrain.evaluation import simulated_profile
from lightning_powertrain.profiling import Key, ProfileCache
from lightning_powertrain.reporting.estimate_text import verdict
from lightning_powertrain.selection import LeastEnergy, PowerBudget
from lightning_powertrain.tuning.estimate import Costs, Estimate, Profiling

BOARD = load_board("orin-agx-64gb")
UNKNOWN = "The profile cache has no profile of this workload."


def run(*words: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, ["estimate", *words])
    assert result.exit_code == exit_code, result.output
    return result.stdout if exit_code == 0 else result.stderr


def record(*words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*words, "--json"))
    return found


def keep(workload: str, *, measured: bool = False, board: str = "orin-agx-64gb") -> None:
    """A profile in the cache, whose first mode is the one that its job started in."""
    modes = load_board(board).modes
    start = modes.index(load_board(board).preset("MODE_50W" if board == "orin-agx-64gb" else "15W"))
    rows = np.random.default_rng(0).choice(len(modes), 60, replace=False)
    profile = simulated_profile(board, workload, modes.array[[start, *rows]], seed=0)
    about = replace(profile.provenance, simulated=not measured, details={"date": "2026-11-25"})
    ProfileCache().store(Key(workload, "this board"), replace(profile, provenance=about))


def test_without_a_profile_the_reference_speaks_and_says_what_it_is() -> None:
    lines = run("--board", "orin-agx-64gb", "--minutes", "480").splitlines()
    assert lines[0].startswith(f"{UNKNOWN} All figures are those of the reference orin-agx-64gb-")
    assert "resnet18 on orin-agx-64gb, which is SIMULATED: no board has measured it. The figures of another" in lines[0]
    found = record("--board", "orin-agx-64gb", "--minutes", "480")
    assert found["start"]["mode"] == dict(BOARD.preset("MODE_30W"))
    assert 0.8 < found["energy"]["low"] < found["energy"]["ratio"] < found["energy"]["high"] < 1
    assert 60 < found["profiling"]["seconds"] < 400
    assert found["worth_it"].startswith("yes, ")
    assert lines[-1] == f"Worth it: {found['worth_it']}."
    assert "h (" in lines[-2]
    assert "instead of 8.00 h and " in lines[-2]


def test_what_the_reference_says_is_true_of_its_workload() -> None:
    found = record("--board", "orin-agx-64gb", "--budget", "30 W")
    modes = BOARD.modes.rows([found["start"]["mode"], found["chosen"]["mode"]])
    start, chosen = simulated_profile("orin-agx-64gb", "resnet18", modes).measurements
    assert found["time"]["low"] < chosen.time_ms / start.time_ms < found["time"]["high"]
    assert found["energy"]["low"] < chosen.energy_mj / start.energy_mj < found["energy"]["high"]


def test_a_workload_that_is_known_needs_one_window() -> None:
    keep("lstm")
    keep("mobilenetv3")
    lines = run("--board", "orin-agx-64gb", "--workload", "lstm", "--budget", "energy").splitlines()
    assert lines[0] == (
        "lstm on orin-agx-64gb, from the cache of profiles: 61 power modes of an earlier job (2026-11-25), SIMULATED."
    )
    assert lines[2].startswith("Start mode (as the earlier job): ")
    assert "12 cores, cpu 1497.6 MHz" in lines[2]
    assert "Profiling: 1 power mode, about 0:0" in "\n".join(lines)
    assert run("--board", "orin-agx-64gb").startswith("mobilenetv3 on ")
    assert run("--board", "orin-agx-64gb", "--workload", "bert").startswith(UNKNOWN)


def test_measured_profiles_come_first() -> None:
    keep("lstm", measured=True)
    keep("mobilenetv3")
    assert run("--board", "orin-agx-64gb").startswith(
        "lstm on orin-agx-64gb, from the cache of profiles: 61 power modes"
    )
    assert ", measured." in run("--board", "orin-agx-64gb").splitlines()[0]


def test_another_board_needs_a_profile_or_a_reference_of_its_own() -> None:
    said = run("--board", "orin-nano-8gb", exit_code=2)
    assert "no profile of orin-nano-8gb is in the cache, and the reference is of orin-agx-64gb" in said
    keep("lstm", board="orin-nano-8gb")
    assert run("--board", "orin-nano-8gb").startswith("lstm on orin-nano-8gb, from the cache")


def test_the_same_board_with_other_tables_may_use_the_reference() -> None:
    found = record("--board", "orin-agx-64gb-jp6")
    assert PowerMode(**found["chosen"]["mode"]) in load_board("orin-agx-64gb-jp6").modes


def test_on_a_board_its_own_mode_is_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = PlainBoard(tmp_path)
    before = board.settings()
    monkeypatch.setattr("lightning_powertrain.cli.estimate._ROOT", tmp_path)
    keep("lstm")  # simulated: no claim about a board that is there
    lines = run().splitlines()
    assert lines[0].startswith(UNKNOWN)
    assert lines[2].startswith("Start mode (as the board is): ")
    assert "6 cores, cpu 1728 MHz, gpu 522.75 MHz" in lines[2]
    assert board.settings() == before
    assert not (tmp_path / "run").exists()


def test_wrong_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning_powertrain.cli.estimate._ROOT", tmp_path)
    assert run(exit_code=2).startswith("powertrain: --board=NAME is missing, since this is not a Jetson.")
    assert "did you mean orin-agx-64gb" in run("--board", "orin-agx64gb", exit_code=2)
    assert "budget='8 h' is not valid" in run("--board", "orin-agx-64gb", "--budget", "8 h", exit_code=2)
    assert "budget='30' is not valid" in run("--board", "orin-agx-64gb", "--budget", "30", exit_code=2)


MODE, OTHER = BOARD.modes.highest, BOARD.modes.lowest
START = Costs(MODE, 100.0, 30.0, 0.01, 0.01)


@pytest.mark.parametrize(
    ("chosen", "extra_j", "minutes", "says"),
    [
        (Costs(OTHER, 100.0, 27.0, 0.01, 0.01), 600.0, None, "in a job that is long enough: profiling is paid back"),
        (Costs(OTHER, 100.0, 27.0, 0.01, 0.01), 600.0, 60, "yes, profiling is paid back in energy after 3:20"),
        (Costs(OTHER, 100.0, 27.0, 0.01, 0.01), 600.0, 3, "no, profiling is paid back in energy after 3:20"),
        (Costs(OTHER, 100.0, 27.0, 0.2, 0.2), 600.0, 60, "perhaps: profiling is paid back in energy after 3:20, but"),
        (Costs(OTHER, 100.0, 27.0, 0.01, 0.01), -1.0, 60, "yes, profiling adds no energy"),
        (START, 600.0, 60, "no, no power mode is expected to be better than the start mode"),
    ],
)
def test_the_verdict(chosen: Costs, extra_j: float, minutes: float | None, says: str) -> None:
    found = Estimate(LeastEnergy(), START, chosen, Profiling(50, 200.0, 20.0, extra_j))
    assert verdict(found, minutes).startswith(says)
    assert verdict(replace(found, profiling=Profiling(0, 0.0, 0.0, 0.0)), minutes).startswith(
        "no, the job is too short"
    )
    assert verdict(replace(found, objective=PowerBudget(20.0)), minutes).startswith(
        "no, no power mode is expected to k"
    )
    if chosen != START:
        kept = replace(found, objective=PowerBudget(28.0))
        assert verdict(kept, minutes) == "yes, the start mode does not keep the budget"
