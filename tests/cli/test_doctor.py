"""``powertrain doctor``: what it prints, and its exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Callable

import pytest
from plain_board import PlainBoard, start_helper
from typer.testing import CliRunner

from lightning_powertrain.cli import app
from lightning_powertrain.devices import inspection
from lightning_powertrain.devices.facts import TorchFacts
from lightning_powertrain.errors import DeviceError

Machine = Callable[[bool], None]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Makes the machine one of plain files, with the helper or without."""
    look = inspection.inspect
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(inspection, "SAMPLING_S", 0.25)
    monkeypatch.setattr(inspection, "torch_facts", lambda: TorchFacts("2.8.0", "12.6", "Orin [nvgpu]"))

    def become(helper: bool) -> None:
        def start() -> inspection.HelperClient:
            if not helper:
                raise DeviceError("it is not installed: `sudo powertrain setup-helper` installs it")
            return start_helper(tmp_path)

        monkeypatch.setattr(inspection, "inspect", lambda: look(tmp_path, start))

    return become


def run(*arguments: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, ["doctor", *arguments])
    assert result.exit_code == exit_code, result.output
    return result.stdout


def test_a_board_that_can_be_tuned(machine: Machine, tmp_path: Path) -> None:
    PlainBoard(tmp_path)
    machine(True)
    text = run()
    assert text.endswith("\nTuning works here.\n")
    assert "A board of plain files" in text
    assert "Orin [nvgpu]" in text, "what a machine says is not taken for markup"
    assert max(map(len, text.splitlines())) <= 80


def test_without_the_helper_it_exits_1_and_shows_the_command_unbroken(machine: Machine, tmp_path: Path) -> None:
    PlainBoard(tmp_path)
    machine(False)
    text = run(exit_code=1)
    assert "\nroot helper:\n  sudo powertrain setup-helper\n" in text
    assert text.endswith("\nTuning cannot work here.\n")


def test_elsewhere_it_exits_1_and_points_to_the_demo(machine: Machine) -> None:
    machine(False)
    text = run(exit_code=1)
    assert "this is not a Jetson" in text
    assert "\nboard:\n  powertrain demo\n" in text


@pytest.mark.parametrize("works", [True, False])
def test_json_is_json_and_nothing_else(machine: Machine, tmp_path: Path, works: bool) -> None:
    PlainBoard(tmp_path)
    machine(works)
    record = json.loads(run("--json", exit_code=0 if works else 1))
    assert record["tuning_works"] is works
    (helper,) = [each for each in record["findings"] if each["check"] == "root helper"]
    assert helper["status"] == ("ok" if works else "fail")
    assert helper["fix"] == ("" if works else "sudo powertrain setup-helper")
