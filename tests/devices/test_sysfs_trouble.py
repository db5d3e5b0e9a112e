"""Boards that refuse a write, are slow, or whose helper is killed: what is said, and that they come back."""

from __future__ import annotations

import errno
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Callable

import pytest
from opened_boards import no_helper, opened
from plain_board import PlainBoard, process_of
from virtual_board import MountedBoard

from lightning_powertrain.devices import SysfsDevice, find_jetson
from lightning_powertrain.devices.helper_client import HelperClient
from lightning_powertrain.errors import DeviceError, DeviceNotFoundError, ModeError

Mount = Callable[..., MountedBoard]

GPU_MAX = "/sys/devices/17000000.ga10b/devfreq/17000000.ga10b/max_freq"


def test_a_mode_that_is_not_in_the_tables_changes_nothing(tmp_path: Path) -> None:
    board = PlainBoard(tmp_path)
    before = board.settings()
    with opened(tmp_path) as device:
        with pytest.raises(ModeError, match="cores=9"):
            device.apply({**device.current_mode(), "cores": 9})
        assert board.settings() == before


def test_a_mode_set_without_a_snapshot_is_restored_all_the_same(tmp_path: Path) -> None:
    board = PlainBoard(tmp_path)
    before = board.settings()
    with opened(tmp_path) as device:
        device.restore()
        device.apply(device.modes.mode(0))
        assert board.settings() != before
        device.restore()
        assert board.settings() == before
        device.apply(device.modes.mode(0))
    assert board.settings() == before, "closing it restores it, too"


def test_a_write_that_fails_is_said_and_the_rest_is_restored(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp5")
    before = board.settings()
    with opened(board.root) as device:
        device.snapshot()
        board.fail(GPU_MAX, errno.EIO)
        with pytest.raises(DeviceError, match=r"could not apply: the board refused: .*Input/output error.*freq"):
            device.apply(device.modes.mode(0))
        device.restore()
    assert board.settings() == before


def test_what_cannot_be_restored_is_named_and_tried_again(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp5")
    before = board.settings()
    with opened(board.root) as device:
        device.apply(device.modes.mode(0))
        board.fail(GPU_MAX, errno.EIO)
        with pytest.raises(DeviceError, match=r"could not be restored: .*17000000.ga10b/max_freq"):
            device.restore()
        after = board.settings()
        assert [path for path in before if before[path] != after[path]] == [GPU_MAX]
        board.clear_faults()
        device.restore()
    assert board.settings() == before


def test_slow_files_are_waited_for(virtual_board: Mount) -> None:
    board = virtual_board("orin-nano-jp6")
    board.delay("*/scaling_max_freq", 0.05)
    with opened(board.root) as device:
        lowest = device.modes.mode(0)
        assert device.apply(lowest) == lowest


def test_a_helper_that_is_killed_is_replaced_to_restore(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp5")
    before = board.settings()
    with opened(board.root) as device:
        device.apply(device.modes.mode(0))
        assert device._helper is not None
        process_of(device._helper).kill()
        with pytest.raises(DeviceError, match="the root helper has ended"):
            device.apply(device.modes.highest)
        device.restore()
        assert board.settings() == before


def test_a_helper_that_is_killed_while_it_restores_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = PlainBoard(tmp_path)
    before = board.settings()
    with opened(tmp_path) as device:
        device.apply(device.modes.mode(0))
        assert device._helper is not None
        first, ask = device._helper, device._helper.ask

        def killed_while_asked(do: str) -> Mapping[str, object]:
            process_of(first).kill()
            return ask(do)

        monkeypatch.setattr(first, "ask", killed_while_asked)
        device.restore()
        assert device._helper is not first
        assert board.settings() == before


def test_two_devices_cannot_set_one_board(tmp_path: Path) -> None:
    PlainBoard(tmp_path)
    with opened(tmp_path) as first, opened(tmp_path) as second:
        first.snapshot()
        assert second.current_mode() == first.current_mode()
        with pytest.raises(DeviceError, match="another process holds this board"):
            second.snapshot()


def test_a_gpu_that_sleeps_is_a_knob_less_and_said_once(virtual_board: Mount, caplog: pytest.LogCaptureFixture) -> None:
    board = virtual_board("orin-agx-jp5", gpu_asleep=True)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            with opened(board.root) as device:
                assert device.modes.names == ("cores", "cpu_khz", "emc_hz")
                assert device.apply(device.modes.mode(0)) == device.modes.mode(0)
    given = [record.message for record in caplog.records]
    assert sum("Jetson AGX Orin 64 GB: power modes leave gpu_hz unchanged" in each for each in given) == 1
    assert sum("MODE_30W) has 4 of 8 GPU clusters off" in each for each in given) == 1
    assert len(given) == 2


def test_off_a_jetson_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(DeviceNotFoundError, match=r'no Jetson found here.*device="simulated:orin-agx-64gb"'):
        find_jetson(tmp_path)


def test_a_jetson_without_sysfs_says_so(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/nv_tegra_release").write_text("# R36\n")
    with pytest.raises(DeviceNotFoundError, match="is /sys mounted here"):
        SysfsDevice(tmp_path, lambda: no_helper(tmp_path))


def test_a_board_elsewhere_never_starts_the_helper_of_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*arguments: object) -> HelperClient:
        raise AssertionError("the helper was started on the real root")

    monkeypatch.setattr("lightning_powertrain.devices.sysfs.HelperClient", started)
    board = PlainBoard(tmp_path)
    before = board.settings()
    device = find_jetson(tmp_path)
    with pytest.raises(DeviceError, match="is not the one that the root helper sets"):
        device.apply(device.modes.mode(0))
    assert board.settings() == before
