"""A real board, as far as files can be one: virtual boards of every generation, and one of plain files."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Callable

import pytest
from opened_boards import as_nobody, no_helper, opened, start_as_root
from plain_board import CPU_KHZ, PlainBoard
from virtual_board import BOARDS, MountedBoard

from lightning_powertrain.boards import PowerMode, load_board
from lightning_powertrain.devices import BaseDevice
from lightning_powertrain.errors import DeviceError

Mount = Callable[..., MountedBoard]
KEYS = {
    "orin-agx-jp5": "orin-agx-64gb",
    "orin-agx-jp6": "orin-agx-64gb-jp6",
    "orin-nano-jp6": "orin-nano-8gb",
    "orin-nx-jp6": "orin-nx-16gb",
    "agx-xavier-jp5": "agx-xavier",
    "tx2-jp4": "tx2",
    "thor-jp7": "thor",
}
EMC_RATE = "/sys/kernel/debug/bpmp/debug/clk/emc/rate"


def as_read(device: BaseDevice, mode: Mapping[str, int]) -> PowerMode:
    """The clock of a cluster without cores reads as its lowest."""
    lowest = {knob.name: knob.values[0] for knob in device.modes.knobs}
    asleep = {"denver_khz": lowest["denver_khz"]} if mode.get("denver_cores") == 0 else {}
    return PowerMode(**{**mode, **asleep})


@pytest.mark.parametrize("name", BOARDS)
def test_every_board_is_found_set_and_restored(virtual_board: Mount, name: str) -> None:
    board = virtual_board(name)
    before = board.settings()
    with opened(board.root) as device:
        catalogued = load_board(KEYS[name])
        assert device.board.key == catalogued.key
        assert len(device.modes.knobs) == len(catalogued.knobs)
        for knob, known in zip(device.modes.knobs, catalogued.knobs):
            assert (knob.name, knob.role) == (known.name, known.role)
            assert not known.values or knob.values == known.values
        assert device.current_mode() == as_read(device, device.board.preset(device.board.default_preset))
        device.snapshot()
        for index in [0, len(device.modes) - 1, random.Random(0).randrange(len(device.modes))]:
            mode = device.modes.mode(index)
            assert device.apply(mode) == as_read(device, mode) == device.current_mode()
            state = board.state()
            cores = sum(mode[knob.name] for knob in device.modes.knobs if knob.role == "cores")
            assert (state["cores"], state["gpu_hz"], state["emc_hz"]) == (cores, mode["gpu_hz"], mode["emc_hz"])
            assert state["cpu_khz"] in [mode[knob.name] for knob in device.modes.knobs if knob.role == "cpu"]
        device.restore()
        device.restore()
        assert board.settings() == before
    assert not board.violations()
    assert not [write for write in board.writes() if write["errno"]], "what the kernel refuses was not even tried"


def disorder(board: MountedBoard, chance: random.Random) -> None:
    """Leave a board as its owner might: some cores off, odd limits and governors, the memory clock pinned or not."""
    cpu = "/sys/devices/system/cpu"
    for core in board.path(cpu).glob("cpu[1-9]*"):
        board.write(f"{cpu}/{core.name}/online", 1)
    for policy in sorted(board.path(f"{cpu}/cpufreq").glob("policy*")):
        folder = f"{cpu}/cpufreq/{policy.name}"
        table = [int(word) for word in board.read(f"{folder}/scaling_available_frequencies").split()]
        low, high = sorted(chance.sample(table, 2))
        board.write(f"{folder}/scaling_min_freq", table[0])
        board.write(f"{folder}/scaling_max_freq", high)
        board.write(f"{folder}/scaling_min_freq", low)
        board.write(f"{folder}/scaling_governor", chance.choice(["performance", "schedutil", "powersave"]))
    for core in board.path(cpu).glob("cpu[1-9]*"):
        board.write(f"{cpu}/{core.name}/online", chance.randrange(2))
    emc = "/sys/kernel/debug/bpmp/debug/clk/emc"
    if board.path(emc).exists() and chance.randrange(2):
        board.write(f"{emc}/mrq_rate_locked", 1)
        board.write(f"{emc}/rate", 1600000000)
        cap = next(board.root.glob("sys/kernel/nvpmodel_*/emc*"))
        cap.write_text("2133000000")


@pytest.mark.parametrize("name", ["orin-agx-jp5", "orin-agx-jp6", "agx-xavier-jp5", "tx2-jp4", "thor-jp7"])
def test_whatever_state_it_was_in_it_comes_back(virtual_board: Mount, name: str) -> None:
    board = virtual_board(name)
    chance = random.Random(1)
    for _ in range(3):
        disorder(board, chance)
        before = board.settings()
        with opened(board.root) as device:
            for _ in range(2):
                device.apply(device.modes.mode(chance.randrange(len(device.modes))))
            device.restore()
        assert board.settings() == before


@pytest.mark.parametrize("name", ["orin-agx-jp5", "orin-agx-jp6", "tx2-jp4", "thor-jp7"])
def test_an_ordinary_user_reads_and_sets_through_the_helper(virtual_board: Mount, name: str) -> None:
    board = virtual_board(name)
    before = board.settings()
    with as_nobody(), opened(board.root, start_as_root) as device:
        device.snapshot()
        lowest = device.modes.mode(0)
        assert device.apply(lowest) == lowest == device.current_mode()
        if name != "tx2-jp4":  # whose power only root can read
            assert device.read_power().total_w > 1
        device.restore()
    assert board.settings() == before
    assert {write["uid"] for write in board.writes() if write["path"].startswith("/sys")} == {0}


@pytest.mark.parametrize("name", ["orin-agx-jp5", "orin-agx-jp6", "tx2-jp4", "thor-jp7"])
def test_without_the_helper_an_ordinary_user_reads_and_sets_nothing(virtual_board: Mount, name: str) -> None:
    board = virtual_board(name)
    with as_nobody(), opened(board.root, no_helper) as device:
        assert str(device.helper_error) == "the helper is not installed"
        preset = device.board.preset(device.board.default_preset)
        hidden = {"emc_hz", "denver_khz"}
        mode = device.current_mode()
        assert {k: v for k, v in mode.items() if k not in hidden} == {k: preset[k] for k in mode if k not in hidden}
        for change in (device.snapshot, lambda: device.apply(device.modes.mode(0))):
            with pytest.raises(DeviceError, match="the helper is not installed"):
                change()
        device.restore()
    assert not [write for write in board.writes() if write["path"].startswith("/sys")]


def test_what_the_board_rounds_is_read_back(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp5")
    with opened(board.root) as device:
        device.apply(device.modes.highest)
        board.ignore(EMC_RATE)
        wanted = device.modes.mode(0)
        assert device.apply(wanted) == {**wanted, "emc_hz": device.modes.highest["emc_hz"]} == device.current_mode()


def test_an_unknown_board_works_with_what_it_has(tmp_path: Path) -> None:
    board = PlainBoard(tmp_path)
    (tmp_path / "proc/device-tree/compatible").write_text("nvidia,p9999-0000\0nvidia,tegra999\0")
    before = board.settings()
    with opened(tmp_path) as device:
        assert (device.board.key, device.board.title) == ("unknown-jetson", "A board of plain files")
        assert device.modes.shape == (8, 4, 3, 3)
        assert device.power_source == "sum:VDD_GPU_SOC+VDD_CPU_CV"
        assert device.read_power().total_w == pytest.approx(12.0)
        assert device.apply(device.modes.highest) == device.modes.highest
    assert board.settings() == before


def test_tables_are_those_of_the_board_and_grids_that_do_not_fit_are_left_out(tmp_path: Path) -> None:
    PlainBoard(tmp_path)
    with opened(tmp_path) as device:
        assert device.board.key in ("orin-agx-64gb", "orin-agx-64gb-jp6")
        assert device.board.modes == device.modes
        assert device.modes.knobs[1].values == CPU_KHZ
        assert device.board.grids == {}
        assert device.board.preset("MODE_15W")["cores"] == 4
