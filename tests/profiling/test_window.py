from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from fakes import FakeDevice
from windows import run, sent

from lightning_powertrain.devices import Interval, Pollers, PowerReading
from lightning_powertrain.errors import DeviceError
from lightning_powertrain.profiling import UsualPauses, Window, WindowPlan


def test_discards_for_both_reasons(device: FakeDevice) -> None:
    by_time, _ = run(device, WindowPlan(discard=1, settle_s=2.0, minibatches=10), [0.1])
    assert by_time.discarded_minibatches in (20, 21)
    assert by_time.settle_s == pytest.approx(2.0, abs=0.11)
    by_count, _ = run(device, WindowPlan(discard=30, settle_s=2.0, minibatches=10), [0.1])
    assert by_count.discarded_minibatches == 30
    assert by_count.settle_s == pytest.approx(3.0)


def test_fast_minibatches_fill_the_minimum_time(device: FakeDevice) -> None:
    measurement, _ = run(device, WindowPlan(discard=1, settle_s=0.0, minibatches=40, minimum_s=1.0), [0.004])
    assert measurement.minibatches == pytest.approx(250, abs=1)
    assert measurement.power_samples == pytest.approx(10, abs=1)


def test_mean_and_spread_are_those_of_the_clean_intervals(device: FakeDevice) -> None:
    seconds = [0.05, 0.15, 0.10, 9.0]
    plan = WindowPlan(discard=1, settle_s=0.0, minibatches=30)
    measurement, _ = run(device, plan, seconds, dirty=[False, False, False, True])
    clean_ms = np.array([100.0 if i % 3 == 1 else 150.0 if i % 3 == 0 else 50.0 for i in range(30)])
    assert measurement.minibatches == 30
    assert measurement.time_ms == pytest.approx(clean_ms.mean())
    assert measurement.time_std_ms == pytest.approx(clean_ms.std())
    assert measurement.discarded_minibatches == 1 + 10


