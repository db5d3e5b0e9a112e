"""The virtual boards: cores, clocks and memory, as each generation behaves."""

from __future__ import annotations

import errno
import os
import threading
import time
from typing import Callable

import pytest
from virtual_board import MountedBoard, why_unavailable
from virtual_board.asking import refused

pytestmark = pytest.mark.skipif(bool(why_unavailable()), reason=f"no virtual board: {why_unavailable()}")

Mount = Callable[..., MountedBoard]

CPU = "/sys/devices/system/cpu"
CLK_CAP = "/sys/kernel/nvpmodel_clk_cap/emc"


@pytest.mark.parametrize(
    ("name", "preset", "code"),
    [
        ("tx2-jp4", "MAXN", errno.EINVAL),
        ("agx-xavier-jp5", "MAXN", errno.EINVAL),
        ("orin-agx-jp5", "MAXN", errno.EINVAL),
        ("orin-agx-jp6", "MAXN", errno.EBUSY),
        ("thor-jp7", "MAXN", errno.EBUSY),
    ],
)
def test_a_policy_sleeps_with_its_last_core_and_keeps_its_limits(
    virtual_board: Mount, name: str, preset: str, code: int
) -> None:
    board = virtual_board(name, preset=preset)
    policy = f"{CPU}/cpufreq/policy{1 if name == 'tx2-jp4' else 2 if name in ('agx-xavier-jp5', 'thor-jp7') else 4}"
    first, *others = map(int, board.read(f"{policy}/related_cpus").split())
    table = board.read(f"{policy}/scaling_available_frequencies").split()
    board.write(f"{policy}/scaling_max_freq", table[3])
    board.write(f"{policy}/scaling_governor", "powersave")
    for core in others:
        board.write(f"{CPU}/cpu{core}/online", 0)
    assert board.read(f"{policy}/affected_cpus") == str(first)
    kept = board.settings()
    board.write(f"{CPU}/cpu{first}/online", 0)
    assert board.path(f"{CPU}/cpu{first}/cpufreq").resolve() == board.path(policy)
    assert refused(code, lambda: board.write(f"{policy}/scaling_max_freq", table[0]))
    if code == errno.EBUSY:
        for file in ("related_cpus", "affected_cpus", "scaling_max_freq", "scaling_available_frequencies"):
            assert refused(errno.EBUSY, lambda file=file: board.read(f"{policy}/{file}"))
    else:
        assert board.read(f"{policy}/affected_cpus") == ""
        assert board.read(f"{policy}/related_cpus").split() == [str(first), *map(str, others)]
        assert board.read(f"{policy}/scaling_max_freq") == table[3]
        assert board.read(f"{policy}/cpuinfo_cur_freq") == "<unknown>"
    assert board.settings() == {**kept, f"{CPU}/cpu{first}/online": "0"}
    board.write(f"{CPU}/cpu{first}/online", 1)
    assert board.read(f"{policy}/scaling_max_freq") == table[3]
    assert board.read(f"{policy}/scaling_governor") == "powersave"


def test_some_kernels_of_jetpack_5_drop_the_table_of_a_sleeping_policy(virtual_board: Mount) -> None:
    dropping, keeping = virtual_board("orin-agx-jp5"), virtual_board("agx-xavier-jp5")
    sleeping = f"{CPU}/cpufreq/policy{{}}/scaling_available_frequencies"
    assert refused(errno.ENODEV, lambda: dropping.read(sleeping.format(8)))
    for core in (6, 7):
        keeping.write(f"{CPU}/cpu{core}/online", 0)
    assert keeping.read(sleeping.format(6)) == keeping.read(sleeping.format(0))


