from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from fakes import FakeDevice
from hypothesis import given
from hypothesis import strategies as st

from lightning_powertrain.devices import PowerReading, Samplers
from lightning_powertrain.errors import ArgumentError, DeviceError
from lightning_powertrain.profiling import Interval, Measurement, WindowPlan, measure, random_modes


def run(
    device: FakeDevice, plan: WindowPlan, seconds: Sequence[float], dirty: Sequence[bool] = (), tail_s: float = 0.0
) -> tuple[Measurement, int]:
    """The measurement of intervals of these lengths (repeated for ever), and how many it took."""
    samplers = Samplers(device)
    samplers.start()

    def synchronize() -> None:
        device.clock.advance(tail_s)

    window = measure(device, samplers, device.mode, plan, synchronize)
    next(window)
    for count in range(100_000):
        start_s = device.clock.now()
        device.clock.advance(seconds[count % len(seconds)])
        clean = not (dirty and dirty[count % len(dirty)])
        try:
            window.send(Interval(start_s, device.clock.now(), clean=clean))
        except StopIteration as done:
            samplers.stop()
            return done.value, count + 1
    raise AssertionError("the window never closed")


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
    """Minibatches end at 0.2, 0.4 ... 1.0; then 1 s of something hungry; and so on. Only the first part counts."""

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
    samplers = Samplers(device)
    window = measure(device, samplers, device.mode, WindowPlan(discard=1, settle_s=0.0, minibatches=1), lambda: None)
    next(window)
    window.send(Interval(0.0, 1.0))
    with pytest.raises(DeviceError, match="no power sample"):
        window.send(Interval(1.0, 3.0))


def test_expected_seconds_are_the_real_ones(device: FakeDevice) -> None:
    for time_ms in (4.0, 100.0, 3000.0):
        plan = WindowPlan(discard=8, settle_s=2.0)
        start_s = device.clock.now()
        run(device, plan, [time_ms / 1e3])
        assert plan.seconds(time_ms) == pytest.approx(device.clock.now() - start_s, rel=0.04)


@given(count=st.integers(1, 54), seed=st.integers(0, 10))
def test_random_modes_are_different_and_reproducible(count: int, seed: int) -> None:
    space = FakeDevice().modes
    modes = random_modes(space, count, seed)
    assert len(set(modes)) == count
    assert all(mode in space for mode in modes)
    assert modes == random_modes(space, count, seed)


@pytest.mark.parametrize("count", [0, 55])
def test_too_many_modes(device: FakeDevice, count: int) -> None:
    with pytest.raises(ArgumentError, match=f"modes={count}.*from 1 to 54"):
        random_modes(device.modes, count)
