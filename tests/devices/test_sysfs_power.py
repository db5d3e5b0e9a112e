"""Power, heat and over-current, straight from files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_board import PlainBoard
from virtual_board import MountedBoard

from lightning_powertrain.boards import load_board
from lightning_powertrain.devices import Health, SysfsDevice
from lightning_powertrain.devices.sysfs_health import over_current_events, read_health, temperatures_c, throttling
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


CARRIER = {
    f"{I2C}/2-0041/name": "ina3221\n",
    **{f"{I2C}/2-0041/hwmon/hwmon6/in{n}_label": f"CVB_ATX_{v}\n" for n, v in enumerate(("12V", "3V3", "5V"), 1)},
    **{f"{I2C}/2-0041/hwmon/hwmon6/in{n}_input": "12000\n" for n in (1, 2, 3)},
    **{f"{I2C}/2-0041/hwmon/hwmon6/curr{n}_input": "1000\n" for n in (1, 2, 3)},
}
"""IGX Orin's carrier: labels of mainline Linux, tegra234-p3740-0002.dtsi."""
REST_OF_AGX_ORIN = {
    f"{I2C}/1-0040/hwmon/hwmon3/in3_label": "VIN_SYS_5V0\n",
    f"{I2C}/1-0040/hwmon/hwmon3/in3_input": "5000\n",
    f"{I2C}/1-0040/hwmon/hwmon3/curr3_input": "800\n",
    f"{I2C}/1-0041/name": "ina3221\n",
    f"{I2C}/1-0041/hwmon/hwmon4/in2_label": "VDDQ_VDD2_1V8AO\n",
    f"{I2C}/1-0041/hwmon/hwmon4/in2_input": "5000\n",
    f"{I2C}/1-0041/hwmon/hwmon4/curr2_input": "200\n",
}


@pytest.mark.parametrize("hidden", [False, True], ids=["device tree", "container hides the device tree"])
def test_a_carriers_rails_are_never_added(tmp_path: Path, hidden: bool) -> None:
    PlainBoard(tmp_path)
    place(tmp_path, {**CARRIER, **REST_OF_AGX_ORIN})
    if hidden:
        (tmp_path / "proc/device-tree/compatible").unlink()
    device = SysfsDevice(tmp_path)
    assert device.board.key == ("unknown-jetson" if hidden else "orin-agx-64gb")
    assert device.power_source == "sum:VDD_GPU_SOC+VDD_CPU_CV+VIN_SYS_5V0+VDDQ_VDD2_1V8AO"
    reading = device.read_power()
    assert reading.total_w == pytest.approx(10.0 + 2.0 + 4.0 + 1.0)
    assert reading.rails_w["CVB_ATX_12V"] == pytest.approx(12.0)


def test_a_total_that_is_uncertain_is_warned_of_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    PlainBoard(tmp_path)
    place(tmp_path, {**CARRIER, "proc/device-tree/compatible": "someone,a-board\0nvidia,tegra999\0"})
    for _ in range(2):
        assert SysfsDevice(tmp_path).power_source == "sum:VDD_GPU_SOC+VDD_CPU_CV"
    (warned,) = [each.getMessage() for each in caplog.records if "uncertain" in each.getMessage()]
    assert "this board's own rails are not known" in warned


def test_what_the_total_is_made_of_stays_while_a_sensor_is_away(tmp_path: Path) -> None:
    PlainBoard(tmp_path)
    place(tmp_path, REST_OF_AGX_ORIN)
    power = SysfsPower(tmp_path, load_board("orin-agx-64gb").rails)
    assert power.read().total_w == pytest.approx(17.0)
    (tmp_path / f"{I2C}/1-0041/name").unlink()
    assert power.read().total_w == pytest.approx(17.0), "the last reading, not a smaller sum"
    assert power.source.endswith("VDDQ_VDD2_1V8AO")


