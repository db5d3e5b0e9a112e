"""The GPU and the memory of virtual boards: their files say and take what those of the kernel do."""

from __future__ import annotations

import errno
from typing import Callable

import pytest
from virtual_board import MountedBoard, why_unavailable
from virtual_board.asking import names, refused

pytestmark = pytest.mark.skipif(bool(why_unavailable()), reason=f"no virtual board: {why_unavailable()}")

Mount = Callable[..., MountedBoard]

DEBUG_EMC = "/sys/kernel/debug/bpmp/debug/clk/emc"
ISO_CAP = "/sys/kernel/nvpmodel_emc_cap/emc_iso_cap"
CLK_CAP = "/sys/kernel/nvpmodel_clk_cap/emc"
LONG_MAX = "9223372036854775807"


@pytest.mark.parametrize("name", ["orin-agx-jp5", "orin-agx-jp6"])
def test_devfreq_limits_are_clipped_and_not_rounded(virtual_board: Mount, name: str) -> None:
    board = virtual_board(name)
    (gpu,) = board.path("/sys/class/devfreq").iterdir()
    table = list(map(int, (gpu / "available_frequencies").read_text().split()))
    low, high = gpu / "min_freq", gpu / "max_freq"
    for text, shown, clock in [
        ("700000000", "700000000", str(max(hz for hz in table if hz <= 700000000))),
        ("1", "1000", str(table[0])),
        ("9000000000", str(table[-1]), str(table[-1])),
        ("4294967296000", "0", str(table[0])),  # 32 bits of kHz
        ("18446744073709551615", "0", str(table[0])),
    ]:
        high.write_text(text)
        assert high.read_text().strip() == shown
        assert (gpu / "cur_freq").read_text().strip() == clock
    assert low.read_text() == "0\n"
    high.write_text(LONG_MAX)
    assert (gpu / "cur_freq").read_text().strip() == "1300500000"
    low.write_text("1")
    assert low.read_text() == f"{table[0]}\n"


def test_an_old_devfreq_shows_what_was_written(virtual_board: Mount) -> None:
    board = virtual_board("tx2-jp4", preset="MAXN")
    gpu = "/sys/devices/gpu.0/devfreq/17000000.gp10b"
    board.write(f"{gpu}/max_freq", 0)
    board.write(f"{gpu}/min_freq", 0)
    assert board.read(f"{gpu}/max_freq") == "0"
    assert board.read(f"{gpu}/min_freq") == board.read(f"{gpu}/available_frequencies").split()[0]
    assert board.read(f"{gpu}/cur_freq") == board.read(f"{gpu}/available_frequencies").split()[-1]


def test_an_unlimited_gpu_reads_as_the_largest_number(virtual_board: Mount) -> None:
    board = virtual_board("orin-nano-jp6")
    ceiling = "/sys/class/devfreq/17000000.gpu/max_freq"
    assert board.read(ceiling) == LONG_MAX
    board.write(ceiling, 624750000)
    assert board.read(ceiling) == "624750000"
    board.write(ceiling, LONG_MAX)
    assert board.read(ceiling) == LONG_MAX


@pytest.mark.parametrize(
    ("name", "folder", "load"),
    [
        ("tx2-jp4", "/sys/devices/17000000.gp10b/devfreq/17000000.gp10b", "/sys/devices/gpu.0/load"),
        (
            "agx-xavier-jp5",
            "/sys/devices/17000000.gv11b/devfreq/17000000.gv11b",
            "/sys/devices/platform/host1x/17000000.gv11b/load",
        ),
        ("orin-agx-jp5", "/sys/devices/17000000.ga10b/devfreq_dev", "/sys/devices/gpu.0/load"),
        (
            "orin-agx-jp6",
            "/sys/devices/platform/bus@0/17000000.gpu/devfreq/17000000.gpu",
            "/sys/devices/platform/17000000.gpu/load",
        ),
    ],
)
def test_the_gpu_is_where_each_generation_has_it(virtual_board: Mount, name: str, folder: str, load: str) -> None:
    board = virtual_board(name)
    (by_class,) = board.path("/sys/class/devfreq").iterdir()
    assert by_class.resolve() == board.path(folder).resolve()
    assert b"nvidia" in (by_class / "device/of_node/compatible").read_bytes()
    assert (by_class / "governor").read_text() == "nvhost_podgov\n"
    board.set_load(0.5)
    assert board.read(load) == "500"


