"""``powertrain modes``, and what all commands share: version, exit codes, errors in one line."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from math import prod
from typing import Any

import pytest
from typer.testing import CliRunner

from lightning_powertrain.boards import board_names, load_board
from lightning_powertrain.cli import app
from lightning_powertrain.errors import UnknownTableError


@pytest.fixture(autouse=True)
def narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")


def run(*arguments: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, ["modes", *arguments])
    assert result.exit_code == exit_code, result.output
    return result.stdout if exit_code == 0 else result.stderr


def record(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json"))


def test_list_names_every_board_with_its_modes() -> None:
    listing = run()
    assert all(name in listing and load_board(name).title in listing for name in board_names())
    assert "12 cores x 29 cpu_khz x 13 gpu_hz x 4 emc_hz" in listing
    assert "18,096 power modes" in listing
    assert "8 cores x 29 cpu_khz x ? gpu_hz x 4 emc_hz" in listing
    assert "unknown until read from the board: gpu_hz" in listing


@pytest.mark.parametrize("name", ["", *board_names()])
def test_text_fits_eighty_columns(name: str) -> None:
    text = run(*filter(None, [name]))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text, "nothing may be cut off"


def test_board_shows_values_presets_rails_and_grids() -> None:
    text = run("orin-agx-64gb")
    for part in ("1113.6", "114.75", "MODE_30W *", "VDDQ_VDD2_1V8AO", "p3701-0005", "Grid study: 4,368 power modes"):
        assert part in text


@pytest.mark.parametrize("name", board_names())
def test_every_value_is_shown_in_megahertz(name: str) -> None:
    words = set(run(name).split())
    for knob in load_board(name).knobs:
        divisor = {"kHz": 1_000, "Hz": 1_000_000, "": 1}[knob.unit]
        assert {f"{value / divisor:.6g}" for value in knob.values} <= words


def test_unknown_table_is_said_to_be_unknown() -> None:
    assert "unknown until read from the board: cpu_khz, gpu_hz, emc_hz" in run("thor")


def test_grid_restricts_the_values() -> None:
    assert "4,368 power modes" in run("orin-agx-64gb", "--grid", "study")
    knobs = {knob["name"]: knob["values"] for knob in record("orin-agx-64gb", "--grid", "study")["knobs"]}
    assert knobs["cores"] == [2, 4, 6, 8, 10, 12]
    assert prod(map(len, knobs.values())) == 4_368


@pytest.mark.parametrize("name", board_names())
def test_json_says_what_the_board_says(name: str) -> None:
    board, shown = load_board(name), record(name)
    assert shown["key"] == name
    assert [(knob["name"], tuple(knob["values"] or ())) for knob in shown["knobs"]] == [
        (knob.name, knob.values) for knob in board.knobs
    ]
    assert shown["modes"] == (None if board.unknown_knobs else len(board.modes))
    assert [(preset["id"], preset["caps"]) for preset in shown["presets"]] == [(p.id, p.caps) for p in board.presets]
    assert (shown["rails"], shown["total"]) == (list(board.rails), board.total)


def test_json_list_holds_the_records_of_all_boards() -> None:
    assert record() == [record(name) for name in board_names()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["orin"], "board='orin' is not valid. Allowed: one of agx-xavier, "),
        (["thor", "--grid", "study"], "grid='study' is not valid. Allowed: none for thor."),
        (["--grid", "study"], "--grid='study' is not valid. Allowed: only together with a board."),
    ],
)
def test_wrong_call_is_one_line_and_exit_code_2(arguments: list[str], message: str) -> None:
    error = run(*arguments, exit_code=2)
    assert error.startswith(f"powertrain: {message}")
    assert error.count("\n") == 1


def test_what_did_not_work_is_one_line_and_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> None:
        raise UnknownTableError(f"no table\nof {name}")

    monkeypatch.setattr("lightning_powertrain.cli.modes.load_board", fail)
    assert run("thor", exit_code=1) == "powertrain: no table of thor\n"


def test_unknown_option_is_a_wrong_call() -> None:
    run("--nonsense", exit_code=2)


def test_version() -> None:
    result = CliRunner().invoke(app, ["--version"])
    assert (result.exit_code, result.stdout) == (0, f"powertrain {version('lightning-powertrain')}\n")


def test_installed_command_prints_json_only() -> None:
    command = [sys.executable, "-W", "error", "-m", "lightning_powertrain.cli", "modes", "orin-nano-8gb", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["modes"] == 1_800
    assert done.stderr == ""


def test_command_line_starts_without_torch() -> None:
    code = "import sys, lightning_powertrain.cli as cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
