"""Power, heat and over-current, straight from files."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_board import PlainBoard
from virtual_board import MountedBoard

from lightning_powertrain.devices import Health, SysfsDevice
from lightning_powertrain.devices.sysfs_health import over_current_events, temperatures_c, throttling
from lightning_powertrain.devices.sysfs_power import SysfsPower
from lightning_powertrain.errors import DeviceError

Mount = Callable[..., MountedBoard]
I2C = "sys/bus/i2c/devices"


def place(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)


@pytest.mark.parametrize(
    ("name", "source", "settle_s"),
    [
        ("orin-agx-jp5", "sum:VDD_GPU_SOC+VDD_CPU_CV+VIN_SYS_5V0+VDDQ_VDD2_1V8AO", 2.15),
        ("orin-nano-jp6", "VDD_IN", 2.15),
        ("tx2-jp4", "VDD_IN", 2.0),
        ("thor-jp7", "VIN", 2.0),
    ],
)
def test_total_of_each_generation(virtual_board: Mount, name: str, source: str, settle_s: float) -> None:
    board = virtual_board(name)
    power = SysfsPower(board.root)
    assert (power.source, power.settle_s) == (source, pytest.approx(settle_s))
    reading, rails_w = power.read(), board.state()["rails_w"]
    assert set(reading.rails_w) == set(rails_w)
    assert reading.rails_w == pytest.approx(rails_w, rel=0.05, abs=0.5)  # the steps of the sensors, and drift
    parts = [source] if source in rails_w else list(rails_w)
    assert reading.total_w == pytest.approx(sum(reading.rails_w[rail] for rail in parts))


def test_a_board_with_a_rail_too_many_sums_those_of_the_catalogue(tmp_path: Path) -> None:
    PlainBoard(tmp_path)
    assert SysfsPower(tmp_path, ("VDD_GPU_SOC",)).source == "VDD_GPU_SOC"
    assert SysfsPower(tmp_path, ("VDD_GPU_SOC", "VDD_X")).source == "sum:VDD_GPU_SOC+VDD_CPU_CV"
    assert SysfsPower(tmp_path, total="VDD_CPU_CV").read().total_w == pytest.approx(2.0)


@pytest.mark.parametrize(("interval_ms", "settle_s"), [("430", 2.15), ("1", 0.5), ("100000", 10.0), ("", 2.0)])
def test_the_settle_time_follows_the_filter_within_reason(tmp_path: Path, interval_ms: str, settle_s: float) -> None:
    PlainBoard(tmp_path)
    place(tmp_path, {f"{I2C}/1-0040/hwmon/hwmon3/update_interval": interval_ms})
    assert SysfsPower(tmp_path).settle_s == pytest.approx(settle_s)


def test_a_sensor_whose_number_changes_is_found_again(tmp_path: Path) -> None:
    PlainBoard(tmp_path)
    power = SysfsPower(tmp_path)
    folder = tmp_path / I2C / "1-0040/hwmon"
    (folder / "hwmon3").rename(folder / "hwmon7")
    assert power.read().total_w == pytest.approx(12.0)


def test_a_sensor_that_is_away_is_stood_in_for_but_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PlainBoard(tmp_path)
    power = SysfsPower(tmp_path)
    assert power.readable
    power.read()
    current = tmp_path / I2C / "1-0040/hwmon/hwmon3/curr1_input"
    current.unlink()
    assert power.read().total_w == pytest.approx(12.0)
    monkeypatch.setattr("time.monotonic", lambda: 1e9)
    with pytest.raises(DeviceError, match=r"the power sensors .* cannot be read"):
        power.read()
    current.write_text("1000\n")
    assert power.read().total_w == pytest.approx(22.0)


def test_a_board_without_sensors_says_so(tmp_path: Path) -> None:
    power = SysfsPower(tmp_path)
    assert not power.readable
    with pytest.raises(DeviceError, match="none was found"):
        power.read()


def test_heat_and_over_current(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp6")
    board.heat(50.0)
    assert throttling(board.root) == ()
    assert over_current_events(board.root) == 0
    temperatures = temperatures_c(board.root)
    assert temperatures
    assert all(20 < celsius < 90 for celsius in temperatures.values())
    board.over_current(alarm=3, events=2)
    board.throttle(1, "hot-surface-alert")
    assert throttling(board.root) == ()
    board.throttle(1)
    assert throttling(board.root) == ("gpu-throttle-alert",)
    assert over_current_events(board.root) == 2
    assert SysfsDevice(board.root).health() == Health(("gpu-throttle-alert",), 2)


def test_a_fan_throttles_nothing(tmp_path: Path) -> None:
    thermal = "sys/class/thermal"
    place(tmp_path, {f"{thermal}/cooling_device0/type": "pwm-fan\n", f"{thermal}/cooling_device0/cur_state": "3\n"})
    assert throttling(tmp_path) == ()
    place(tmp_path, {f"{thermal}/cooling_device1/type": "cpufreq-cpu0\n", f"{thermal}/cooling_device1/cur_state": "2"})
    assert throttling(tmp_path) == ("cpufreq-cpu0",)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> PlainBoard:
    return PlainBoard(tmp_path_factory.mktemp("sensors"))


NAMES = [f"{I2C}/1-0040/name"] + [
    f"{I2C}/1-0040/hwmon/hwmon3/{name}" for name in ("in1_label", "in1_input", "curr2_input", "update_interval")
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(NAMES), st.binary(max_size=20)), min_size=5, max_size=12))
def test_no_text_of_a_sensor_breaks_it(plain: PlainBoard, texts: list[tuple[str, bytes]]) -> None:
    before = {path: (plain.root / path).read_bytes() for path, _ in texts}
    for path, text in texts:
        (plain.root / path).write_bytes(text)
        power = SysfsPower(plain.root)
        assert 0.5 <= power.settle_s <= 10.0
        if power.readable:
            reading = power.read()
            assert reading.total_w == pytest.approx(sum(reading.rails_w[name] for name in power.rails_in_total))
    for path, kept in before.items():
        (plain.root / path).write_bytes(kept)
