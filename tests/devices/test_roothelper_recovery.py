"""Whoever dies and whatever state is lost or damaged: the board comes back."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helper_at_work import AnyBoard, at_work, wait_until
from plain_board import PlainBoard, process_of, start_helper

from lightning_powertrain.devices.roothelper.server import STATE
from lightning_powertrain.errors import DeviceError

# State that cannot be used.


def test_a_state_folder_that_cannot_be_written_is_explained(virtual_board: Callable[..., Any]) -> None:
    board = virtual_board("orin-agx-jp5")
    before = board.settings()
    board.fail("*/run/lightning-powertrain*", errno.EROFS)
    client = start_helper(board.root)
    assert client.ask("status")["knobs"]
    with pytest.raises(DeviceError, match=r"could not hold: .*Read-only file system.*`sudo mount -o remount,rw /run`"):
        client.ask("hold")
    assert board.settings() == before
    board.clear_faults()
    client.ask("hold")
    client.close()


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_state_folder_that_is_none_is_explained(tmp_path: Path, kind: str) -> None:
    PlainBoard(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "elsewhere").mkdir()
    if kind == "file":
        (tmp_path / STATE).touch()
    else:
        (tmp_path / STATE).symlink_to(tmp_path / "elsewhere")
    client = start_helper(tmp_path)
    assert STATE in client.ask("status")["notes"][0]
    with pytest.raises(DeviceError, match=r"could not hold: .* cannot be used .*`sudo ls -la .*lightning-powertrain`"):
        client.ask("hold")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    client.close()


def test_a_damaged_snapshot_is_put_aside_and_said(board: AnyBoard) -> None:
    client, _ = at_work(board)
    process_of(client).kill()
    client.close()
    left = board.settings()
    snapshot = board.root / STATE / "snapshot.json"
    damaged = snapshot.read_bytes()[:-9]
    snapshot.write_bytes(damaged)
    following = start_helper(board.root)
    status = following.ask("status")
    assert not status["recovered"]
    (note,) = status["notes"]
    assert f"{STATE}/snapshot.damaged" in note
    assert snapshot.with_suffix(".damaged").read_bytes() == damaged
    assert board.settings() == left
    following.ask("hold")
    assert following.ask("restore")["notes"] == [note]
    following.close()


def test_the_board_comes_back_though_its_state_folder_was_removed(tmp_path: Path) -> None:
    board = PlainBoard(tmp_path)
    client, before = at_work(board)
    shutil.rmtree(tmp_path / STATE)
    client.close()
    assert board.settings() == before


def test_words_where_numbers_should_be_do_not_stop_later_helpers(tmp_path: Path) -> None:
    board = PlainBoard(tmp_path)
    high = tmp_path / "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq"
    high.write_text("unknown\n")
    client, before = at_work(board)
    process_of(client).kill()
    client.close()
    following = start_helper(tmp_path)
    assert following.ask("status")["recovered"]
    following.close()
    assert board.settings() == before


# Whoever dies, the board comes back.


def test_a_second_client_is_refused_until_the_first_lets_go(board: AnyBoard) -> None:
    first, before = at_work(board)
    second = start_helper(board.root)
    with pytest.raises(DeviceError, match="could not hold: another process holds this board"):
        second.ask("hold")
    with pytest.raises(DeviceError, match="could not restore: another process holds this board"):
        second.ask("restore")
    assert board.settings() != before
    first.close()
    assert board.settings() == before
    second.ask("hold")
    second.close()


def test_a_helper_that_is_killed_is_made_good_by_the_next(board: AnyBoard) -> None:
    client, before = at_work(board)
    process_of(client).kill()
    with pytest.raises(DeviceError, match=r"the root helper has ended.*powertrain restore"):
        client.ask("status")
    assert board.settings() != before
    following = start_helper(board.root)
    assert board.settings() == before
    assert following.ask("status")["recovered"]
    following.close()


def test_a_snapshot_from_before_a_reboot_is_thrown_away(board: AnyBoard) -> None:
    client, _ = at_work(board)
    process_of(client).kill()
    client.close()
    board.reboot()
    after_boot = board.settings()
    following = start_helper(board.root)
    assert not following.ask("status")["recovered"]
    following.close()
    assert board.settings() == after_boot


CLIENT = """
import os, sys, time
from pathlib import Path
from plain_board import process_of, start_helper
client = start_helper(Path(sys.argv[1]))
status = client.ask("hold")
client.ask("apply", mode={name: knob["values"][0] for name, knob in status["knobs"].items()})
if os.fork() == 0:  # as a worker of a DataLoader, which may outlive its parent for a while
    print(process_of(client).pid, os.getpid(), flush=True)
time.sleep(60)
"""


def helper_ended(pid: int) -> bool:
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or ") Z " in status.read_text()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_client_that_is_killed_leaves_the_board_as_it_was(board: AnyBoard, number: signal.Signals) -> None:
    before = board.settings()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent.parent), *sys.path])}
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", CLIENT, str(board.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        helper, worker = map(int, process.stdout.readline().split())
        try:
            assert board.settings() != before
            process.send_signal(number)
            wait_until(lambda: helper_ended(helper))
            assert board.settings() == before
        finally:
            process.kill()
            os.kill(worker, signal.SIGKILL)
