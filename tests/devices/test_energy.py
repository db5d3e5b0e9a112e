"""Energy, against an independent sum."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest
from fakes import FakeDevice

from lightning_powertrain.devices import EnergyMeter, PowerReading, SystemClock
from lightning_powertrain.errors import DeviceError


class Wavering(FakeDevice):
    """Its power is a smooth function of time; it records every reading, and fails on request."""

    def __init__(self) -> None:
        super().__init__()
        self.readings: list[tuple[float, float]] = []
        self.broken = False

    def read_power(self) -> PowerReading:
        if self.broken:
            raise DeviceError("no sensor")
        watts = 20.0 + 10.0 * math.sin(self.clock.now())
        self.readings.append((self.clock.now(), watts))
        return PowerReading(watts, {})


class Counting(FakeDevice):
    """Counts 7 W, whatever its sensor says."""

    def read_energy(self) -> float | None:
        return 1e6 + 7.0 * self.clock.now()


def exact_j(start_s: float, end_s: float) -> float:
    return 20.0 * (end_s - start_s) - 10.0 * (math.cos(end_s) - math.cos(start_s))


def test_energy_is_the_trapezoidal_sum_of_all_readings() -> None:
    device = Wavering()
    device.clock.advance(3.21)
    meter = EnergyMeter(device, period_s=0.5)
    meter.start()
    for seconds in (0.1, 0.0, 4.0, 0.77, 12.3):
        device.clock.advance(seconds)
        meter.read()
    seconds, energy_j = meter.read()
    times_s, watts = np.array(device.readings).T
    assert seconds == pytest.approx(17.17)
    assert energy_j == pytest.approx(np.sum(np.diff(times_s) * (watts[1:] + watts[:-1]) / 2), rel=1e-12)
    assert energy_j == pytest.approx(exact_j(3.21, 20.38), rel=0.01)


def test_readings_that_fail_are_bridged() -> None:
    device = Wavering()
    meter = EnergyMeter(device, period_s=0.1)
    meter.start()
    device.clock.advance(2.0)
    device.broken = True
    device.clock.advance(0.45)
    with pytest.raises(DeviceError, match="no sensor"):
        meter.read()
    device.broken = False
    device.clock.advance(1.0)
    seconds, energy_j = meter.read()
    assert seconds == pytest.approx(3.45)
    assert energy_j == pytest.approx(exact_j(0.0, 3.45), rel=0.01)


def test_a_counter_is_preferred() -> None:
    device = Counting()
    device.clock.advance(5.0)
    meter = EnergyMeter(device)
    meter.start()
    assert meter.read() == (0.0, 0.0)
    device.clock.advance(3.0)
    assert meter.read() == (3.0, pytest.approx(21.0))


def test_starting_again_begins_at_zero_and_stopping_ends_it() -> None:
    device = Wavering()
    meter = EnergyMeter(device)
    meter.start()
    device.clock.advance(5.0)
    meter.start()
    device.clock.advance(1.0)
    assert meter.read()[0] == pytest.approx(1.0)
    meter.stop()
    meter.stop()
    taken = len(device.readings)
    device.clock.advance(10.0)
    assert len(device.readings) == taken


def test_source_without_power_is_an_error_at_once() -> None:
    device = Wavering()
    device.broken = True
    with pytest.raises(DeviceError, match="no sensor"):
        EnergyMeter(device).start()


def test_a_thread_samples_real_sources() -> None:
    class Steady(FakeDevice):
        def __init__(self) -> None:
            super().__init__()
            self.clock = SystemClock()  # type: ignore[assignment]
            self.taken = threading.Semaphore(0)

        def read_power(self) -> PowerReading:
            self.taken.release()
            return PowerReading(8.0, {})

    device = Steady()
    meter = EnergyMeter(device, period_s=0.001)
    meter.start()
    for _ in range(20):
        assert device.taken.acquire(timeout=30.0)
    seconds, energy_j = meter.read()
    meter.stop()
    assert energy_j == pytest.approx(8.0 * seconds)
    assert not [thread for thread in threading.enumerate() if thread.name == "powertrain-clock"]


@pytest.mark.parametrize("watts", [-5.0, math.nan, math.inf])
def test_a_reading_that_is_no_power_is_bridged_too(monkeypatch: pytest.MonkeyPatch, watts: float) -> None:
    device = Wavering()
    meter = EnergyMeter(device, period_s=0.1)
    meter.start()
    device.clock.advance(5.0)
    with monkeypatch.context() as failing:
        failing.setattr(device, "read_power", lambda: PowerReading(watts, {}))
        device.clock.advance(1.0)
    device.clock.advance(5.0)
    assert meter.read()[1] == pytest.approx(exact_j(0.0, 11.0), rel=0.02)
