"""``powertrain apply``: on boards of plain files, and on virtual ones that behave."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from typing import Callable

import pytest
from plain_board import PlainBoard, start_helper
from stories import corrected, make_outcome, on_board, verified
from typer.testing import CliRunner
from virtual_board import MountedBoard, mounted, why_unavailable

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.cli import app
from lightning_powertrain.devices import SysfsDevice
from lightning_powertrain.devices.helper_client import HelperClient
from lightning_powertrain.errors import DeviceError
from lightning_powertrain.reporting import write_run

FOUND = "6 cores, cpu 1728 MHz, gpu 522.75 MHz, emc 3199 MHz"
MODE = "2 cores, cpu 729.6 MHz, gpu 114.75 MHz, emc 2133 MHz"
OUTCOME = verified(make_outcome(simulated=False))
CHOSEN = PowerMode(cores=2, cpu_khz=2201600, gpu_hz=114750000, emc_hz=3199000000)  # both boards have it

Run = Callable[..., str]


@pytest.fixture
def board(tmp_path: Path) -> PlainBoard:
    return PlainBoard(tmp_path / "board")


@pytest.fixture
def run(board: PlainBoard, monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(board.root, monkeypatch)


def runner(root: Path, monkeypatch: pytest.MonkeyPatch, start: Callable[[], HelperClient] | None = None) -> Run:
    """Runs ``powertrain`` on the board under ``root``; gives what it says."""
    helper = start or (lambda: start_helper(root))
    monkeypatch.setattr("lightning_powertrain.devices.sysfs.find_jetson", lambda: SysfsDevice(root, helper))
    monkeypatch.setattr("lightning_powertrain.devices.helper_client.HelperClient", helper)
    monkeypatch.setattr("lightning_powertrain.cli.restore._ROOT", root)

    def invoke(*words: str, exit_code: int = 0) -> str:
        result = CliRunner().invoke(app, words)
        assert result.exit_code == exit_code, result.output
        said = result.stdout if exit_code == 0 else result.stderr
        assert len(said.splitlines()) == 1
        return said.rstrip("\n")

    return invoke


def kept_run(folder: Path, board: str = "orin-agx-64gb", *, simulated: bool = False) -> Path:
    """A run that has chosen a mode of the plain board."""
    outcome = on_board(verified(make_outcome(simulated=simulated)), board)
    measured = replace(outcome.selection.measured, mode=CHOSEN)
    selection = replace(outcome.selection, mode=measured.mode, measured=measured)
    write_run(replace(outcome, selection=selection), folder / "version_0" / "powertrain")
    return folder


def test_a_mode_stays_until_it_is_restored(board: PlainBoard, run: Run) -> None:
    before = board.settings()
    assert run("apply", MODE) == (
        f"The board stays in {MODE} until `powertrain restore` or a reboot. It was in {FOUND} before."
    )
    applied = board.settings()
    assert applied != before
    assert run("apply", MODE.replace("2 cores", "1 core")).endswith(f"It was in {MODE} before.")
    assert run("apply", MODE).startswith(f"The board stays in {MODE}")
    assert board.settings() == applied
    assert run("restore") == f"The board is as it was: {FOUND}."
    assert board.settings() == before
    assert run("restore").startswith("There is nothing to restore.")


def test_a_run_gives_its_mode(board: PlainBoard, run: Run, tmp_path: Path) -> None:
    assert run("apply", str(kept_run(tmp_path / "logs"))).startswith(f"The board stays in {CHOSEN} until")
    assert run("restore") == f"The board is as it was: {FOUND}."


def test_a_corrected_run_gives_the_mode_that_it_ended_in(tmp_path: Path) -> None:
    from lightning_powertrain.reporting.saved_run import SavedRun

    outcome = corrected(OUTCOME)
    write_run(replace(OUTCOME, corrections=outcome.corrections), tmp_path)
    assert SavedRun.load(tmp_path).mode == outcome.selection.mode != OUTCOME.selection.mode


@pytest.mark.parametrize("end", ["closed", "killed"])
def test_a_job_on_top_returns_to_the_mode_that_was_applied(board: PlainBoard, run: Run, end: str) -> None:
    before = board.settings()
    run("apply", MODE)
    applied = board.settings()
    job = SysfsDevice(board.root, lambda: start_helper(board.root))
    assert str(job.current_mode()) == MODE
    job.snapshot()
    job.apply(job.modes.highest)
    assert run("apply", MODE, exit_code=1).endswith("another process holds this board")
    assert run("restore", exit_code=1).endswith("another process holds this board")
    if end == "killed":
        assert job._helper is not None
        job._helper._transport.process.kill()  # type: ignore[attr-defined]
    job.close()
    start_helper(board.root).close()
    assert board.settings() == applied
    run("restore")
    assert board.settings() == before


def test_nothing_is_set_that_the_board_lacks(board: PlainBoard, run: Run) -> None:
    before = board.settings()
    said = run("apply", MODE.replace("729.6", "700"), exit_code=2)
    assert f"Did you mean {MODE}?" in said
    assert "Allowed: a value of each knob of this board, as in " in run("apply", "2 cores, gpu 10 MHz", exit_code=2)
    said = run("apply", "lgos", exit_code=2)
    assert said.startswith("powertrain: RUN|MODE='lgos' is not valid. Allowed: the folder of a run, or a mode as it is")
    assert board.settings() == before


def test_a_run_of_another_board_or_a_simulated_one_is_refused(board: PlainBoard, run: Run, tmp_path: Path) -> None:
    before = board.settings()
    said = run("apply", str(kept_run(tmp_path / "other", "orin-nano-8gb")), exit_code=2)
    assert said.endswith("a run on this kind of board, orin-agx-64gb; that one was on orin-nano-8gb.")
    said = run("apply", str(kept_run(tmp_path / "simulated", simulated=True)), exit_code=2)
    assert said.endswith(f"that one was simulated, and `powertrain apply '{CHOSEN}'` sets its mode.")
    assert run("apply", str(board.root), exit_code=2).startswith("powertrain: FOLDER=")
    assert board.settings() == before


def test_without_the_right_to_set_it_says_what_helps(board: PlainBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    def not_installed() -> HelperClient:
        raise DeviceError("the helper is not installed: `sudo powertrain setup-helper` installs it")

    run = runner(board.root, monkeypatch, not_installed)
    assert run("apply", MODE, exit_code=1).endswith("`sudo powertrain setup-helper` installs it")


def test_off_a_jetson_it_says_so() -> None:
    result = CliRunner().invoke(app, ["apply", MODE])
    assert result.exit_code == 1
    assert result.stderr.startswith("powertrain: no Jetson found here")


# A board that behaves.


@pytest.fixture(scope="module")
def virtual() -> MountedBoard:
    if why_unavailable():
        pytest.skip(why_unavailable())
    with mounted("orin-agx-jp5") as board:
        yield board


def test_on_a_virtual_board(virtual: MountedBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    virtual.reset()
    run = runner(virtual.root, monkeypatch)
    before = virtual.settings()
    device = SysfsDevice(virtual.root, lambda: start_helper(virtual.root))
    mode = device.modes.lowest
    device.close()
    assert run("apply", str(mode)).startswith(f"The board stays in {mode} until")
    assert virtual.settings() != before
    assert run("restore").startswith("The board is as it was: ")
    assert virtual.settings() == before


def test_a_board_that_refuses_is_restored(virtual: MountedBoard, monkeypatch: pytest.MonkeyPatch) -> None:
    virtual.reset()
    run = runner(virtual.root, monkeypatch)
    before = virtual.settings()
    virtual.fail("*/clk/emc/rate", errno.EIO, times=1)
    mode = "2 cores, cpu 729.6 MHz, gpu 114.75 MHz, emc 2133 MHz"
    assert "the board refused" in run("apply", mode, exit_code=1)
    assert virtual.settings() == before
    virtual.clear_faults()
    assert run("restore").startswith("There is nothing to restore.")