def test_thor_has_devfreq_for_gpu_and_memory(virtual_board: Mount) -> None:
    board = virtual_board("thor-jp7")
    assert names(board.path("/sys/class/devfreq")) == ["bwmgr", "gpu-gpc-0", "gpu-nvd-0"]
    board.write("/sys/class/devfreq/bwmgr/max_freq", 2500000000)
    assert board.read("/sys/class/devfreq/bwmgr/cur_freq") == "2133000000"
    assert board.state()["emc_hz"] == 2133000000


@pytest.mark.parametrize("wake", ["railgate", "cuda"])
def test_a_gpu_that_sleeps_has_no_clock_until_it_is_powered(virtual_board: Mount, wake: str) -> None:
    board = virtual_board("orin-agx-jp5", gpu_asleep=True)
    assert names(board.path("/sys/class/devfreq")) == []
    if wake == "cuda":
        board.wake_gpu()
    else:
        board.write("/sys/devices/gpu.0/railgate_enable", 0)
    assert board.read("/sys/class/devfreq/17000000.ga10b/max_freq") == "612000000"


def test_gating_gpu_clusters_is_a_violation(virtual_board: Mount) -> None:
    board = virtual_board("orin-nx-jp6")
    mask = "/sys/devices/platform/17000000.gpu/tpc_pg_mask"
    assert board.read(mask) == "252"
    assert board.violations() == []
    board.write(mask, 240)
    assert [write["text"] for write in board.violations()] == ["240"]


def test_the_old_memory_cap_reads_as_written_and_nought_is_none(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp5")
    assert board.read(ISO_CAP) == "0"
    assert board.read(f"{DEBUG_EMC}/rate") == "3199000000"
    board.write(ISO_CAP, 2500000000)
    assert board.read(ISO_CAP) == "2500000000"
    assert board.read(f"{DEBUG_EMC}/rate") == "2133000000"
    board.write(ISO_CAP, 0)
    assert board.read(f"{DEBUG_EMC}/rate") == "3199000000"


def test_the_new_memory_cap_reads_rounded_and_nought_is_the_lowest(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp6")
    assert board.read(CLK_CAP) == LONG_MAX
    board.write(CLK_CAP, 2500000000)
    assert board.read(CLK_CAP) == board.read(f"{DEBUG_EMC}/rate") == "2133000000"
    board.write(CLK_CAP, 0)
    assert board.read(CLK_CAP) == board.read(f"{DEBUG_EMC}/rate") == "204000000"
    board.write(CLK_CAP, LONG_MAX)
    assert board.read(CLK_CAP) == LONG_MAX
    assert refused(errno.EINVAL, lambda: board.write(CLK_CAP, "665600000x"))
    assert refused(errno.ERANGE, lambda: board.write(CLK_CAP, 2**64))


@pytest.mark.parametrize("name", ["tx2-jp4", "agx-xavier-jp5", "orin-nano-jp6"])
def test_a_memory_rate_holds_only_under_the_lock(virtual_board: Mount, name: str) -> None:
    board = virtual_board(name)
    free = board.read(f"{DEBUG_EMC}/rate")
    board.write(f"{DEBUG_EMC}/rate", 204000000)
    assert board.read(f"{DEBUG_EMC}/rate") == free
    board.write(f"{DEBUG_EMC}/mrq_rate_locked", 1)
    assert board.read(f"{DEBUG_EMC}/rate") == free
    board.write(f"{DEBUG_EMC}/rate", 700000000)
    assert board.read(f"{DEBUG_EMC}/rate") == "665600000"
    board.write(f"{DEBUG_EMC}/mrq_rate_locked", 0)
    assert board.read(f"{DEBUG_EMC}/rate") == free
    assert refused(errno.EINVAL, lambda: board.write(f"{DEBUG_EMC}/mrq_rate_locked", 2))


def test_a_pinned_rate_does_not_pass_the_cap(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp6")
    board.write(CLK_CAP, 2133000000)
    board.write(f"{DEBUG_EMC}/mrq_rate_locked", 1)
    board.write(f"{DEBUG_EMC}/rate", 3199000000)
    assert board.read(f"{DEBUG_EMC}/rate") == "2133000000"
    board.write(CLK_CAP, 3199000000)
    assert board.read(f"{DEBUG_EMC}/rate") == "3199000000"