@pytest.mark.parametrize(("name", "code"), [("agx-xavier-jp5", errno.EINVAL), ("orin-agx-jp6", errno.EBUSY)])
def test_a_file_that_is_open_works_again_when_its_policy_wakes(virtual_board: Mount, name: str, code: int) -> None:
    board = virtual_board(name, preset="MAXN")
    cores = (6, 7) if name == "agx-xavier-jp5" else (4, 5, 6, 7)
    handle = os.open(board.path(f"{CPU}/cpufreq/policy{cores[0]}/scaling_max_freq"), os.O_RDWR)
    try:
        for core in cores:
            board.write(f"{CPU}/cpu{core}/online", 0)
        assert refused(code, lambda: os.write(handle, b"1190400"))
        assert refused(errno.EBUSY, lambda: os.pread(handle, 100, 0)) == (code == errno.EBUSY)
        board.write(f"{CPU}/cpu{cores[0]}/online", 1)
        os.pwrite(handle, b"1190400", 0)
        assert os.pread(handle, 100, 0) == b"1190400\n"
    finally:
        os.close(handle)


def test_the_boot_core_stays(virtual_board: Mount) -> None:
    board = virtual_board("orin-nano-jp6")
    assert refused(errno.EPERM, lambda: board.write(f"{CPU}/cpu0/online", 0))
    assert board.read(f"{CPU}/cpu0/online") == "1"
    assert not virtual_board("tx2-jp4").path(f"{CPU}/cpu0/online").exists()


@pytest.mark.parametrize("text", ["x", "2", "-1", " 1"])
def test_a_core_takes_only_a_truth_value(virtual_board: Mount, text: str) -> None:
    board = virtual_board("orin-nano-jp6")
    assert refused(errno.EINVAL, lambda: board.write(f"{CPU}/cpu1/online", text))
    board.write(f"{CPU}/cpu1/online", "0\n")
    assert board.read(f"{CPU}/offline") == "1"


@pytest.mark.parametrize(
    ("folder", "low", "high", "floor", "ceiling"),
    [
        (f"{CPU}/cpufreq/policy0", 499200, 1113600, "scaling_min_freq", "scaling_max_freq"),
        ("/sys/devices/gpu.0/devfreq/17000000.gp10b", 216750000, 522750000, "min_freq", "max_freq"),
    ],
)
def test_an_old_kernel_refuses_limits_that_cross(
    virtual_board: Mount, folder: str, low: int, high: int, floor: str, ceiling: str
) -> None:
    board = virtual_board("tx2-jp4")
    board.write(f"{folder}/{ceiling}", high)
    before = board.read(f"{folder}/{floor}")
    assert refused(errno.EINVAL, lambda: board.write(f"{folder}/{floor}", 2 * high))
    assert board.read(f"{folder}/{floor}") == before
    board.write(f"{folder}/{floor}", high)
    assert refused(errno.EINVAL, lambda: board.write(f"{folder}/{ceiling}", low))
    board.write(f"{folder}/{floor}", low)
    board.write(f"{folder}/{ceiling}", low)
    assert board.read(f"{folder}/{floor}") == board.read(f"{folder}/{ceiling}") == str(low)


