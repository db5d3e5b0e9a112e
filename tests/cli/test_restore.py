"""``powertrain restore``: after a job and its helper were both killed."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from plain_board import PlainBoard, helper_command, process_of, start_helper
from typer.testing import CliRunner

from lightning_powertrain.cli import app
from lightning_powertrain.devices import helper_client
from lightning_powertrain.devices.helper_transport import HelperProcess


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PlainBoard:
    command = helper_command(tmp_path)
    monkeypatch.setattr(helper_client, "usual_transport", lambda: HelperProcess(command))
    monkeypatch.setattr("lightning_powertrain.cli.restore._ROOT", tmp_path)
    return PlainBoard(tmp_path)


def run(exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, ["restore"])
    assert result.exit_code == exit_code, result.output
    return result.stdout if exit_code == 0 else result.stderr


def kill_both(root: Path, mode: Callable[[dict[str, int]], dict[str, int]]) -> None:
    """Let a process set a mode and then let it and its helper be killed."""
    client = start_helper(root)
    client.ask("apply", mode=mode(dict(client.ask("hold")["mode"])))
    os.kill(process_of(client).pid, signal.SIGKILL)
    client.close()


def test_it_restores_the_board_once(board: PlainBoard) -> None:
    before = board.settings()
    kill_both(board.root, lambda mode: {**mode, "cores": 1, "gpu_hz": 114750000})
    assert board.settings() != before
    assert run() == "The board is as it was: 6 cores, cpu 1728 MHz, gpu 522.75 MHz, emc 3199 MHz.\n"
    assert board.settings() == before
    mode = "6 cores, cpu 1728 MHz, gpu 522.75 MHz, emc 3199 MHz"
    assert run() == f"There is nothing to restore. The board's mode: {mode}.\n"


def test_a_board_that_rebooted_is_left_alone(board: PlainBoard) -> None:
    kill_both(board.root, lambda mode: {**mode, "cores": 1})
    board.reboot()
    before = board.settings()
    assert run().startswith("There is nothing to restore. The board's mode: 1 core,")
    assert board.settings() == before


def test_on_a_pc_it_speaks_of_no_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning_powertrain.cli.restore._ROOT", tmp_path)
    assert run() == "There is nothing to restore: this is not a Jetson, or a container hides it.\n"


def test_it_leaves_a_job_that_runs_alone(board: PlainBoard) -> None:
    client = start_helper(board.root)
    client.ask("hold")
    assert run(exit_code=1).startswith("powertrain: the root helper could not revert: another process holds this board")
    client.close()


def test_what_cannot_be_restored_is_named(board: PlainBoard) -> None:
    kill_both(board.root, lambda mode: {**mode, "gpu_hz": 114750000})
    file = board.root / "sys/devices/17000000.ga10b/devfreq/17000000.ga10b/max_freq"
    file.unlink()
    file.mkdir(mode=stat.S_IRWXU)
    message = run(exit_code=1)
    assert message.startswith("powertrain: these settings could not be restored: ")
    assert message.endswith("/17000000.ga10b/max_freq. A reboot resets them\n")
    file.rmdir()
    file.write_text("114750000\n")
    assert run().startswith("The board is as it was")
