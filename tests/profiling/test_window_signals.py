"""What a window shows besides time and power; nothing of it may fail the window."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pytest
from fakes import FakeDevice

from lightning_powertrain.devices import CpuTimes, Interval, Load, Pollers, PowerReading
from lightning_powertrain.profiling import Measurement, Signals, Window, WindowPlan

PLAN = WindowPlan(discard=1, settle_s=0.0, minibatches=20, tolerance=None)


class Showing(FakeDevice):
    """Draws 8 and 4 W on two rails; its GPU is busy for 3 of 4 s; its cores for a half and a tenth of the time."""

    def read_power(self) -> PowerReading:
        return PowerReading(12.0, {"GPU": 8.0, "CPU": 4.0})

    def read_load(self) -> Load:
        return Load(gpu=0.0 if self.clock.now() % 4.0 > 3.0 else 1.0, emc_active_hz=5e8)

    def read_cpu_times(self) -> CpuTimes:
        now_s = self.clock.now()
        return CpuTimes({0: 100 + 0.5 * now_s, 3: 0.1 * now_s}, 0.25 * now_s, 7 + 2 * now_s)


def measured(
    device: FakeDevice, plan: WindowPlan = PLAN, dirty: Sequence[bool] = (False,), waited_s: float | None = 0.05
) -> Measurement:
    """The measurement of minibatches of 0.2 s; one in several may be interrupted."""
    pollers = Pollers(device)
    pollers.start()
    window = Window(device, pollers, device.mode, plan, lambda: None)
    for count in range(1000):
        start_s = device.clock.now()
        device.clock.advance(0.2)
        clean = not dirty[count % len(dirty)]
        if window.add(Interval(start_s, device.clock.now(), 1, clean, waited_s if clean else None)):
            pollers.stop()
            return window.measurement
    raise AssertionError("the window never closed")


def test_all_signals_of_a_window() -> None:
    signals = measured(Showing()).signals
    assert signals.rails_w == pytest.approx({"GPU": 8.0, "CPU": 4.0})
    assert signals.cores_busy == pytest.approx({0: 0.5, 3: 0.1})
    assert signals.gpu_load == pytest.approx(0.75, abs=0.05)
    assert signals.emc_active_hz == pytest.approx(5e8)
    assert signals.process_ms == pytest.approx(0.25 * 200.0)
    assert signals.children_ms == pytest.approx(2 * 200.0)
    assert signals.data_wait_ms == pytest.approx(50.0)


def test_a_board_that_shows_nothing_has_no_signals() -> None:
    """But for the rails, which every power sensor has."""
    device = FakeDevice()
    signals = measured(device, waited_s=None).signals
    assert signals == Signals(rails_w=signals.rails_w)
    assert signals.rails_w == pytest.approx({"VDD_IN": device.read_power().total_w})


def test_an_interruption_leaves_cpu_times_out() -> None:
    """They are counted from end to end, and the interruption has used the CPU as well."""
    signals = measured(Showing(), dirty=[False, False, True]).signals
    assert (signals.process_ms, signals.children_ms, dict(signals.cores_busy)) == (None, None, {})
    assert signals.gpu_load is not None
    assert signals.data_wait_ms == pytest.approx(50.0)


class Gated(Showing):
    """Its GPU works in every third stretch of 0.2 s only, in the middle of it."""

    def read_load(self) -> Load:
        return Load(gpu=float(abs(self.clock.now() % 0.6 - 0.5) < 0.01))


@pytest.mark.parametrize(("interrupted", "load"), [(False, 6 / 41), (True, 0.0)])
def test_the_load_during_an_interruption_does_not_count(interrupted: bool, load: float) -> None:
    device = Gated()
    device.clock.advance(0.4)
    assert measured(device, dirty=[interrupted, False, False]).signals.gpu_load == pytest.approx(load)


class Broken(Showing):
    def read_load(self) -> Load:
        raise RuntimeError("no load today")

    def read_cpu_times(self) -> CpuTimes:
        raise ValueError("no times either")


def test_what_fails_is_absent_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="lightning_powertrain"):
        measurement = measured(Broken())
    assert measurement.time_ms == pytest.approx(200.0)
    assert measurement.signals == Signals(rails_w={"GPU": 8.0, "CPU": 4.0}, data_wait_ms=pytest.approx(50.0))
    reasons = [record.getMessage() for record in caplog.records]
    assert sum("how busy the board is" in reason for reason in reasons) == 1
    assert all(record.levelno == logging.DEBUG for record in caplog.records)


class Odd(Showing):
    """A core goes offline, another comes, a counter goes back, and a rail disappears."""

    def read_power(self) -> PowerReading:
        return PowerReading(12.0, {"GPU": 8.0, "CPU": 4.0} if self.clock.now() < 3.0 else {"GPU": 8.0})

    def read_cpu_times(self) -> CpuTimes:
        now_s = self.clock.now()
        core = 1 if now_s < 1.0 else 2
        return CpuTimes({0: 0.5 * now_s, core: now_s}, 5.0 - now_s, now_s)


def test_what_is_not_there_all_the_time_is_left_out() -> None:
    signals = measured(Odd()).signals
    assert signals.rails_w == pytest.approx({"GPU": 8.0})
    assert signals.cores_busy == pytest.approx({0: 0.5})
    assert signals.process_ms is None
    assert signals.children_ms == pytest.approx(200.0)
