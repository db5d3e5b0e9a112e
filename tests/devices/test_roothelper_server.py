"""What the helper answers, and that the board comes back whatever happens to whom."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest
from plain_board import GPU_HZ, PlainBoard, helper_command, process_of, start_helper

from lightning_powertrain.devices.helper_client import HelperClient
from lightning_powertrain.devices.roothelper.server import STATE
from lightning_powertrain.errors import DeviceError

LOW = {"cores": 2, "cpu_khz": 115200, "gpu_hz": 114750000, "emc_hz": 204000000}


class AnyBoard(Protocol):
    root: Path

    def settings(self) -> dict[str, str]: ...

    def reboot(self) -> None: ...


@pytest.fixture(params=["plain", "orin-agx-jp5", "tx2-jp4"])
def board(request: pytest.FixtureRequest, tmp_path: Path) -> AnyBoard:
    """A board of plain files, or a virtual one that behaves."""
    if request.param == "plain":
        return PlainBoard(tmp_path)
    mount: Callable[[str], AnyBoard] = request.getfixturevalue("virtual_board")
    return mount(request.param)


def lowest(client: HelperClient) -> dict[str, int]:
    """A mode that no board boots in."""
    return {name: knob["values"][0] for name, knob in client.ask("status")["knobs"].items()}


def wait_until(reached: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < end_s, "it never came to this"
        time.sleep(0.02)


def at_work(board: AnyBoard) -> tuple[HelperClient, dict[str, str]]:
    """A helper that has set a mode, and what the board was like before."""
    before = board.settings()
    client = start_helper(board.root)
    client.ask("hold")
    client.ask("apply", mode=lowest(client))
    assert board.settings() != before
    return client, before


# A conversation.


def test_hold_apply_restore(board: AnyBoard) -> None:
    before = board.settings()
    client = start_helper(board.root)
    status = client.ask("hold")
    for edge in (0, -1, 0):
        mode = {name: knob["values"][edge] for name, knob in status["knobs"].items()}
        assert client.ask("apply", mode=mode)["mode"] == mode == client.ask("status")["mode"]
    assert client.ask("restore")["differing"] == []
    assert board.settings() == before
    client.close()
    assert not client.alive
    assert board.settings() == before


def test_what_the_board_refuses_to_take_back_is_tried_again_at_the_end(virtual_board: Callable[..., Any]) -> None:
    board = virtual_board("orin-agx-jp5")
    client, before = at_work(board)
    board.fail("*.ga10b/max_freq", errno.EIO)
    assert [Path(path).name for path in client.ask("restore")["differing"]] == ["max_freq"]
    board.clear_faults()
    client.close()
    assert board.settings() == before
    assert not (board.root / STATE / "snapshot.json").exists()


def test_a_mode_may_name_some_knobs_only(tmp_path: Path) -> None:
    client = start_helper(PlainBoard(tmp_path).root)
    before = client.ask("hold")["mode"]
    assert client.ask("apply", mode={"gpu_hz": GPU_HZ[-1]})["mode"] == {**before, "gpu_hz": GPU_HZ[-1]}
    client.close()


def test_nothing_is_set_before_the_snapshot_is_on_disk(tmp_path: Path) -> None:
    board = PlainBoard(tmp_path)
    (tmp_path / STATE / "snapshot.draft").mkdir(parents=True)  # as a full disk would: it cannot be written
    before = board.settings()
    client = start_helper(tmp_path)
    with pytest.raises(DeviceError, match=rf"could not hold: .*{STATE} cannot be used \(Is a directory\)"):
        client.ask("hold")
    with pytest.raises(DeviceError, match="could not apply: hold the board first"):
        client.ask("apply", mode=LOW)
    assert board.settings() == before
    (tmp_path / STATE / "snapshot.draft").rmdir()
    client.ask("hold")
    client.close()


def test_the_state_is_for_root_alone(tmp_path: Path) -> None:
    client = start_helper(PlainBoard(tmp_path).root)
    client.ask("hold")
    assert (tmp_path / STATE).stat().st_mode & 0o777 == 0o700
    assert (tmp_path / STATE / "snapshot.json").stat().st_mode & 0o077 == 0
    client.close()
    assert not (tmp_path / STATE / "snapshot.json").exists()


@pytest.mark.parametrize("arguments", [["--root"], ["--other", "x"], ["x"], ["--root", "x", "y"]])
def test_other_arguments_are_refused(arguments: list[str]) -> None:
    done = subprocess.run([*helper_command(Path("/"))[:-2], *arguments], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "")
    assert json.loads(done.stdout) == {"ok": False, "error": "this helper takes no arguments"}


def test_under_sudo_no_other_root_is_accepted(tmp_path: Path) -> None:
    environment = {**os.environ, "SUDO_UID": "1000"}
    done = subprocess.run(helper_command(tmp_path), capture_output=True, check=False, env=environment)
    assert done.returncode == 2
    assert list(tmp_path.iterdir()) == []


# A board that refuses.


def test_a_kernel_that_is_busy_for_a_moment_is_asked_again(virtual_board: Callable[..., Any]) -> None:
    board = virtual_board("orin-agx-jp5")
    client = start_helper(board.root)
    client.ask("hold")
    board.fail("*/scaling_max_freq", errno.EBUSY, times=5)
    mode = lowest(client)
    assert client.ask("apply", mode=mode)["mode"] == mode
    board.fail("*.ga10b/max_freq", errno.EBUSY)
    with pytest.raises(DeviceError, match=r"the board refused: .*busy.*max_freq"):
        client.ask("apply", mode={"gpu_hz": client.ask("status")["knobs"]["gpu_hz"]["values"][-1]})
    board.clear_faults()
    client.close()


@pytest.mark.parametrize("refusing", ["*/scaling_max_freq", "*.ga10b/max_freq", "*/clk/emc/rate", "*/cpu3/online"])
@pytest.mark.parametrize("edge", [0, -1], ids=["to the lowest", "to the highest"])
def test_a_mode_that_is_refused_leaves_the_mode_before(
    virtual_board: Callable[..., Any], refusing: str, edge: int
) -> None:
    board = virtual_board("orin-agx-jp5")
    before = board.settings()
    client = start_helper(board.root)
    knobs = client.ask("hold")["knobs"]
    modes = [{name: knob["values"][index] for name, knob in knobs.items()} for index in (edge, ~edge)]
    client.ask("apply", mode=modes[1])
    board.fail(refusing, errno.EIO, times=1)
    with pytest.raises(DeviceError, match=r"the board refused: .*\. The mode before is set again$"):
        client.ask("apply", mode=modes[0])
    assert client.ask("status")["mode"] == modes[1]
    assert client.ask("apply", mode=modes[0])["mode"] == modes[0]
    client.close()
    assert board.settings() == before


def test_what_cannot_be_set_back_after_a_refusal_is_named(virtual_board: Callable[..., Any]) -> None:
    board = virtual_board("orin-agx-jp5")
    client, _ = at_work(board)
    board.fail("*.ga10b/max_freq", errno.EIO)
    board.fail("*/cpu3/online", errno.EIO, skip=1)
    highest = {name: knob["values"][-1] for name, knob in client.ask("status")["knobs"].items()}
    with pytest.raises(DeviceError, match=r"The mode before is set again, but for .*/cpu3/online$"):
        client.ask("apply", mode=highest)
    board.clear_faults()
    client.close()


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
