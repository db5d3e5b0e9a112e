"""The virtual boards: power, heat and current."""

from __future__ import annotations

import errno
import os
import threading
import time
from pathlib import Path
from typing import Callable

import pytest
from virtual_board import MountedBoard, why_unavailable
from virtual_board.asking import names, refused

pytestmark = pytest.mark.skipif(bool(why_unavailable()), reason=f"no virtual board: {why_unavailable()}")

Mount = Callable[..., MountedBoard]

CPU = "/sys/devices/system/cpu"
LONG_MAX = "9223372036854775807"


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


def test_a_hot_board_throttles_and_its_cpu_limits_show_it(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp6", preset="MAXN")
    gpu = "/sys/class/devfreq/17000000.gpu"
    assert cooling(board)["gpu-throttle-alert"] == 0
    assert cooling(board)["pwm-fan"] > 0
    board.heat(101)
    assert int(zone(board, "tj-thermal").read_text()) == pytest.approx(101000, abs=32)
    assert cooling(board)["gpu-throttle-alert"] == 1
    assert int(board.read(f"{gpu}/cur_freq")) < 1300500000
    assert board.read(f"{gpu}/max_freq") == LONG_MAX
    assert cooling(board)["cpufreq-cpu0"] == cooling(board)["cpufreq-cpu8"] > 1
    assert int(board.read(f"{CPU}/cpufreq/policy0/scaling_max_freq")) < 2201600
    board.heat(60)
    assert cooling(board)["gpu-throttle-alert"] == cooling(board)["cpufreq-cpu0"] == 0
    assert board.read(f"{CPU}/cpufreq/policy0/scaling_max_freq") == "2201600"
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


def test_many_readers_and_a_writer_do_not_get_in_each_others_way(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp6", preset="MODE_50W")
    stop = threading.Event()
    odd: set[object] = set()

    def sample() -> None:
        while not stop.is_set():
            odd.update(rail for rail, power_w in rails(board).items() if not 0 < power_w < 60)
            odd.update(name for name in names(board.path(f"{CPU}/cpufreq")) if name not in policies)

    policies = {"policy0", "policy4", "policy8"}
    readers = [threading.Thread(target=sample) for _ in range(3)]
    for reader in readers:
        reader.start()
    for online in (0, 1, 0, 1):
        for core in range(4, 12):
            board.write(f"{CPU}/cpu{core}/online", online)
    stop.set()
    for reader in readers:
        reader.join()
    assert not odd
    assert set(names(board.path(f"{CPU}/cpufreq"))) == policies
    assert len(board.writes()) == 32
