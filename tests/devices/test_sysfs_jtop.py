"""jtop in a process of its own; a module of that name stands in for it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from plain_board import PlainBoard, start_helper

from lightning_powertrain.devices import SysfsDevice
from lightning_powertrain.devices.jtop_power import JtopPower
from lightning_powertrain.errors import DeviceError

FAKE = """
import multiprocessing
multiprocessing.set_start_method("fork", force=True)  # as jtop 7.2 does when it is imported

class JtopException(Exception):
    pass

class jtop:
    power = {power}
    def __init__(self, interval):
        self.ticks = 0
    def __enter__(self):
        if not self.power:
            raise JtopException("The jtop.service is not active. Please run:\\nsudo systemctl restart jtop.service")
        return self
    def __exit__(self, *error):
        pass
    def ok(self):
        import time
        time.sleep(0.02 if self.ticks else 0)
        self.ticks += 1
        return True
"""
WITH_INPUT = {
    "rail": {"POM_5V_GPU": {"power": 1500, "volt": 5000}, "POM_5V_CPU": {"power": 900, "volt": 5000}},
    "tot": {"power": 5200, "volt": 5000, "curr": 1040, "name": "POM_5V_IN"},
}
WITHOUT_INPUT = {
    "rail": {"GPU": {"power": 4000}, "CPU": {"power": 2000}, "ucsi-source": {"power": 15000, "type": "SYSTEM"}},
    "tot": {"power": 21000, "avg": 20000},
}


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(folder))
    monkeypatch.syspath_prepend(str(folder))
    return folder / "jtop.py"


def test_the_rail_of_the_whole_board_is_the_total(install: Path) -> None:
    install.write_text(FAKE.format(power=WITH_INPUT))
    power = JtopPower()
    assert power.source == "jtop:POM_5V_IN"
    reading = power.read()
    assert reading.total_w == pytest.approx(5.2)
    assert reading.rails_w == pytest.approx({"POM_5V_GPU": 1.5, "POM_5V_CPU": 0.9, "POM_5V_IN": 5.2})
    power.close()
    assert power._child.returncode is not None
    assert "jtop" not in sys.modules


def test_without_one_the_rails_are_summed_and_usb_supplies_are_not(install: Path) -> None:
    install.write_text(FAKE.format(power=WITHOUT_INPUT))
    power = JtopPower()
    assert power.source == "jtop:sum:GPU+CPU"
    assert power.read().total_w == pytest.approx(6.0)
    power.close()


CARRIER = {"rail": {**WITHOUT_INPUT["rail"], "CVB_ATX_12V": {"power": 9000}}, "tot": {"power": 30000}}
NO_SENSOR = {"rail": {}, "tot": {"power": 0, "avg": 0, "name": "ALL"}}


def test_rails_of_a_carrier_are_not_summed_either(install: Path) -> None:
    install.write_text(FAKE.format(power=CARRIER))
    for rails in ((), ("GPU", "CPU")):
        power = JtopPower(rails)
        assert power.read().total_w == pytest.approx(6.0)
        assert bool(power.caveat) == (not rails)
        power.close()


@pytest.mark.parametrize("power", [NO_SENSOR, {"rail": {}, "tot": {"power": 0, "volt": 0, "name": "VDD_IN"}}])
def test_0_w_from_jtop_is_a_board_without_a_sensor(install: Path, power: dict[str, object]) -> None:
    install.write_text(FAKE.format(power=power))
    with pytest.raises(DeviceError, match="jtop shows 0 W, which no running board draws"):
        JtopPower()


def test_a_board_without_a_sensor_cannot_be_tuned_whatever_jtop_says(install: Path, tmp_path: Path) -> None:
    install.write_text(FAKE.format(power=WITH_INPUT))
    PlainBoard(tmp_path)
    (tmp_path / "sys/bus/i2c/devices/1-0040/name").unlink()
    (tmp_path / "proc/device-tree/compatible").write_text("nvidia,p3542-0000+p3448-0003\0nvidia,tegra210\0")
    with pytest.raises(
        DeviceError, match="Jetson Nano 2 GB has no power sensor, so its power modes cannot be compared"
    ):
        SysfsDevice(tmp_path, lambda: start_helper(tmp_path))


def test_what_jtop_says_is_passed_on(install: Path) -> None:
    install.write_text(FAKE.format(power={}))
    with pytest.raises(DeviceError, match=r"jtop reports no power .*The jtop.service is not active"):
        JtopPower()


def test_it_comes_back_after_a_stall(install: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service is restarted: the child loses it, and another one finds it again."""
    install.write_text(FAKE.format(power=WITH_INPUT))
    power = JtopPower()
    install.write_text(FAKE.format(power={}))
    power._child.kill()
    power._child.wait()
    monkeypatch.setattr("lightning_powertrain.devices.jtop_power._STALE_S", 0.0)
    with pytest.raises(DeviceError, match=r"jtop reports no power"):
        power.read()
    monkeypatch.setattr("lightning_powertrain.devices.jtop_power._RETRY_S", 0.0)
    with pytest.raises(DeviceError, match=r"jtop reports no power"):
        power.read()
    install.write_text(FAKE.format(power=WITH_INPUT))
    with pytest.raises(DeviceError, match=r"jtop reports no power"):
        power.read()
    monkeypatch.setattr("lightning_powertrain.devices.jtop_power._STALE_S", 5.0)
    monkeypatch.setattr("lightning_powertrain.devices.jtop_power._RETRY_S", 60.0)
    assert power._child.poll() is None
    for _ in range(3000):
        if power._latest:
            break
        time.sleep(0.01)
    assert power.read().total_w == pytest.approx(5.2)
    power.close()
    assert power._child.returncode is not None


def test_it_stands_in_where_sysfs_shows_no_power(install: Path, tmp_path: Path) -> None:
    install.write_text(FAKE.format(power=WITH_INPUT))
    PlainBoard(tmp_path)
    device = SysfsDevice(tmp_path, lambda: start_helper(tmp_path))
    assert device.power_source == "sum:VDD_GPU_SOC+VDD_CPU_CV", "not where sysfs does"
    device.close()
    (tmp_path / "sys/bus/i2c/devices/1-0040/name").unlink()
    device = SysfsDevice(tmp_path, lambda: start_helper(tmp_path))
    assert device.power_source == "jtop:POM_5V_IN"
    assert device.read_power().total_w == pytest.approx(5.2)
    assert device.settle_s == 3.0
    device.close()


def test_a_jtop_that_fails_leaves_a_board_without_power(install: Path, tmp_path: Path) -> None:
    install.write_text(FAKE.format(power={}))
    PlainBoard(tmp_path)
    (tmp_path / "sys/bus/i2c/devices/1-0040/name").unlink()
    device = SysfsDevice(tmp_path, lambda: start_helper(tmp_path))
    with pytest.raises(DeviceError, match=r"power sensors .* cannot be read"):
        device.read_power()
    device.close()
