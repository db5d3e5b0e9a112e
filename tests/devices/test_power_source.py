"""Whose power is read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_nvml import FakeNvml
from plain_board import PlainBoard
from virtual_board import BOARDS, MountedBoard

from lightning_powertrain.devices import EnergyMeter, Health, NvmlPower, SysfsDevice, find_power_source
from lightning_powertrain.errors import DeviceNotFoundError


def test_a_jetson_is_read_without_the_helper_and_nothing_is_set(tmp_path: Path) -> None:
    board = PlainBoard(tmp_path)
    before = board.settings()
    source = find_power_source(["GPU-0"], root=tmp_path)
    assert isinstance(source, SysfsDevice)
    assert "to be set" in str(source.helper_error)
    assert source.read_power().total_w > 0
    assert source.health() == Health()
    assert not source.simulated
    source.minibatch_ended()
    source.close()
    assert board.settings() == before


@pytest.mark.parametrize("name", BOARDS)
def test_every_jetson_is_read_and_never_written(virtual_board: Callable[..., MountedBoard], name: str) -> None:
    board = virtual_board(name)
    source = find_power_source(root=board.root)
    meter = EnergyMeter(source)
    meter.start()
    seconds, energy_j = meter.read()
    meter.stop()
    assert 1.0 < source.read_power().total_w < 150.0
    assert energy_j == pytest.approx(seconds * source.read_power().total_w, rel=0.5)
    source.close()
    assert board.writes() == []


def test_elsewhere_the_gpus_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", FakeNvml(["GPU-0"]))
    source = find_power_source(["GPU-0"], root=tmp_path)
    assert isinstance(source, NvmlPower)
    source.close()


def test_nothing_to_read_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DeviceNotFoundError, match=r"no Jetson .* no NVIDIA GPU"):
        find_power_source([], root=tmp_path)
