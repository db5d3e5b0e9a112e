"""``powertrain characterize``: what it prints, and its exit code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lightning_powertrain.characterization import DEFAULT_MINUTES, DEFAULT_MODES, survey
from lightning_powertrain.cli import app
from lightning_powertrain.cli.characterize import characterize
from lightning_powertrain.errors import DeviceError
from lightning_powertrain.profiling import Profile

BOARD = "simulated:orin-agx-64gb:lstm"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def run(*arguments: str, exit_code: int = 0) -> str:
    done = CliRunner().invoke(app, ["characterize", *arguments])
    assert done.exit_code == exit_code, done.output
    return done.output


def test_it_measures_a_simulated_board_and_says_how_to_use_the_file(folder: Path) -> None:
    text = run("--device", BOARD, "--modes", "100", "--note", "no room")
    assert text.startswith("SIMULATED: lstm trains on Jetson AGX Orin 64 GB while up to 100 modes are measured.\n")
    assert "Measured: 100 power modes of 18,096, 5 of them four times.\n" in text
    assert "The data is good enough for a reference.\n" in text
    assert "powertrain reference fit orin-agx-64gb-lstm.csv --name orin-agx-64gb-lstm-reference\n" in text
    profile = Profile.load(folder / "orin-agx-64gb-lstm.csv")
    assert len(profile) == 115
    assert profile.provenance.simulated
    assert profile.provenance.details["note"] == "no room"
    fitted = CliRunner().invoke(app, ["reference", "fit", "orin-agx-64gb-lstm.csv", "--name", "mine"])
    assert fitted.exit_code == 0, fitted.output
    assert "SIMULATED" in fitted.output


def test_ctrl_c_keeps_what_was_measured_and_the_same_command_continues(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("--device", BOARD, "--modes", "10", "--out", "mine.csv")
    measured = survey.Survey._measured

    def interrupted(self: survey.Survey, mode: Any) -> Any:
        if len(self._runner.profile) == 4:
            raise KeyboardInterrupt
        return measured(self, mode)

    with monkeypatch.context() as patch:
        patch.setattr(survey.Survey, "_measured", interrupted)
        text = run(*arguments, exit_code=1)
    assert text.endswith("Interrupted: the board is restored. Run the same command again to continue.\n")
    assert len(Profile.load("mine.csv")) == 4
    text = run(*arguments, exit_code=1)
    assert "Problem: 10 modes were measured, and a reference needs 100.\nThe data is not good enough.\n" in text
    assert len(Profile.load("mine.csv")) == 25


def test_off_a_jetson_one_line_says_so(folder: Path) -> None:
    text = run(exit_code=1)
    assert text.startswith("powertrain: no Jetson found here")
    assert text.count("\n") == 1
    assert list(folder.iterdir()) == []


def test_the_gpu_is_awake_before_the_board_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def opened(name: str | None, seed: int) -> None:
        calls.append("open")
        raise DeviceError("no more of this")

    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.zeros", lambda *shape, device: calls.append(device))
    monkeypatch.setattr("lightning_powertrain.devices.open_device", opened)
    assert run(exit_code=1) == "powertrain: no more of this\n"
    assert calls == ["cuda", "open"]


@pytest.mark.parametrize(
    ("option", "value"), [("--modes", "3"), ("--minutes", "0"), ("--power-limit", "-3"), ("--device", "simulated:x")]
)
def test_wrong_calls_exit_2(folder: Path, option: str, value: str) -> None:
    text = run(*(() if option == "--device" else ("--device", BOARD)), option, value, exit_code=2)
    assert text.startswith(f"powertrain: {option[2:].replace('-', '_')}=")
    assert list(folder.iterdir()) == []


def test_the_defaults_are_those_of_the_plan() -> None:
    defaults = characterize.__defaults__
    assert defaults is not None
    assert {DEFAULT_MODES, DEFAULT_MINUTES} <= set(defaults)
