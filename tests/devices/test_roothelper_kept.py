"""A mode that is kept stays when its client ends; the board's own settings come back when they are asked for."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helper_at_work import AnyBoard
from plain_board import PlainBoard, process_of, start_helper

from lightning_powertrain.devices.helper_client import HelperClient
from lightning_powertrain.devices.roothelper.server import STATE, Keeper
from lightning_powertrain.devices.roothelper.snapshot import Store
from lightning_powertrain.errors import DeviceError


def in_mode(client: HelperClient, level: int) -> dict[str, int]:
    """Hold the board and set the lowest mode (level 0) or a higher one; returns it."""
    knobs = client.ask("hold")["knobs"]
    mode = {name: knob["values"][min(level, len(knob["values"]) - 1)] for name, knob in knobs.items()}
    assert client.ask("apply", mode=mode)["mode"] == mode
    return mode


def keep(board: AnyBoard, level: int = 0) -> dict[str, int]:
    """What ``powertrain apply`` does."""
    client = start_helper(board.root)
    mode = in_mode(client, level)
    assert client.ask("keep") == {"ok": True, "mode": mode, "notes": []}
    client.close()
    return mode


def mode_of(board: AnyBoard) -> dict[str, int]:
    client = start_helper(board.root)
    mode: dict[str, int] = client.ask("status")["mode"]
    client.close()
    return mode


def revert(board: AnyBoard) -> bool:
    """What ``powertrain restore`` does; whether anything was kept."""
    client = start_helper(board.root)
    answer = client.ask("revert")
    assert (answer["differing"], answer["notes"]) == ([], [])
    client.close()
    return bool(answer["reverted"])


def test_it_stays_until_it_is_reverted(board: AnyBoard) -> None:
    before = board.settings()
    mode = keep(board)
    for _ in range(2):
        client = start_helper(board.root)
        status = client.ask("status")
        assert (status["kept"], status["recovered"]) == (True, False)
        assert status["mode"].items() <= mode.items()  # The clock of cores that sleep is not to be seen.
        assert client.ask("restore")["differing"] == []  # as doctor asks
        client.close()
    assert revert(board)
    assert board.settings() == before
    assert not revert(board)
    assert board.settings() == before
    assert [path.name for path in (board.root / STATE).iterdir()] == ["lock"]


@pytest.mark.parametrize("killed", [False, True])
def test_a_job_returns_to_the_mode_that_was_kept(board: AnyBoard, killed: bool) -> None:
    before = board.settings()
    mode = keep(board, level=1)
    client = start_helper(board.root)
    in_mode(client, level=0)
    if killed:
        process_of(client).kill()
    client.close()
    assert mode_of(board).items() <= mode.items()
    assert revert(board)
    assert board.settings() == before


def test_a_job_that_was_killed_is_reverted_together_with_what_was_kept(board: AnyBoard) -> None:
    before = board.settings()
    keep(board, level=1)
    client = start_helper(board.root)
    in_mode(client, level=0)
    process_of(client).kill()
    client.close()
    assert revert(board)
    assert board.settings() == before


def test_reverting_leads_back_to_the_time_before_the_first(board: AnyBoard) -> None:
    before = board.settings()
    keep(board, level=1)
    keep(board, level=0)
    assert revert(board)
    assert board.settings() == before


def test_what_the_first_did_not_see_is_reverted_too(tmp_path: Path) -> None:
    """On JetPack 4 and 5 the files of the GPU may appear only once it is in use."""
    board = PlainBoard(tmp_path)
    before = board.settings()
    gpu = board.root / "sys/devices/17000000.ga10b/devfreq/17000000.ga10b"
    hidden = gpu.rename(gpu.with_name("hidden"))
    assert "gpu_hz" not in keep(board, level=1)
    hidden.rename(gpu)
    assert "gpu_hz" in keep(board, level=0)
    assert revert(board)
    assert board.settings() == before


def test_it_takes_a_client_that_holds_the_board(tmp_path: Path) -> None:
    board = PlainBoard(tmp_path)
    first, second = start_helper(board.root), start_helper(board.root)
    for client in (first, second):
        with pytest.raises(DeviceError, match="could not keep: hold the board first"):
            client.ask("keep")
    in_mode(first, level=0)
    with pytest.raises(DeviceError, match="could not revert: another process holds this board"):
        second.ask("revert")
    first.ask("keep")
    with pytest.raises(DeviceError, match="could not apply: hold the board first"):
        first.ask("apply", mode={"cores": 1})
    first.close()
    second.close()
    assert revert(board)


def test_a_client_that_reverts_releases_the_board(tmp_path: Path) -> None:
    board = PlainBoard(tmp_path)
    before = board.settings()
    keep(board, level=1)
    client, other = start_helper(board.root), start_helper(board.root)
    in_mode(client, level=0)
    assert client.ask("revert")["reverted"]
    assert board.settings() == before
    other.ask("hold")
    client.close()
    other.close()


def test_a_reboot_ends_it(board: AnyBoard) -> None:
    keep(board)
    board.reboot()
    after_boot = board.settings()
    revert(board)
    assert board.settings() == after_boot
    assert [path.name for path in (board.root / STATE).iterdir()] == ["lock"]


def test_what_refuses_is_named_and_tried_again(virtual_board: Callable[..., Any]) -> None:
    board = virtual_board("orin-agx-jp5")
    before = board.settings()
    keep(board)
    board.fail("*.ga10b/max_freq", errno.EIO)
    client = start_helper(board.root)
    answer = client.ask("revert")
    assert answer["reverted"]
    assert [Path(path).name for path in answer["differing"]] == ["max_freq"]
    client.close()
    board.clear_faults()
    start_helper(board.root).close()  # it is a snapshot again, which any start of a helper restores
    assert board.settings() == before


@pytest.mark.parametrize("number", range(2))
@pytest.mark.parametrize("call", ["rename", "fsync"])
@pytest.mark.parametrize("kept_before", [False, True])
def test_where_it_cannot_be_kept_the_board_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, kept_before: bool
) -> None:
    board = PlainBoard(tmp_path)
    before = board.settings()
    if kept_before:
        keep(board, level=1)
    helper = Keeper(board.root, Store(board.root / STATE, board.root))
    assert helper.answer(b'{"do": "hold"}')["ok"]
    assert helper.answer(b'{"do": "apply", "mode": {"cores": 1}}')["ok"]
    real, numbers = getattr(os, call), iter(range(99))

    def fails(*arguments: Any, **more: Any) -> Any:
        if next(numbers) == number:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(*arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fails)
        assert "Input/output error" in helper.answer(b'{"do": "keep"}')["error"]
    helper.end()
    assert mode_of(board)["cores"] != 1
    revert(board)
    assert board.settings() == before


def test_where_the_state_folder_was_removed_the_board_comes_back(tmp_path: Path) -> None:
    board = PlainBoard(tmp_path)
    before = board.settings()
    client = start_helper(board.root)
    in_mode(client, level=0)
    shutil.rmtree(board.root / STATE)
    with pytest.raises(DeviceError, match=r"could not keep: .*No such file or directory"):
        client.ask("keep")
    client.close()
    assert board.settings() == before


def test_damaged_settings_are_put_aside_and_said(tmp_path: Path) -> None:
    board = PlainBoard(tmp_path)
    mode = keep(board)
    (board.root / STATE / "kept.json").write_text("{")
    client = start_helper(board.root)
    (note,) = client.ask("revert")["notes"]
    assert f"{STATE}/snapshot.damaged" in note
    client.close()
    assert mode_of(board) == mode
