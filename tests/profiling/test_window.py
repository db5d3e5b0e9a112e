from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from fakes import FakeDevice
from hypothesis import given
from hypothesis import strategies as st

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import Interval, Pollers, PowerReading, SimulatedDevice
from lightning_powertrain.errors import ArgumentError, DeviceError
from lightning_powertrain.profiling import Measurement, UsualPauses, Window, WindowPlan, measure, random_modes
from lightning_powertrain.simulation import load_physics, steady_state


def run(
    device: FakeDevice,
    plan: WindowPlan,
    seconds: Sequence[float],
    dirty: Sequence[bool] = (),
    tail_s: float = 0.0,
    cycle: int = 1,
) -> tuple[Measurement, int]:
    """The measurement of intervals of these lengths (repeated for ever), and how many it took."""
    pollers = Pollers(device)
    pollers.start()
    synchronized_s = []

    def synchronize() -> None:
        synchronized_s.append(device.clock.now())
        device.clock.advance(tail_s)

    steps = measure(lambda: Window(device, pollers, device.mode, plan, synchronize), UsualPauses())
    window = next(steps)
    for count in range(100_000):
        start_s = device.clock.now()
        device.clock.advance(seconds[count % len(seconds)])
        clean = not (dirty and dirty[count % len(dirty)])
        if window.add(Interval(start_s, device.clock.now(), cycle, clean)):
            try:
                window = next(steps)
            except StopIteration as done:
                pollers.stop()
                assert synchronized_s[1:] == [device.clock.now() - tail_s], "synchronised inside the window"
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


def test_steady_job_ends_early(device: FakeDevice) -> None:
    measurement, _ = run(device, WindowPlan(discard=1, settle_s=0.0), [0.5])
    assert measurement.minibatches == 12
    assert not measurement.capped


def test_window_is_no_shorter_than_a_round_of_the_data_loader(device: FakeDevice) -> None:
    measurement, _ = run(device, WindowPlan(discard=32, settle_s=0.0), [0.5])
    assert measurement.minibatches == 32


def test_without_a_precision_the_length_is_fixed(device: FakeDevice) -> None:
    measurement, _ = run(device, WindowPlan(discard=1, settle_s=0.0, tolerance=None), [0.5])
    assert measurement.minibatches == 40
    assert not measurement.capped


def test_restless_times_fill_the_window(device: FakeDevice) -> None:
    """Standard deviation 25 %: the mean of 40 is known to about 8 %."""
    plan = WindowPlan(discard=4, settle_s=0.0)
    measurement, _ = run(device, plan, [0.375, 0.625])
    assert (measurement.minibatches, measurement.capped) == (40, True)
    relaxed, _ = run(device, replace(plan, tolerance=0.1), [0.375, 0.625])
    assert 12 < relaxed.minibatches < 40
    assert not relaxed.capped