def test_no_power_at_all_is_no_reading(tmp_path: Path) -> None:
    PlainBoard(tmp_path)
    place(tmp_path, {f"{I2C}/1-0040/hwmon/hwmon3/curr{n}_input": "0\n" for n in (1, 2)})
    power = SysfsPower(tmp_path)
    assert not power.readable
    assert power.shows_zero
    with pytest.raises(DeviceError, match="show 0 W, which no running board draws"):
        power.read()


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
    hottest_c = max(celsius for zone, celsius in temperatures.items() if zone.startswith(("cpu", "gpu", "tj")))
    health = SysfsDevice(board.root).health()
    assert health.temperature_c == pytest.approx(hottest_c, abs=1.0)
    assert replace(health, temperature_c=None) == Health(("gpu-throttle-alert",), 2)


THERMAL = "sys/class/thermal"


def cooling(root: Path, kind: str) -> tuple[str, ...]:
    """What throttles while one cooling device of this type is at work."""
    place(root, {f"{THERMAL}/cooling_device0/type": f"{kind}\n", f"{THERMAL}/cooling_device0/cur_state": "2\n"})
    return throttling(root)


# Types that public logs of real boards and NVIDIA's kernel sources (4.9, tegra210-dvfs.c and tegra-dfll-action.c) name.
@pytest.mark.parametrize(
    "kind",
    [
        *("cpufreq-cpu0", "cpufreq-cpu4", "thermal-cpufreq-0", "devfreq-17000000.gpu", "devfreq-gpu-gpc-0"),
        *("cpu-throttle-alert", "gpu-throttle-alert", "cv0-throttle-alert", "soc012-throttle-alert"),
        *("cpu-balanced", "gpu-balanced", "emergency-balanced", "GPU-cap", "DFLL-cap", "CPU-cap"),
    ],
)
def test_what_caps_a_clock_throttles(tmp_path: Path, kind: str) -> None:
    assert cooling(tmp_path, kind) == (kind,)


@pytest.mark.parametrize(
    "kind", ["pwm-fan", "hot-surface-alert", "vdd-gpu-vts", "DFLL-floor", "vdd-cpu-vmin", "iwlwifi", "nvme", ""]
)
def test_what_caps_no_clock_throttles_nothing(tmp_path: Path, kind: str) -> None:
    assert cooling(tmp_path, kind) == ()


def test_a_zone_that_is_switched_off_has_no_temperature(tmp_path: Path) -> None:
    zones = {"cpu-thermal": "51700\n", "cv0-thermal": "-256000\n", "gpu-thermal": "-5000\n"}
    for number, (kind, millidegrees) in enumerate(zones.items()):
        place(tmp_path, {f"{THERMAL}/thermal_zone{number}/{n}": t for n, t in (("type", kind), ("temp", millidegrees))})
    assert temperatures_c(tmp_path) == {"cpu-thermal": 51.7, "gpu-thermal": -5.0}


# Types of the zones of JetPack 4, 5 and 6. The one of the PMIC shows 50 or 100 C on every board.
@pytest.mark.parametrize(
    ("zones", "die_c"),
    [
        ({"AO-therm": 61, "CPU-therm": 47, "GPU-therm": 44, "PLL-therm": 71, "PMIC-Die": 100}, 47.0),
        ({"MCPU-therm": 51, "BCPU-therm": 53, "GPU-therm": 50, "Tboard_tegra": 60, "thermal-fan-est": 70}, 53.0),
        ({"cpu-thermal": 51, "gpu-thermal": 52, "soc0-thermal": 60, "tj-thermal": 58}, 58.0),
        ({"PMIC-Die": 100, "acpitz": 40}, None),
        ({"cpu-thermal": -256}, None),
    ],
)
def test_the_temperature_of_the_die_is_that_of_its_hottest_zone(
    tmp_path: Path, zones: dict[str, int], die_c: float | None
) -> None:
    for number, (kind, celsius) in enumerate(zones.items()):
        files = {"type": f"{kind}\n", "temp": f"{celsius}000\n"}
        place(tmp_path, {f"{THERMAL}/thermal_zone{number}/{name}": text for name, text in files.items()})
    assert read_health(tmp_path).temperature_c == die_c


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
            parts = power.source[4:].split("+") if power.source.startswith("sum:") else [power.source]
            assert reading.total_w == pytest.approx(sum(reading.rails_w[name] for name in parts))
            assert reading.total_w > 0
    for path, kept in before.items():
        (plain.root / path).write_bytes(kept)
