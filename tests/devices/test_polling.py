"""Sampling goes on when a reading fails."""

from __future__ import annotations

import math
import threading

import numpy as np
import pytest
from fakes import FakeDevice

from lightning_powertrain.devices import BoardPoller, Health, HealthPoller, PowerPoller, PowerReading, SystemClock
from lightning_powertrain.errors import DeviceError


class Flickering(FakeDevice):
    """Its sensor gives 1 W, fails, gives 3 W, fails, ..."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error
        self.readings = 0
        self.has_read = threading.Event()

    def read_power(self) -> PowerReading:
        self.readings += 1
        if self.readings == 5:
            self.has_read.set()
        if self.readings % 2 == 0:
            raise self.error
        return PowerReading(float(self.readings), {"VDD_IN": float(self.readings)})


ERRORS = [DeviceError("no sensor"), OSError(11, "try again")]


@pytest.mark.parametrize("error", ERRORS)
def test_a_reading_that_fails_is_left_out(error: Exception) -> None:
    device = Flickering(error)
    poller = PowerPoller(device, period_s=0.5)
    poller.start()
    device.clock.advance(3.0)
    times_s, watts = poller.between(0.0, 3.0)
    np.testing.assert_array_equal(times_s, [0.5, 1.5, 2.5])
    np.testing.assert_array_equal(watts, [1.0, 3.0, 5.0])


def test_what_held_a_device_back_in_a_window() -> None:
    device = FakeDevice()
    hot = device.modes.highest
    device.is_hot = lambda mode: mode == hot
    poller = HealthPoller(device)
    poller.start()
    device.clock.advance(3.5)
    device.apply(hot)
    device.clock.advance(2.0)
    device.apply(device.found)
    device.clock.advance(3.0)
    assert poller.throttled_by(0.0, 3.5) == ()
    assert poller.throttled_by(0.0, 8.5) == ("fake-throttle",)
    assert poller.throttled_by(4.0, 4.0) == ("fake-throttle",)
    assert poller.throttled_by(6.0, 8.5) == ()
    poller.stop()
    assert poller.throttled_by(0.0, 8.5) == ()


@pytest.mark.parametrize(("counts", "causes"), [((5, 5), ()), ((5, 7), ("over-current",))])
def test_over_currents_are_those_of_the_window(
    counts: tuple[int, int], causes: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The board counts them since it booted."""
    device = FakeDevice()
    poller = HealthPoller(device)
    for count in counts:
        monkeypatch.setattr(device, "health", lambda count=count: Health((), count))
        poller.poll()
    assert poller.throttled_by(0.0, 0.0) == causes


def test_temperatures_are_those_that_a_board_can_have(monkeypatch: pytest.MonkeyPatch) -> None:
    device = FakeDevice()
    poller = HealthPoller(device)
    for celsius in (41.5, None, float("nan"), float("inf"), -256.0, 42.5):
        monkeypatch.setattr(device, "health", lambda celsius=celsius: Health(temperature_c=celsius))
        poller.poll()
    np.testing.assert_array_equal(poller.temperatures(0.0, 0.0)[1], [41.5, 42.5])
    assert poller.temperatures(1.0, 2.0)[0].shape == (0,)


@pytest.mark.parametrize("error", ERRORS)
def test_a_thread_that_samples_survives_a_failure(error: Exception) -> None:
    device = Flickering(error)
    device.clock = SystemClock()  # type: ignore[assignment]
    poller = PowerPoller(device, period_s=0.001)
    start_s = device.clock.now()
    poller.start()
    assert device.has_read.wait(30.0)
    while len(poller.between(start_s, device.clock.now())[1]) < 3:
        device.has_read.wait(0.001)
    np.testing.assert_array_equal(poller.between(start_s, device.clock.now())[1][:3], [1.0, 3.0, 5.0])
    poller.stop()


def test_a_reading_that_fails_in_an_unforeseen_way_does_not_end_sampling(
    device: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    died: list[object] = []
    failed = threading.Event()

    def read_power() -> PowerReading:
        failed.set()
        raise ValueError("a sensor that shows letters")

    monkeypatch.setattr(threading, "excepthook", died.append)
    monkeypatch.setattr(device, "clock", SystemClock())
    monkeypatch.setattr(device, "read_power", read_power)
    poller = PowerPoller(device, period_s=0.001)
    poller.start()
    assert failed.wait(5.0)
    poller.stop()
    with pytest.raises(ValueError, match="a sensor that shows letters"):
        poller.between(0.0, 0.0)
    assert died == []


def test_what_failed_in_a_job_before_is_no_failure_of_the_next(
    device: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_power() -> PowerReading:
        raise ValueError("a sensor that shows letters")

    poller = PowerPoller(device, period_s=0.5)
    with monkeypatch.context() as failing:
        failing.setattr(device, "read_power", read_power)
        poller.start()
        device.clock.advance(1.0)
        poller.stop()
    poller.start()
    device.clock.advance(1.0)
    assert len(poller.between(0.0, 2.0)[1]) == 2
    poller.stop()


def test_a_reading_that_hangs_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, answered = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    def hang() -> None:
        threads.append(threading.current_thread())
        reading.set()
        answered.wait()

    monkeypatch.setattr("lightning_powertrain.devices.clock._MOST_WAIT_S", 0.01)
    cancel = SystemClock().every(0.001, hang)
    assert reading.wait(30.0)
    cancel()
    (thread,) = threads
    assert thread.is_alive()
    answered.set()
    thread.join()
    assert len(threads) == 1, "it goes on once the reading has returned, but not with another"


@pytest.mark.parametrize("watts", [0.0, -5.0, math.nan, math.inf])
def test_without_power_the_board_poller_reads_health_and_says_why(
    device: FakeDevice, monkeypatch: pytest.MonkeyPatch, watts: float
) -> None:
    device.is_hot = lambda mode: True
    poller = BoardPoller(device)
    poller.poll()
    assert not poller.power_trouble
    monkeypatch.setattr(device, "read_power", lambda: PowerReading(watts, {}))
    poller.poll()
    (_, (before_w, _)), (_, (now_w, health)) = poller.taken()
    assert before_w > 0
    assert math.isnan(now_w)
    assert health.throttled_by == ("fake-throttle",)
    assert f"shows {watts:g} W" in poller.power_trouble
