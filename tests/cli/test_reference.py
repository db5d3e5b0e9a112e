"""``powertrain reference fit|show``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from lightning_powertrain.boards import load_board
from lightning_powertrain.cli import app
from lightning_powertrain.evaluation import simulated_profile
from lightning_powertrain.prediction import ReferenceProfile, load_reference, reference_names
from lightning_powertrain.prediction.baselines import PaperNetworks
from lightning_powertrain.profiling import Profile

BUNDLED = "orin-agx-64gb-resnet18"


@pytest.fixture(autouse=True)
def narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")


@pytest.fixture
def profile(tmp_path: Path) -> Path:
    """A small profile that pretends to be measured."""
    board = load_board("orin-agx-64gb")
    rows = board.modes.array[np.random.default_rng(0).choice(len(board.modes), 15, replace=False)]
    simulated = simulated_profile(board, "resnet18", rows)
    path = tmp_path / "profile.csv"
    replace(simulated, provenance=replace(simulated.provenance, simulated=False, details={})).save(path)
    return path


def run(*arguments: object, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, ["reference", *map(str, arguments)])
    assert result.exit_code == exit_code, result.output
    return result.stdout if exit_code == 0 else result.stderr


def test_fit_writes_a_reference_that_show_and_the_library_read(profile: Path, tmp_path: Path) -> None:
    written = run("fit", profile, "--name", "mine", "--out", tmp_path, "--seed", 3, "--date", "2026-01-02")
    assert "SIMULATED" not in written
    assert "measured" in written
    reference = ReferenceProfile.load(tmp_path / "mine")
    assert (len(reference.profile), reference.seed) == (15, 3)
    assert reference.details["date"] == "2026-01-02"
    assert reference.details["command"] == (
        f"powertrain reference fit {profile} --name mine --seed 3 --date 2026-01-02"
    )
    shown = run("show", tmp_path / "mine.json")
    assert f"{reference.time_error:.1%}" in shown
    assert f"{reference.power_error:.1%}" in shown
    assert "2026-01-02" in shown


def test_fit_writes_networks_of_the_paper_instead(profile: Path, tmp_path: Path) -> None:
    written = run("fit", profile, "--name", "mine", "--out", tmp_path, "--seed", 3, "--paper")
    networks = PaperNetworks.load(tmp_path / "mine")
    assert networks.details["seed"] == 3
    assert networks.details["command"] == f"powertrain reference fit {profile} --name mine --seed 3 --paper"
    assert f"{networks.held_out.time:.1%}" in written
    assert f"{networks.all_modes.power:.1%}" in written
    assert "cannot be read as a reference file" in run("show", tmp_path / "mine.json", exit_code=1)


def test_same_command_writes_the_same_bytes(profile: Path, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        run("fit", profile, "--name", "mine", "--out", tmp_path / folder)
    for name in ("mine.json", "mine.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_fit_simulates_a_profile_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[Profile] = []

    def fit_reference(profile: Profile, seed: int, details: dict[str, Any]) -> ReferenceProfile:
        fitted.append(profile)
        return replace(load_reference(BUNDLED), seed=seed, details=details)

    monkeypatch.setattr("lightning_powertrain.prediction.fit_reference", fit_reference)
    command = ("fit", "simulated:orin-agx-64gb:lstm", "--grid", "study", "--name", "x", "--out", tmp_path)
    assert "SIMULATED" in run(*command)
    run(*command, "--modes", 30)
    profile, sampled = fitted
    assert (len(profile), profile.provenance.workload, profile.provenance.simulated) == (4368, "lstm", True)
    assert ReferenceProfile.load(tmp_path / "x").details["grid"] == "study"
    assert len({measurement.mode for measurement in sampled.measurements}) == 30
    assert {tuple(mode) for mode in sampled.modes} <= {tuple(mode) for mode in profile.modes}


def test_list_and_details_say_simulated() -> None:
    assert BUNDLED in run("show")
    assert "SIMULATED" in run("show")
    shown = run("show", BUNDLED)
    assert "SIMULATED: no figure in it was measured on a board." in shown
    assert "4,368" in shown


def test_json_is_all_that_is_known() -> None:
    record = json.loads(run("show", BUNDLED, "--json"))
    assert record == {"name": BUNDLED, **load_reference(BUNDLED).about()}
    assert record["provenance"]["simulated"] is True
    assert [each["name"] for each in json.loads(run("show", "--json"))] == list(reference_names())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "unheard-of"), BUNDLED),
        (("fit", "simulated:orin-agx-64gb", "--name", "x"), "simulated:BOARD:WORKLOAD"),
        (("fit", "simulated:toaster:lstm", "--name", "x"), "toaster"),
        (("fit", "simulated:orin-agx-64gb:lstm", "--grid", "coarse", "--name", "x"), "coarse"),
        (("fit", "profile.csv", "--grid", "study", "--name", "x"), "only together with a simulated profile"),
        (("fit", "profile.csv", "--modes", "9", "--name", "x"), "--modes=9"),
        (("fit", "simulated:orin-agx-64gb:lstm", "--modes", "99999", "--name", "x"), "99999"),
        (("fit", "profile.csv", "--name", "../x"), "a name without folders"),
        (("fit", "profile.csv", "--name", ""), "a name without folders"),
    ],
)
def test_wrong_calls_exit_2(arguments: tuple[str, ...], message: str) -> None:
    assert message in run(*arguments, exit_code=2)


def test_files_that_cannot_be_read_exit_1(tmp_path: Path) -> None:
    assert "is not a profile" in run("fit", tmp_path / "none.csv", "--name", "x", exit_code=1)
    assert "cannot be read as a reference file" in run("show", tmp_path / "none.json", exit_code=1)