def test_restless_power_prolongs_the_window(device: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    """From one second to the next 5 % more or less, and times of clockwork."""

    def read_power() -> PowerReading:
        return PowerReading(10.5 if device.clock.now() % 2.0 < 1.0 else 9.5, {})

    monkeypatch.setattr(device, "read_power", read_power)
    measurement, _ = run(device, WindowPlan(discard=1, settle_s=0.0), [0.2])
    assert (measurement.minibatches, measurement.capped) == (40, True)
    slower, _ = run(device, WindowPlan(discard=1, settle_s=0.0), [1.0])
    assert 12 < slower.minibatches < 40
    assert not slower.capped


def test_fast_minibatches_leave_too_little_time_to_know_the_power(device: FakeDevice) -> None:
    measurement, _ = run(device, WindowPlan(discard=1, settle_s=0.0), [0.004])
    assert measurement.minibatches == pytest.approx(250, abs=1)
    assert measurement.capped


def test_a_host_that_runs_ahead_does_not_prolong_the_window(device: FakeDevice) -> None:
    """Each minibatch takes 0.5 s on the accelerator, whose queue holds three and a bit and is empty at first."""
    ahead = [0.05, 0.05, 0.05, 0.3]
    plan = WindowPlan(discard=1, settle_s=0.0)
    measurement, _ = run(device, plan, [0.5, *ahead, *[0.5] * 40], tail_s=0.5 * 4 - sum(ahead))
    assert (measurement.minibatches, measurement.capped) == (12, False)
    assert measurement.time_ms == pytest.approx(500.0)


def test_interruptions_do_not_make_a_window_precise(device: FakeDevice) -> None:
    plan = WindowPlan(discard=1, settle_s=0.0)
    measurement, count = run(device, plan, [0.5, 0.5, 7.0], dirty=[False, False, True])
    assert (measurement.minibatches, measurement.capped) == (12, False)
    assert count == pytest.approx(1 + 12 * 3 / 2, abs=1)


def test_accumulation_cycles_count_as_one_interval_each(device: FakeDevice) -> None:
    """Three cycles of 4 are 12 minibatches, but too few for a variance."""
    measurement, _ = run(device, WindowPlan(discard=1, settle_s=0.0), [2.0], cycle=4)
    assert measurement.minibatches == 16
    assert measurement.time_ms == pytest.approx(500.0)


def sent(
    device: FakeDevice, plan: WindowPlan, seconds: Callable[[int], float], pauses: UsualPauses | None = None
) -> tuple[Measurement, int]:
    """The measurement of intervals of which each may take another time, and how many it took."""
    pollers = Pollers(device)
    pollers.start()
    steps = measure(lambda: Window(device, pollers, device.mode, plan, lambda: None), pauses or UsualPauses())
    window = next(steps)
    for count in range(100_000):
        start_s = device.clock.now()
        device.clock.advance(seconds(count))
        if window.add(Interval(start_s, device.clock.now())):
            try:
                window = next(steps)
            except StopIteration as done:
                pollers.stop()
                return done.value, count + 1
    raise AssertionError("the window never closed")


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


@pytest.mark.parametrize("cycle", [1, 4, 8, 40])
def test_noise_of_a_mean_is_the_same_however_many_minibatches_are_accumulated(device: FakeDevice, cycle: int) -> None:
    """Of many windows, the spread of their means is what each says of itself."""
    generator = np.random.default_rng(0)
    plan = WindowPlan(discard=1, settle_s=0.0, tolerance=None, minibatches=160)
    measured = []
    for _ in range(100):
        seconds = [float(np.sum(0.1 * (1 + 0.05 * generator.standard_normal(cycle)))) for _ in range(400 // cycle)]
        measured.append(run(device, plan, seconds, cycle=cycle)[0])
    true = float(np.std([each.time_ms for each in measured])) / 100.0
    said = float(np.mean([each.time_noise for each in measured]))
    assert said == pytest.approx(true, rel=0.25)


def test_a_window_of_long_cycles_has_two_and_is_not_sure_of_its_mean(device: FakeDevice) -> None:
    measurement, _ = run(device, WindowPlan(discard=1, settle_s=0.0), [10.0], cycle=100)
    assert measurement.minibatches == 200
    assert measurement.time_noise == pytest.approx(0.025 / math.sqrt(200))


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


@pytest.mark.parametrize(("precision", "tolerance"), [(None, 0.04), (0.02, 0.12)])
def test_expected_seconds_are_the_real_ones(device: FakeDevice, precision: float | None, tolerance: float) -> None:
    """Without noise a window that may end early does so a little earlier than is expected of others."""
    for time_ms in (4.0, 50.0, 100.0, 3000.0):
        plan = WindowPlan(discard=8, settle_s=2.0, tolerance=precision)
        start_s = device.clock.now()
        run(device, plan, [time_ms / 1e3])
        assert plan.seconds(time_ms) == pytest.approx(device.clock.now() - start_s, rel=tolerance)


@given(time_ms=st.floats(0.5, 1e4), precision=st.floats(0.001, 0.9), discard=st.integers(1, 64))
def test_a_window_is_expected_to_take_no_longer_than_a_fixed_one(
    time_ms: float, precision: float, discard: int
) -> None:
    plan = WindowPlan(discard, settle_s=2.0, tolerance=precision)
    fixed_s = replace(plan, tolerance=None).seconds(time_ms)
    assert plan.seconds(time_ms) <= fixed_s
    assert plan.seconds(time_ms) >= replace(plan, tolerance=min(0.99, 2 * precision)).seconds(time_ms)


def measured_on(device: SimulatedDevice, pollers: Pollers, mode: PowerMode, plan: WindowPlan) -> Measurement:
    window = Window(device, pollers, device.apply(mode), plan, lambda: None)
    start_s = device.clock.now()
    device.minibatch_ended()
    while not window.add(Interval(start_s, device.clock.now())):
        start_s = device.clock.now()
        device.minibatch_ended()
    return window.measurement


@pytest.mark.parametrize("workload", ["resnet18", "mobilenetv3", "bert-base", "yolov8n"])
def test_means_are_as_precise_as_asked_for(workload: str) -> None:
    """In 95 % of the windows. Power is not asked about: steps of 0.4 W are wider than 2 % of many modes."""
    device = SimulatedDevice("orin-agx-64gb", workload, seed=1)
    pollers = Pollers(device)
    pollers.start()
    plan = WindowPlan(device.workload.prefetched, device.settle_s)
    modes = random_modes(device.modes, 60, seed=2)
    measured = [measured_on(device, pollers, mode, plan) for mode in modes]
    true = steady_state(load_physics("orin-agx-64gb"), device.workload, device.modes.rows(modes))
    off = np.abs(np.array([each.time_ms for each in measured]) / true.time_ms - 1)
    assert np.mean(off <= 0.02) >= 0.95
    assert np.median([each.minibatches for each in measured]) < 20
    expected_s = sum(plan.seconds(time_ms) for time_ms in true.time_ms.tolist())
    assert device.clock.now() == pytest.approx(expected_s, rel=0.07)


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
