"""How busy a Jetson is, from its files and from the kernel's process table."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Callable

import pytest
from plain_board import PlainBoard
from virtual_board import MountedBoard

from lightning_powertrain.devices import CpuTimes, Load, SysfsDevice, sysfs_activity
from lightning_powertrain.devices.sysfs_activity import SysfsLoad, children_s, core_times_s, read_cpu_times

Mount = Callable[..., MountedBoard]
GPU = "sys/devices/gpu.0"

BUSY_S = 0.3
SPINNING = f"import time\nwhile time.process_time() < {BUSY_S}: pass"
on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the /proc of Linux")


def place(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


@pytest.mark.parametrize("name", ["orin-agx-jp5", "orin-agx-jp6", "orin-nano-jp6", "agx-xavier-jp5", "tx2-jp4"])
def test_the_load_of_the_gpu_of_each_generation(virtual_board: Mount, name: str) -> None:
    board = virtual_board(name)
    load = SysfsLoad(board.root)
    assert load.read().gpu == 1.0
    board.set_load(0.317)
    assert load.read().gpu == 0.317


def test_jetpack_4_shows_the_activity_of_its_memory_to_everybody(virtual_board: Mount) -> None:
    board = virtual_board("tx2-jp4")
    emc_hz = board.state()["emc_hz"]
    assert SysfsLoad(board.root).read().emc_active_hz == pytest.approx(0.4 * emc_hz, rel=1e-3)


def test_a_board_that_shows_nothing_has_no_load(virtual_board: Mount, caplog: pytest.LogCaptureFixture) -> None:
    load = SysfsLoad(virtual_board("thor-jp7").root)
    with caplog.at_level(logging.DEBUG, logger="lightning_powertrain"):
        assert {load.read() for _ in range(3)} == {Load()}
    messages = [record.getMessage() for record in caplog.records]
    assert messages == [
        "PowerTrain: this board does not show the load of the GPU to this user",
        "PowerTrain: this board does not show the EMC activity to this user",
    ]


@pytest.mark.parametrize(
    ("text", "gpu"), [("317\n", 0.317), ("1000", 1.0), ("1003", 1.0), ("-4", 0.0), ("", None), ("busy", None)]
)
def test_the_load_is_a_share(tmp_path: Path, text: str, gpu: float | None) -> None:
    PlainBoard(tmp_path)
    place(tmp_path, {f"{GPU}/load": "500"})
    load = SysfsLoad(tmp_path)
    assert load.read() == Load(0.5)
    (tmp_path / GPU / "load").write_text(text)
    assert load.read() == Load(gpu)
    (tmp_path / GPU / "load").unlink()
    assert load.read() == Load()


STAT = """cpu  900 10 90 5000 30 5 5 1 0 0
cpu0 100 10 50 400 30 5 5 1 60 0
cpu2 7 0 3 900 99 0 0 0 0 0
cpufreq 1 2 3
cpu3 broken 0 3 900 99 0 0 0 0 0
intr 5 6
"""


def test_a_core_is_busy_when_it_neither_idles_nor_waits_for_a_disk(tmp_path: Path) -> None:
    place(tmp_path, {"proc/stat": STAT})
    ticks = {core: round(seconds * os.sysconf("SC_CLK_TCK")) for core, seconds in core_times_s(tmp_path).items()}
    assert ticks == {0: 171, 2: 10}, "guests are part of user"


def test_core_times_of_a_board(virtual_board: Mount) -> None:
    board = virtual_board("orin-nano-jp6", preset="15W")
    board.set_load(0.5)
    board.write("/sys/devices/system/cpu/cpu3/online", 0)
    before, start_s = core_times_s(board.root), time.monotonic()
    time.sleep(0.5)
    after, end_s = core_times_s(board.root), time.monotonic()
    assert set(before) == {0, 1, 2, 4, 5}
    for core, seconds in before.items():
        assert after[core] - seconds == pytest.approx(0.5 * (end_s - start_s), abs=0.1)


def test_a_device_gives_both(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp5", preset="MAXN")
    board.set_load(0.25)
    device = SysfsDevice(board.root)
    assert device.read_load() == Load(0.25)
    times = device.read_cpu_times()
    assert set(times.cores_s) == set(range(12))
    assert times.process_s is not None
    assert 0 < times.process_s <= time.process_time()


def test_a_board_without_proc_has_the_times_of_this_process_alone(tmp_path: Path) -> None:
    assert read_cpu_times(tmp_path) == CpuTimes(
        {}, pytest.approx(time.process_time(), abs=1.0), pytest.approx(children_s(), abs=0.1)
    )


@on_linux
@pytest.mark.parametrize("lists_children", [True, False], ids=["children listed", "kernel without lists of children"])
def test_children_count_while_they_live_and_after_they_have_ended(
    lists_children: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not lists_children:
        monkeypatch.setattr(type(sysfs_activity._PROCESSES), "glob", lambda self, pattern: iter(()))
    before_s = children_s()
    assert before_s is not None
    child = subprocess.Popen([sys.executable, "-S", "-c", f"{SPINNING}\ninput()"], stdin=subprocess.PIPE)
    try:
        end_s = time.monotonic() + 30.0
        while children_s() - before_s < BUSY_S - 0.02 and time.monotonic() < end_s:  # type: ignore[operator]
            time.sleep(0.05)
        living_s = children_s()
    finally:
        child.communicate(b"\n")
    ended_s = children_s()
    assert living_s is not None
    assert ended_s is not None
    assert living_s - before_s == pytest.approx(BUSY_S, abs=0.2)
    assert living_s - 0.03 <= ended_s <= living_s + 0.2


def test_a_system_without_proc_has_no_times_of_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysfs_activity, "_PROCESSES", tmp_path / "nowhere")
    assert children_s() is None
