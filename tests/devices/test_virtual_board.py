"""The virtual boards' manners, by ordinary file operations on their mounts."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from virtual_board import BOARDS, MountedBoard, mounted, why_unavailable

from lightning_powertrain.boards import load_board

pytestmark = pytest.mark.skipif(bool(why_unavailable()), reason=f"no virtual board: {why_unavailable()}")

Mount = Callable[..., MountedBoard]

CPU = "/sys/devices/system/cpu"
DEBUG_EMC = "/sys/kernel/debug/bpmp/debug/clk/emc"
ISO_CAP = "/sys/kernel/nvpmodel_emc_cap/emc_iso_cap"
CLK_CAP = "/sys/kernel/nvpmodel_clk_cap/emc"
LONG_MAX = "9223372036854775807"
NOBODY = 65534

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")


@contextmanager
def as_nobody() -> Iterator[None]:
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


def refused(code: int, write: Callable[[], object]) -> bool:
    """Whether a call fails with exactly this errno."""
    try:
        write()
    except OSError as error:
        return error.errno == code
    return False


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# -- all boards -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BOARDS)
def test_every_file_can_be_read_or_says_why_not(virtual_board: Mount, name: str) -> None:
    board = virtual_board(name)
    seen, silent = 0, set()
    for folder, _, files in os.walk(board.path("/sys")):
        for file in files:
            path = Path(folder, file)
            assert path.stat().st_size in (0, 4096) or "devicetree" in folder
            handle = os.open(path, os.O_RDONLY)
            try:
                seen += len(os.read(handle, 4096)) > 0
            except OSError as error:
                silent.add((error.errno, re.sub(r"\d", "", file)))
            finally:
                os.close(handle)
    assert seen > 100
    assert silent <= {(errno.EAGAIN, "temp"), (errno.ENODATA, "in_input"), (errno.ENODATA, "curr_input")}


@pytest.mark.parametrize("name", BOARDS)
def test_it_boots_in_a_mode_of_its_tables_and_says_who_it_is(virtual_board: Mount, name: str) -> None:
    board = virtual_board(name)
    state = board.state()
    assert state["load"] == 1
    assert not state["is_throttling"]
    table = [int(khz) for khz in board.read(f"{CPU}/cpufreq/policy0/scaling_available_frequencies").split()]
    assert state["cpu_khz"] in table == sorted(table)
    assert board.read("/etc/nv_tegra_release").startswith("# R3")
    assert board.path("/proc/device-tree/model").read_bytes().endswith(b"\0")
    assert b"nvidia,tegra" in board.path("/proc/device-tree/compatible").read_bytes()
    assert "POWER_MODEL ID=" in board.read("/etc/nvpmodel.conf")
    assert board.read("/var/lib/nvpmodel/status").startswith("pmode:000")
    assert board.writes() == []


@pytest.mark.parametrize("name", BOARDS)
def test_reading_every_setting_gives_what_the_model_says(virtual_board: Mount, name: str) -> None:
    board = virtual_board(name)
    settings = board.settings()
    assert len(settings) > 15
    assert {path: board.read(path) for path in settings} == settings


def test_the_catalogue_agrees_with_the_tables_of_a_known_board(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp6")
    knobs = {knob.name: knob.values for knob in load_board("orin-agx-64gb-jp6").modes.knobs}
    cpu = board.read(f"{CPU}/cpufreq/policy0/scaling_available_frequencies").split()
    gpu = board.read("/sys/class/devfreq/17000000.gpu/available_frequencies").split()
    emc = board.read("/sys/kernel/debug/bpmp/debug/emc/possible_rates")
    assert tuple(map(int, cpu)) == knobs["cpu_khz"]
    assert tuple(map(int, gpu)) == knobs["gpu_hz"]
    assert emc == "204000 665600 2133000 3199000 (kHz)"


# -- cores ------------------------------------------------------------------------------------------------------------


def test_a_policy_vanishes_with_its_last_core_and_comes_back_without_its_limits(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp6", preset="MODE_50W")
    policy = board.path(f"{CPU}/cpufreq/policy8")
    board.write(f"{CPU}/cpufreq/policy8/scaling_max_freq", 1113600)
    for core in (8, 9, 10):
        board.write(f"{CPU}/cpu{core}/online", 0)
    assert board.read(f"{CPU}/cpufreq/policy8/affected_cpus") == "11"
    assert board.read(f"{CPU}/cpufreq/policy8/related_cpus") == "8 9 10 11"
    assert board.read(f"{CPU}/online") == "0-7,11"
    board.write(f"{CPU}/cpu11/online", 0)
    assert not policy.exists()
    assert not board.path(f"{CPU}/cpu11/cpufreq").is_symlink()
    assert names(policy.parent) == ["policy0", "policy4"]
    assert refused(errno.ENOENT, lambda: board.write(f"{CPU}/cpufreq/policy8/scaling_max_freq", 1113600))
    board.write(f"{CPU}/cpu10/online", 1)
    assert board.read(f"{CPU}/cpufreq/policy8/affected_cpus") == "10"
    assert board.read(f"{CPU}/cpufreq/policy8/scaling_max_freq") == "2201600"
    assert board.read(f"{CPU}/cpu10/cpufreq/scaling_min_freq") == "115200"


def test_a_file_held_open_over_the_end_of_its_policy_is_dead_for_good(virtual_board: Mount) -> None:
    board = virtual_board("agx-xavier-jp5", preset="MAXN")
    handle = os.open(board.path(f"{CPU}/cpufreq/policy6/scaling_max_freq"), os.O_RDWR)
    try:
        assert os.pread(handle, 100, 0) == b"2265600\n"
        for online in (0, 1):
            for core in (6, 7):
                board.write(f"{CPU}/cpu{core}/online", online)
            assert refused(errno.ENODEV, lambda: os.pread(handle, 100, 0))
            assert refused(errno.ENODEV, lambda: os.write(handle, b"1190400"))
    finally:
        os.close(handle)


def test_the_boot_core_stays(virtual_board: Mount) -> None:
    board = virtual_board("orin-nano-jp6")
    assert refused(errno.EPERM, lambda: board.write(f"{CPU}/cpu0/online", 0))
    assert board.read(f"{CPU}/cpu0/online") == "1"
    assert not virtual_board("tx2-jp4").path(f"{CPU}/cpu0/online").exists()


@pytest.mark.parametrize("text", ["", "x", "2", "-1"])
def test_a_core_takes_only_a_truth_value(virtual_board: Mount, text: str) -> None:
    board = virtual_board("orin-nano-jp6")
    if text:
        assert refused(errno.EINVAL, lambda: board.write(f"{CPU}/cpu1/online", text))
    board.write(f"{CPU}/cpu1/online", "0\n")
    assert board.read(f"{CPU}/offline") == "1"


# -- limits -----------------------------------------------------------------------------------------------------------


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


def test_limits_are_rounded_to_the_table_in_silence(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp6")
    policy, gpu = f"{CPU}/cpufreq/policy4", "/sys/class/devfreq/17000000.gpu"
    board.write(f"{policy}/scaling_max_freq", 1200000)
    board.write(f"{policy}/scaling_min_freq", 1000000)
    board.write(f"{gpu}/max_freq", 700000000)
    assert board.read(f"{policy}/scaling_max_freq") == "1190400"
    assert board.read(f"{policy}/scaling_min_freq") == "1036800"
    assert board.read(f"{gpu}/max_freq") == board.read(f"{gpu}/cur_freq") == "612000000"
    board.write(f"{policy}/scaling_max_freq", 1)
    assert board.read(f"{policy}/scaling_max_freq") == "115200"


@pytest.mark.parametrize("text", ["x", " ", "max", "\n"])
def test_what_is_no_number_is_refused(virtual_board: Mount, text: str) -> None:
    board = virtual_board("orin-agx-jp6")
    before = board.settings()
    for path in (f"{CPU}/cpufreq/policy0/scaling_max_freq", "/sys/class/devfreq/17000000.gpu/min_freq", CLK_CAP):
        assert refused(errno.EINVAL, lambda path=path: board.write(path, text))
    assert board.settings() == before
    assert {write["errno"] for write in board.writes()} == {errno.EINVAL}


def test_an_unlimited_gpu_reads_as_the_largest_number(virtual_board: Mount) -> None:
    board = virtual_board("orin-nano-jp6")
    ceiling = "/sys/class/devfreq/17000000.gpu/max_freq"
    assert board.read(ceiling) == LONG_MAX
    board.write(ceiling, 624750000)
    assert board.read(ceiling) == "624750000"
    board.write(ceiling, LONG_MAX)
    assert board.read(ceiling) == LONG_MAX


def test_a_governor_must_be_known_and_decides_the_clock(virtual_board: Mount) -> None:
    board = virtual_board("orin-nano-jp6")
    policy = f"{CPU}/cpufreq/policy0"
    assert refused(errno.EINVAL, lambda: board.write(f"{policy}/scaling_governor", "warp"))
    board.set_load(0)
    assert board.read(f"{policy}/scaling_cur_freq") == board.read(f"{policy}/scaling_min_freq")
    board.write(f"{policy}/scaling_governor", "performance\n")
    assert board.read(f"{policy}/scaling_cur_freq") == board.read(f"{policy}/scaling_max_freq")


# -- where the GPU is -------------------------------------------------------------------------------------------------


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
    assert board.read("/sys/class/devfreq/17000000.ga10b/max_freq") == "522750000"


def test_gating_gpu_clusters_is_a_violation(virtual_board: Mount) -> None:
    board = virtual_board("orin-nx-jp6")
    mask = "/sys/devices/platform/17000000.gpu/tpc_pg_mask"
    assert board.read(mask) == "252"
    assert board.violations() == []
    board.write(mask, 240)
    assert [write["text"] for write in board.violations()] == ["240"]


# -- memory -----------------------------------------------------------------------------------------------------------


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


# -- permissions ------------------------------------------------------------------------------------------------------


@needs_root
def test_a_user_sees_what_the_generation_lets_him_see(virtual_board: Mount) -> None:
    new, old, oldest = virtual_board("orin-agx-jp6"), virtual_board("orin-agx-jp5"), virtual_board("tx2-jp4")
    assert old.read(f"{DEBUG_EMC}/state") == new.read(f"{DEBUG_EMC}/state") == "1"
    with as_nobody():
        assert new.read(CLK_CAP) == LONG_MAX
        assert refused(errno.EACCES, lambda: new.write(CLK_CAP, 204000000))
        assert refused(errno.EACCES, lambda: old.read(ISO_CAP))
        assert refused(errno.EACCES, lambda: new.read(f"{DEBUG_EMC}/state"))
        assert refused(errno.EACCES, lambda: new.path(f"{DEBUG_EMC}/state").stat())
        assert refused(errno.EACCES, lambda: names(new.path("/sys/kernel/debug")))
        assert refused(errno.EACCES, lambda: new.read(f"{CPU}/cpufreq/policy0/cpuinfo_cur_freq"))
        assert refused(errno.EACCES, lambda: new.write(f"{CPU}/cpu1/online", 0))
        assert int(new.read("/sys/bus/i2c/devices/1-0040/hwmon/hwmon1/curr1_input")) > 0
        assert refused(errno.EACCES, lambda: oldest.read("/sys/bus/i2c/devices/0-0040/iio:device1/rail_name_0"))
    oldest.path("/sys/bus/i2c/devices/0-0040/iio:device1/rail_name_0").chmod(0o444)
    with as_nobody():
        assert oldest.read("/sys/bus/i2c/devices/0-0040/iio:device1/rail_name_0") == "VDD_SYS_GPU"


def test_not_even_root_can_write_what_is_read_only_or_make_files_in_sysfs(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp6")
    assert refused(errno.EACCES, lambda: board.write(f"{CPU}/online", "0-3"))
    assert refused(errno.EACCES, lambda: board.path(f"{CPU}/mine").write_text("1"))
    assert refused(errno.EPERM, lambda: board.path(f"{CPU}/mine").mkdir())
    assert refused(errno.EPERM, lambda: board.path(f"{CPU}/cpu1/online").unlink())


# -- reading and writing ----------------------------------------------------------------------------------------------


def test_a_file_is_shown_anew_at_its_start_and_goes_on_from_there(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp6")
    handle = os.open(board.path(f"{CPU}/online"), os.O_RDONLY)
    try:
        assert os.read(handle, 2) == b"0-"
        board.write(f"{CPU}/cpu7/online", 0)
        assert os.read(handle, 100) == b"7\n"
        assert os.read(handle, 100) == b""
        assert os.pread(handle, 100, 0) == b"0-6\n"
    finally:
        os.close(handle)


def test_one_write_is_one_store_and_all_are_noted_in_order(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp6")
    with board.path(f"{CPU}/cpu5/online").open("w") as file:
        file.write("0")
        file.flush()
        file.write("1\n")
    assert refused(errno.EPERM, lambda: board.write(f"{CPU}/cpu0/online", "0"))
    notes = [(write["path"], write["text"], write["errno"]) for write in board.writes()]
    assert notes == [
        (f"{CPU}/cpu5/online", "0", 0),
        (f"{CPU}/cpu5/online", "1\n", 0),
        (f"{CPU}/cpu0/online", "0", errno.EPERM),
    ]
    assert {write["uid"] for write in board.writes()} == {os.getuid()}
    board.forget_writes()
    assert board.writes() == []


def test_the_disk_behaves_like_one(virtual_board: Mount) -> None:
    folder = virtual_board("orin-agx-jp6").path("/run/ours")
    folder.mkdir(mode=0o700)
    (folder / "new").write_text("x" * 10000)
    (folder / "new").replace(folder / "snapshot")
    assert (folder / "snapshot").read_text() == "x" * 10000
    assert folder.stat().st_mode & 0o777 == 0o700
    with (folder / "snapshot").open("r+") as file, (folder / "snapshot").open() as other:
        file.truncate(3)
        os.fsync(file.fileno())
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        (folder / "snapshot").unlink()
        assert other.read() == "xxx"
        assert names(folder) == []
    folder.rmdir()
    assert not folder.exists()


def test_a_reboot_forgets_settings_and_run_but_not_the_disk(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp6")
    before, boot_id = board.settings(), board.read("/proc/sys/kernel/random/boot_id")
    board.write(f"{CPU}/cpu3/online", 0)
    for folder in ("/run", "/var/lib"):
        board.path(f"{folder}/ours").mkdir()
        board.path(f"{folder}/ours/file").write_text("kept?")
    hwmon = names(board.path("/sys/bus/i2c/devices/1-0040/hwmon"))
    board.reboot()
    assert board.settings().keys() >= {f"{CPU}/cpu3/online"}
    assert board.read(f"{CPU}/cpu3/online") == before[f"{CPU}/cpu3/online"]
    assert board.read("/proc/sys/kernel/random/boot_id") != boot_id
    assert not board.path("/run/ours").exists()
    board.path("/run/ours").mkdir()
    assert board.read("/var/lib/ours/file") == "kept?"
    assert names(board.path("/sys/bus/i2c/devices/1-0040/hwmon")) != hwmon


# -- sensors ----------------------------------------------------------------------------------------------------------


def rails(board: MountedBoard) -> dict[str, float]:
    """Power of the rails of all INA3221, in watts."""
    found = {}
    for label in board.path("/sys/bus/i2c/devices").glob("*/hwmon/*/in?_label"):
        channel, name = label.name[2], label.read_text().strip()
        if name != "NC" and channel != "7":
            volts = int((label.parent / f"in{channel}_input").read_text()) / 1000
            found[name] = volts * int((label.parent / f"curr{channel}_input").read_text()) / 1000
    return found


@pytest.mark.parametrize("name", ["orin-agx-jp6", "orin-nx-jp6", "agx-xavier-jp5", "thor-jp7"])
def test_rails_have_their_names_and_show_what_the_plant_draws(virtual_board: Mount, name: str) -> None:
    board = virtual_board(name)
    truth = board.state()["rails_w"]
    shown = rails(board)
    assert set(shown) == set(truth) - {"VIN"}
    for rail, power_w in shown.items():
        assert power_w == pytest.approx(truth[rail], abs=0.12)


def test_thor_measures_its_input_in_microwatts(virtual_board: Mount) -> None:
    board = virtual_board("thor-jp7")
    (chip,) = board.path("/sys/bus/i2c/devices/2-0044/hwmon").iterdir()
    assert (chip.parent.parent / "name").read_text() == "ina238\n"
    shown_w = int((chip / "power1_input").read_text()) / 1e6
    assert shown_w == pytest.approx(board.state()["rails_w"]["VIN"], rel=0.01)


def test_jetpack_4_has_industrial_io_in_milliwatts(virtual_board: Mount) -> None:
    board = virtual_board("tx2-jp4")
    (chip,) = board.path("/sys/bus/i2c/devices/0-0041").glob("iio:device*")
    assert (chip / "rail_name_0").read_text() == "VDD_IN\n"
    power_mw = int((chip / "in_power0_input").read_text())
    volts, amps = (int((chip / f"in_{name}0_input").read_text()) / 1000 for name in ("voltage", "current"))
    assert power_mw == pytest.approx(volts * amps * 1000, abs=1)
    assert power_mw / 1000 == pytest.approx(board.state()["rails_w"]["VDD_IN"], abs=0.2)


def test_power_follows_the_mode_through_the_sensors_filter(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp6", preset="MAXN")
    before_w = sum(rails(board).values())
    board.write("/sys/class/devfreq/17000000.gpu/max_freq", 306000000)
    at_once_w = sum(rails(board).values())
    time.sleep(1.5)
    later_w = sum(rails(board).values())
    assert later_w < at_once_w <= before_w
    assert before_w - later_w > 5
    board.set_load(0)
    time.sleep(1.0)
    assert sum(rails(board).values()) < later_w


def test_a_filter_says_how_it_is_set(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp6")
    (chip,) = board.path("/sys/bus/i2c/devices/1-0040/hwmon").iterdir()
    assert (chip / "samples").read_text() == "512\n"
    assert (chip / "update_interval").read_text() == "430\n"


def zone(board: MountedBoard, kind: str) -> Path:
    zones = board.path("/sys/class/thermal").glob("thermal_zone*")
    return next(folder / "temp" for folder in zones if (folder / "type").read_text().strip() == kind)


def cooling(board: MountedBoard) -> dict[str, int]:
    folders = board.path("/sys/class/thermal").glob("cooling_device*")
    return {(f / "type").read_text().strip(): int((f / "cur_state").read_text()) for f in folders}


def test_a_hot_board_throttles_and_its_limits_do_not_show_it(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp6", preset="MAXN")
    gpu = "/sys/class/devfreq/17000000.gpu"
    assert cooling(board)["gpu-throttle-alert"] == 0
    assert cooling(board)["pwm-fan"] > 0
    board.heat(101)
    assert int(zone(board, "tj-thermal").read_text()) == pytest.approx(101000, abs=32)
    assert cooling(board)["gpu-throttle-alert"] == 1
    assert int(board.read(f"{gpu}/cur_freq")) < 1300500000
    assert board.read(f"{gpu}/max_freq") == LONG_MAX
    board.heat(60)
    assert cooling(board)["gpu-throttle-alert"] == 0
    board.throttle(3, "cpu-throttle-alert")
    assert cooling(board)["cpu-throttle-alert"] == 3
    assert int(board.read(f"{CPU}/cpufreq/policy0/scaling_cur_freq")) < 2201600
    board.throttle(0, "cpu-throttle-alert")
    board.throttle(1, "hot-surface-alert")
    assert board.read(f"{gpu}/cur_freq") == "1300500000"


def test_a_zone_that_is_gated_answers_try_again(virtual_board: Mount) -> None:
    handle = os.open(zone(virtual_board("orin-agx-jp6"), "cv0-thermal"), os.O_RDONLY)
    try:
        assert refused(errno.EAGAIN, lambda: os.read(handle, 100))
    finally:
        os.close(handle)


@pytest.mark.parametrize("name", ["orin-agx-jp5", "orin-nano-jp6"])
def test_over_currents_are_counted(virtual_board: Mount, name: str) -> None:
    board = virtual_board(name)
    names = board.path("/sys/class/hwmon").glob("*/name")
    (counters,) = [path.parent for path in names if path.read_text() == "soctherm_oc\n"]
    assert (counters / "oc3_event_cnt").read_text() == "0\n"
    board.over_current(3, 7)
    assert (counters / "oc3_event_cnt").read_text() == "7\n"


# -- trouble on demand ------------------------------------------------------------------------------------------------


def test_a_write_fails_when_it_was_told_to(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp6")
    board.fail("/sys/class/devfreq/17000000.gpu/max_freq", errno.EIO, skip=1, times=1)
    gpu = "/sys/class/devfreq/17000000.gpu/max_freq"
    board.write(gpu, 306000000)
    assert refused(errno.EIO, lambda: board.write(gpu, 408000000))
    assert board.read(gpu) == "306000000"
    board.write(gpu, 408000000)
    assert board.read(gpu) == "408000000"
    board.ignore(f"{CPU}/cpufreq/*", times=1)
    before = board.read(f"{CPU}/cpufreq/policy0/scaling_max_freq")
    board.write(f"{CPU}/cpufreq/policy0/scaling_max_freq", 115200)
    assert board.read(f"{CPU}/cpufreq/policy0/scaling_max_freq") == before


def test_a_sensor_fails_or_vanishes_when_it_was_told_to(virtual_board: Mount) -> None:
    board = virtual_board("orin-nano-jp6")
    (chip,) = board.path("/sys/bus/i2c/devices/1-0040/hwmon").iterdir()
    board.fail("*/curr1_input", errno.EAGAIN, on="read", times=2)
    for _ in range(2):
        with pytest.raises((BlockingIOError, TypeError)):  # Python's text layer makes a TypeError of EAGAIN
            (chip / "curr1_input").read_text()
    assert int((chip / "curr1_input").read_text()) > 0
    board.hide("/sys/bus/i2c/devices/1-0040/hwmon")
    assert not chip.exists()
    board.reveal("/sys/devices/platform/bus@0/c240000.i2c/i2c-1/1-0040/hwmon")
    assert int((chip / "curr1_input").read_text()) > 0
    board.hide(CLK_CAP)
    assert not board.path(CLK_CAP).exists()
    board.clear_faults()
    assert board.path(CLK_CAP).exists()


def test_a_slow_write_holds_up_nobody_else(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp6")
    board.delay(CLK_CAP, seconds=1.0)
    done: list[float] = []

    def write_slowly() -> None:
        board.write(CLK_CAP, 2133000000)
        done.append(time.monotonic())

    slow = threading.Thread(target=write_slowly)
    slow.start()
    while not board.writes():
        time.sleep(0.01)
    assert board.read(CLK_CAP) == LONG_MAX
    assert not done
    slow.join()
    assert board.read(CLK_CAP) == "2133000000"


def test_a_disk_can_be_full(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp6")
    board.fail("/run/*", errno.ENOSPC)
    assert refused(errno.ENOSPC, lambda: board.path("/run/snapshot").write_text("x"))
    board.clear_faults()
    board.path("/run/snapshot").write_text("x")


@pytest.mark.parametrize("order", ["", "[]", "{}", '{"order": "explode"}', '{"order": "heat"}', '{"order": "load"}'])
def test_an_order_that_makes_no_sense_is_refused(virtual_board: Mount, order: str) -> None:
    board = virtual_board("orin-agx-jp6")
    if order:
        assert refused(errno.EINVAL, lambda: board.write("/.control/order", order))
    assert ".control" not in names(board.root)


# -- mounting ---------------------------------------------------------------------------------------------------------


def test_two_boards_at_once_and_nothing_left_of_either() -> None:
    with mounted("orin-agx-jp6") as first, mounted("orin-agx-jp6", preset="MODE_15W") as second:
        first.write(f"{CPU}/cpu1/online", 0)
        assert second.read(f"{CPU}/online") == "0-3"
        assert second.writes() == []
    assert not first.root.parent.exists()
    assert not second.root.parent.exists()


def test_it_is_unmounted_when_the_test_fails_with_a_file_open() -> None:
    def fail() -> None:
        with mounted("orin-nano-jp6") as board:
            roots.append(board.root)
            handles.append(os.open(board.path(f"{CPU}/online"), os.O_RDONLY))
            raise ZeroDivisionError

    roots: list[Path] = []
    handles: list[int] = []
    with pytest.raises(ZeroDivisionError):
        fail()
    assert not roots[0].parent.exists()
    assert refused(errno.ENOTCONN, lambda: os.pread(handles[0], 1, 0))
    os.close(handles[0])


def test_it_is_unmounted_when_the_process_that_mounted_it_is_killed(tmp_path: Path) -> None:
    code = (
        "import time\nfrom virtual_board import mounted\n"
        "with mounted('orin-nano-jp6') as board:\n    print(board.root, flush=True)\n    time.sleep(600)\n"
    )
    paths = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent.parent), *filter(None, sys.path)])}
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=os.environ | paths)
    assert process.stdout is not None
    root = Path(process.stdout.readline().strip())
    assert root.is_mount()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    deadline = time.monotonic() + 30
    while root.is_mount() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not root.is_mount()
    root.rmdir()
    (root.parent / "log").unlink()
    root.parent.rmdir()


def test_a_board_that_does_not_exist_is_a_clear_error() -> None:
    with pytest.raises(RuntimeError, match="KeyError: 'orin-agx-jp9'"), mounted("orin-agx-jp9"):
        pass
