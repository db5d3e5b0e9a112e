"""The virtual boards: what all have in common, by ordinary file operations on their mounts."""

from __future__ import annotations

import errno
import fcntl
import os
import re
from pathlib import Path
from typing import Callable

import pytest
from virtual_board import BOARDS, MountedBoard, why_unavailable
from virtual_board.asking import as_nobody, names, refused

from lightning_powertrain.boards import load_board

pytestmark = pytest.mark.skipif(bool(why_unavailable()), reason=f"no virtual board: {why_unavailable()}")

Mount = Callable[..., MountedBoard]

CPU = "/sys/devices/system/cpu"
DEBUG_EMC = "/sys/kernel/debug/bpmp/debug/clk/emc"
ISO_CAP = "/sys/kernel/nvpmodel_emc_cap/emc_iso_cap"
CLK_CAP = "/sys/kernel/nvpmodel_clk_cap/emc"
LONG_MAX = "9223372036854775807"

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")


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
    asleep = {(code, file) for code, file in silent if code in (errno.EBUSY, errno.ENODEV)}
    known = {(errno.EAGAIN, "temp"), (errno.ENODATA, "in_input"), (errno.ENODATA, "curr_input")}
    assert silent - asleep <= known
    assert all(re.match("scaling|cpuinfo|affected|related", file) for _, file in asleep)


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
    for core in board.path(CPU).glob("cpu[1-9]*"):
        (core / "online").write_text("1")
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
    snapshot = (folder / "new").replace(folder / "snapshot")
    assert snapshot.read_text() == "x" * 10000
    assert folder.stat().st_mode & 0o777 == 0o700
    with snapshot.open("r+") as file, snapshot.open() as other:
        file.truncate(3)
        os.fsync(file.fileno())
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        snapshot.unlink()
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