def test_power_during_an_interruption_does_not_count(device: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    """Minibatches end at 0.2, 0.4 ... 1.0; then 1 s at a high power; and so on. Only the first part counts."""

    def read_power() -> PowerReading:
        return PowerReading(10.0 if device.clock.now() % 2.0 <= 1.0 + 1e-9 else 50.0, {})

    monkeypatch.setattr(device, "read_power", read_power)
    plan = WindowPlan(discard=6, settle_s=0.0, minibatches=20)
    seconds, dirty = [0.2] * 5 + [1.0], [False] * 5 + [True]
    measurement, _ = run(device, plan, seconds, dirty)
    # A sample on the very edge of an interval belongs to it, so an edge may be seen once from the other side.
    assert measurement.power_w == pytest.approx(10.0, abs=0.01)


def test_window_of_interruptions_only_closes(device: FakeDevice) -> None:
    plan = WindowPlan(discard=1, settle_s=0.0, minibatches=10)
    measurement, count = run(device, plan, [0.3], dirty=[True])
    assert measurement.time_ms == pytest.approx(300.0)
    assert measurement.minibatches == 40
    assert count == 41


def test_queued_work_at_the_end_is_shared_by_the_window(device: FakeDevice) -> None:
    plan = WindowPlan(discard=1, settle_s=0.0, minibatches=10)
    measurement, _ = run(device, plan, [0.2], tail_s=0.5)
    assert measurement.time_ms == pytest.approx(200.0 + 500.0 / 10)


def test_dead_sensor_is_an_error(device: FakeDevice) -> None:
    pollers = Pollers(device)
    window = Window(device, pollers, device.mode, WindowPlan(discard=1, settle_s=0.0, minibatches=1), lambda: None)
    assert not window.add(Interval(0.0, 1.0))
    with pytest.raises(DeviceError, match="no power sample"):
        window.add(Interval(1.0, 3.0))


def test_accumulation_cycles_count_as_one_interval_each(device: FakeDevice) -> None:
    """Three cycles of 4 are 12 minibatches, but too few for a variance."""
    measurement, _ = run(device, WindowPlan(discard=1, settle_s=0.0), [2.0], cycle=4)
    assert measurement.minibatches == 16
    assert measurement.time_ms == pytest.approx(500.0)


@pytest.mark.parametrize("at", [5, 30, 60])
@pytest.mark.parametrize(("time_s", "pause_s"), [(0.015, 2.0), (0.015, 60.0), (0.1, 0.6), (0.5, 2.5)])
def test_a_pause_is_no_part_of_a_measurement(device: FakeDevice, time_s: float, pause_s: float, at: int) -> None:
    plan = WindowPlan(discard=1, settle_s=0.0)
    measurement, _ = sent(device, plan, lambda count: pause_s if count == at else time_s)
    assert measurement.time_ms == pytest.approx(1e3 * time_s)
    assert measurement.time_std_ms == pytest.approx(0.0, abs=1e-6)


def test_a_window_with_a_pause_is_measured_again_once(device: FakeDevice) -> None:
    plan = WindowPlan(discard=2, settle_s=0.0)
    undisturbed, count = sent(device, plan, lambda count: 0.5)
    again, count_again = sent(device, plan, lambda count: 5.0 if count == 4 else 0.5)
    assert count < count_again <= 2 + plan.minibatches + count
    assert again.discarded_minibatches == count_again - again.minibatches
    assert again.minibatches == undisturbed.minibatches


def test_a_job_that_pauses_by_itself_is_measured_with_its_pauses(device: FakeDevice) -> None:
    """A loader that makes eight minibatches at a time: that is what a minibatch takes."""

    def seconds(count: int) -> float:
        return 1.0 if count % 8 == 0 else 0.05

    plan, pauses = WindowPlan(discard=8, settle_s=0.0, tolerance=None), UsualPauses()
    mean_ms = 1e3 * (1.0 + 7 * 0.05) / 8
    first, twice = sent(device, plan, seconds, pauses)
    assert first.time_ms == pytest.approx(mean_ms, rel=0.01)
    later, once = sent(device, plan, seconds, pauses)
    assert later.time_ms == pytest.approx(mean_ms, rel=0.01)
    assert twice == 2 * once, "only the first window is measured twice"
    stalled, _ = sent(device, plan, lambda count: 20.0 if count == 20 else seconds(count), pauses)
    assert stalled.time_ms == pytest.approx(mean_ms, rel=0.01)


def test_what_a_window_costs_does_not_grow_with_the_square_of_its_minibatches(device: FakeDevice) -> None:
    """Counted in calls of Python functions, which no other program on the computer changes."""

    def calls(time_s: float) -> float:
        made, minibatches = 0, 0

        def count(frame: object, event: str, arg: object) -> None:
            nonlocal made
            made += event in ("call", "c_call")

        sys.setprofile(count)
        try:
            _, minibatches = sent(device, WindowPlan(discard=1, settle_s=0.0), lambda count: time_s)
        finally:
            sys.setprofile(None)
        return made / minibatches

    assert calls(1e-4) < 1.5 * calls(1e-2)


@pytest.mark.parametrize("reading", [0.0, -5.0, math.nan, math.inf, -math.inf])
def test_power_that_no_board_draws_is_no_sample(
    device: FakeDevice, monkeypatch: pytest.MonkeyPatch, reading: float
) -> None:
    def read_power() -> PowerReading:
        now_s = device.clock.now()
        return PowerReading(10.0 if round(now_s * 10) % 3 else reading, {})

    monkeypatch.setattr(device, "read_power", read_power)
    measurement, _ = run(device, WindowPlan(discard=1, settle_s=0.0), [0.1])
    assert measurement.power_w == 10.0


@pytest.mark.parametrize("reading", [0.0, -5.0, math.nan, math.inf])
def test_a_sensor_that_shows_nothing_else_is_an_error(
    device: FakeDevice, monkeypatch: pytest.MonkeyPatch, reading: float
) -> None:
    monkeypatch.setattr(device, "read_power", lambda: PowerReading(reading, {}))
    with pytest.raises(DeviceError, match=f"the power sensor shows {reading:g} W, which no board draws"):
        run(device, WindowPlan(discard=1, settle_s=0.0), [0.1])


@pytest.mark.parametrize("reading", [1e6, 1e-6])
def test_one_reading_far_from_all_others_does_not_count(
    device: FakeDevice, monkeypatch: pytest.MonkeyPatch, reading: float
) -> None:
    monkeypatch.setattr(
        device, "read_power", lambda: PowerReading(reading if 2.0 < device.clock.now() < 2.15 else 10.0, {})
    )
    measurement, _ = run(device, WindowPlan(discard=1, settle_s=0.0, tolerance=None), [0.1])
    assert measurement.power_w == 10.0
