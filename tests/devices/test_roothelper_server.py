"""What the helper answers, and that the board comes back whatever happens to whom."""

from __future__ import annotations

import errno
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helper_at_work import LOW, AnyBoard, at_work, lowest
from plain_board import GPU_HZ, PlainBoard, helper_command, start_helper

from lightning_powertrain.devices.roothelper.server import STATE
from lightning_powertrain.errors import DeviceError

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