def test_a_new_kernel_cuts_the_floor_down_and_lets_it_spring_up_again(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp5")
    policy = f"{CPU}/cpufreq/policy0"
    board.write(f"{policy}/scaling_max_freq", 1113600)
    board.write(f"{policy}/scaling_min_freq", 2201600)
    assert board.read(f"{policy}/scaling_min_freq") == "1113600"
    board.write(f"{policy}/scaling_max_freq", 1728000)
    assert board.read(f"{policy}/scaling_min_freq") == "1728000"


def test_cpu_limits_are_rounded_to_the_table_by_newer_kernels(virtual_board: Mount) -> None:
    old, new = virtual_board("orin-agx-jp5"), virtual_board("orin-agx-jp6")
    policy = f"{CPU}/cpufreq/policy4"
    for board, high, low, low_of_none_between in [
        (old, "1200000", "1000000", "750000"),
        (new, "1190400", "1036800", "806400"),
    ]:
        board.write(f"{policy}/scaling_max_freq", 1200000)
        board.write(f"{policy}/scaling_min_freq", 1000000)
        assert board.read(f"{policy}/scaling_max_freq") == high
        assert board.read(f"{policy}/scaling_min_freq") == low
        assert board.read(f"{policy}/scaling_cur_freq") == "1190400"
        board.write(f"{policy}/scaling_min_freq", 750000)
        board.write(f"{policy}/scaling_max_freq", 800000)
        assert board.read(f"{policy}/scaling_min_freq") == low_of_none_between
        assert board.read(f"{policy}/scaling_max_freq") == "806400"
        board.write(f"{policy}/scaling_max_freq", 1)
        assert board.read(f"{policy}/scaling_max_freq") == "115200"


def test_a_write_of_nothing_never_reaches_the_kernel(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp6")
    board.write(f"{CPU}/cpufreq/policy0/scaling_max_freq", "")
    assert board.writes() == []


@pytest.mark.parametrize(("name", "outcome"), [("orin-agx-jp5", errno.EBUSY), ("orin-agx-jp6", 0), ("tx2-jp4", 0)])
def test_cpufreq_is_busy_while_any_core_is_plugged(virtual_board: Mount, name: str, outcome: int) -> None:
    board = virtual_board(name)
    board.delay(f"{CPU}/cpu1/online", 0.5)
    plugging = threading.Thread(target=board.write, args=(f"{CPU}/cpu1/online", 0))
    plugging.start()
    while not board.writes():
        time.sleep(0.01)
    ceiling = f"{CPU}/cpufreq/policy0/scaling_max_freq"
    assert refused(errno.EBUSY, lambda: board.write(ceiling, 1113600)) == bool(outcome)
    plugging.join()
    board.write(ceiling, 1113600)


@pytest.mark.parametrize(("name", "device"), [("orin-agx-jp5", "thermal-cpufreq-1"), ("orin-agx-jp6", "cpufreq-cpu4")])
def test_the_kernels_own_cooling_device_lowers_the_limits_of_its_policy(
    virtual_board: Mount, name: str, device: str
) -> None:
    """With the figures that were measured on 5.10.223."""
    board = virtual_board(name, preset="MODE_50W")
    policy, other = f"{CPU}/cpufreq/policy4", f"{CPU}/cpufreq/policy0"
    for each in (policy, other):
        board.write(f"{each}/scaling_max_freq", 1728000)
        board.write(f"{each}/scaling_min_freq", 729600)
    before = board.settings()
    for state, low, high in [(15, "729600", "1113600"), (20, "729600", "729600"), (25, "345600", "345600")]:
        board.throttle(state, device)
        assert board.read(f"{policy}/scaling_min_freq") == low
        assert board.read(f"{policy}/scaling_max_freq") == board.read(f"{policy}/scaling_cur_freq") == high
        assert board.read(f"{other}/scaling_max_freq") == "1728000"
    assert board.settings() == before
    board.write(f"{policy}/scaling_max_freq", 1497600)
    board.throttle(0, device)
    assert board.read(f"{policy}/scaling_max_freq") == "1497600"
    assert board.read(f"{policy}/scaling_min_freq") == "729600"


@pytest.mark.parametrize("text", ["x", " ", "max", "\n", "-1"])
def test_what_is_no_number_is_refused(virtual_board: Mount, text: str) -> None:
    board = virtual_board("orin-agx-jp6")
    before = board.settings()
    for path in (f"{CPU}/cpufreq/policy0/scaling_max_freq", "/sys/class/devfreq/17000000.gpu/min_freq", CLK_CAP):
        assert refused(errno.EINVAL, lambda path=path: board.write(path, text))
    assert refused(errno.EINVAL, lambda: board.write(f"{CPU}/cpufreq/policy0/scaling_max_freq", "+729600"))
    assert board.settings() == before
    assert {write["errno"] for write in board.writes()} == {errno.EINVAL}


def test_a_governor_must_be_known_and_decides_the_clock(virtual_board: Mount) -> None:
    board = virtual_board("orin-nano-jp6")
    policy = f"{CPU}/cpufreq/policy0"
    assert refused(errno.EINVAL, lambda: board.write(f"{policy}/scaling_governor", "warp"))
    board.set_load(0)
    assert board.read(f"{policy}/scaling_cur_freq") == board.read(f"{policy}/scaling_min_freq")
    board.write(f"{policy}/scaling_governor", "performance\n")
    assert board.read(f"{policy}/scaling_cur_freq") == board.read(f"{policy}/scaling_max_freq")
