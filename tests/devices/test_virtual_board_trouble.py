"""The virtual boards: trouble on demand, and coming and going."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Callable

import pytest
from virtual_board import MountedBoard, mounted, why_unavailable
from virtual_board.asking import names, refused

pytestmark = pytest.mark.skipif(bool(why_unavailable()), reason=f"no virtual board: {why_unavailable()}")

Mount = Callable[..., MountedBoard]

CPU = "/sys/devices/system/cpu"
CLK_CAP = "/sys/kernel/nvpmodel_clk_cap/emc"
LONG_MAX = "9223372036854775807"


def test_a_write_fails_on_request(virtual_board: Mount) -> None:
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


def test_a_sensor_fails_or_vanishes_on_request(virtual_board: Mount) -> None:
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


def test_a_write_can_take_effect_late(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp6")
    board.lag(CLK_CAP, seconds=0.5, times=1)
    board.write(CLK_CAP, 2133000000)
    assert board.read(CLK_CAP) == LONG_MAX
    deadline = time.monotonic() + 30
    while board.read(CLK_CAP) == LONG_MAX and time.monotonic() < deadline:
        time.sleep(0.02)
    assert board.read(CLK_CAP) == "2133000000"


def test_a_disk_can_be_full(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp6")
    board.fail("/run/*", errno.ENOSPC)
    assert refused(errno.ENOSPC, lambda: board.path("/run/snapshot").write_text("x"))
    board.clear_faults()
    board.path("/run/snapshot").write_text("x")


@pytest.mark.parametrize("order", ["x", "[]", "{}", '{"order": "explode"}', '{"order": "heat"}', '{"order": "load"}'])
def test_an_order_that_makes_no_sense_is_refused(virtual_board: Mount, order: str) -> None:
    board = virtual_board("orin-agx-jp6")
    assert refused(errno.EINVAL, lambda: board.write("/.control/order", order))
    assert ".control" not in names(board.root)


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
    paths = os.pathsep.join([str(Path(__file__).parent.parent), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": paths}
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
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
    with pytest.raises(ValueError, match=r"orin-agx-jp9.*Allowed: orin-agx-jp5"), mounted("orin-agx-jp9"):
        pass


def test_a_board_that_does_not_come_up_says_why() -> None:
    with pytest.raises(RuntimeError, match="unexpected keyword argument 'colour'"), mounted("tx2-jp4", colour="red"):
        pass
