"""The watch alone: what it takes for a drift and what not, block by block."""

from __future__ import annotations

import math

import numpy as np
import pytest
from fakes import TINY, FakeDevice

from lightning_powertrain.devices import BoardPoller, Health, Interval
from lightning_powertrain.profiling import Measurement
from lightning_powertrain.selection import LeastEnergy, NoWorse, Objective, PowerBudget, TimeBudget
from lightning_powertrain.tuning import drift
from lightning_powertrain.tuning.correction import Backoff
from lightning_powertrain.tuning.drift import Blocks, Drift, DriftDetector

MODE = TINY.preset("LOW")
LOCKED = Measurement(MODE, 100.0, 29.5)


def block(time_ms: float = 100.0, power_w: float = 29.5, throttled_by: str = "") -> Measurement:
    return Measurement(MODE, time_ms, power_w, minibatches=600, power_samples=60, throttled_by=throttled_by)


def first_drift(blocks: list[Measurement], objective: Objective) -> tuple[int, Drift] | None:
    detector = DriftDetector(LOCKED, objective)
    for number, each in enumerate(blocks, start=1):
        if found := detector.add(each):
            return number, found
    return None


@pytest.mark.parametrize(
    ("moved", "objective", "sign"),
    [
        (block(time_ms=106), LeastEnergy(), "slower"),
        (block(time_ms=94), LeastEnergy(), "faster"),
        (block(power_w=31.5), LeastEnergy(), "more power"),
        (block(power_w=27.5), LeastEnergy(), "less power"),
        (block(power_w=30.5), PowerBudget(30.0), "over budget"),
        (block(time_ms=103), TimeBudget(101.0), "over budget"),
        (block(throttled_by="heat"), LeastEnergy(), "throttling"),
    ],
)
def test_three_blocks_in_a_row_are_a_drift_and_two_are_not(moved: Measurement, objective: Objective, sign: str) -> None:
    found = first_drift([block(), block(), moved, moved, moved], objective)
    assert found is not None
    assert (found[0], found[1].sign) == (5, sign)
    assert first_drift([block(), moved, moved], objective) is None


@pytest.mark.parametrize("moved", [block(time_ms=120), block(power_w=35)])
def test_one_stall_now_and_then_is_no_drift(moved: Measurement) -> None:
    assert first_drift([moved, moved, block(), moved, block(), block()] * 50, LeastEnergy()) is None


def test_what_is_within_the_noise_is_no_drift() -> None:
    assert first_drift([block(103.9, 30.15)] * 50, PowerBudget(30.0)) is None
    assert first_drift([block(96.1, 28.1)] * 50, PowerBudget(30.0)) is None


def test_a_budget_that_was_measured_has_a_tolerance() -> None:
    """No worse than the start: a warming board draws a little more power in every mode, also in the start mode."""
    assert first_drift([block(100.5, 30.4)] * 50, NoWorse(100.0, 29.6)) is None


def test_a_budget_that_could_not_be_met_is_no_news() -> None:
    assert first_drift([block()] * 50, PowerBudget(20.0)) is None


def test_throttling_that_comes_back_adds_up() -> None:
    hot = block(150.0, 20.0, "heat")
    found = first_drift([hot, block(), hot, block(), hot, block(), hot], LeastEnergy())
    assert found is not None
    assert found[0] == 7
    assert found[1].blocks == (hot, hot, hot)
    assert first_drift([hot, *[block()] * 9] * 20, LeastEnergy()) is None


def test_figures_of_a_throttled_board_are_no_sign_of_another_kind() -> None:
    found = first_drift([block(150.0, 20.0, "heat")] * 9, PowerBudget(30.0))
    assert found is not None
    assert found[1].sign == "throttling"


def test_a_square_wave_is_no_drift() -> None:
    """Up for two minutes, down for two minutes: nothing has moved for good."""
    assert first_drift([block(120), block(120), block(), block()] * 100, LeastEnergy()) is None


def test_a_drift_is_the_median_of_its_blocks() -> None:
    found = first_drift([block(110, 32), block(400, 33), block(112, 34)], LeastEnergy())
    assert found is not None
    assert (found[1].now.time_ms, found[1].now.power_w) == (112, 33)
    assert found[1].time_ratio == pytest.approx(1.12)


def test_scatter_is_rarely_taken_for_a_drift() -> None:
    """Two hundred jobs of ten hours, locked by a window that is within 2 % in 93 % of the cases (docs/windows.md)."""
    false_alarms = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        detector = DriftDetector(LOCKED, LeastEnergy())
        off = 1 + 0.011 * rng.standard_normal(2)
        factors = off * (1 + 0.006 * rng.standard_normal((600, 2)))
        false_alarms += any(detector.add(block(100 * time, 29.5 * power)) for time, power in factors)
    assert false_alarms <= 1


# How blocks are made.


def blocks_of(device: FakeDevice, intervals: list[tuple[float, bool]]) -> list[Measurement]:
    poller = BoardPoller(device)
    poller.start()
    blocks, made = Blocks(MODE, 29.5), []
    for seconds, clean in intervals:
        start_s = device.clock.now()
        device.clock.advance(seconds)
        block = blocks.add(Interval(start_s, device.clock.now(), 1, clean), poller.taken())
        made += [block] if block else []
    poller.stop()
    return made


def minibatches_of(blocks: int) -> int:
    """Minibatches of 0.1 s in so many blocks, and a few more."""
    return round(blocks * drift._BLOCK_S / 0.1) + 10


@pytest.mark.parametrize(("short", "seconds", "minibatches"), [(False, 60.0, 20), (True, 15.0, 10)])
def test_length_of_a_block(short: bool, seconds: float, minibatches: int) -> None:
    """So many seconds and so many minibatches at the least."""
    for minibatch_s, expected in ((0.1, seconds / 0.1), (20.0, minibatches)):
        blocks, made = Blocks(MODE, 29.5, short=short), []
        for done in range(round(2.05 * expected)):
            block = blocks.add(Interval(minibatch_s * done, minibatch_s * (done + 1)), [])
            made += [block] if block else []
        assert [each.minibatches for each in made] == [pytest.approx(expected, abs=1)] * 2


def test_a_block_has_the_means_of_its_minibatches(device: FakeDevice) -> None:
    watts = device.read_power().total_w
    (first, _) = blocks_of(device, [(0.1, True)] * minibatches_of(2))
    assert first.time_ms == pytest.approx(100.0)
    assert first.power_w == pytest.approx(watts)
    assert first.power_samples == pytest.approx(drift._BLOCK_S, abs=1)


def test_neither_time_nor_power_of_interrupted_intervals_counts(
    device: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = device.read_power()
    validating = [False]
    monkeypatch.setattr(device, "read_power", lambda: type(reading)(90.0, {}) if validating[0] else reading)
    poller = BoardPoller(device)
    poller.start()
    blocks, made = Blocks(MODE, 29.5), []
    for done in range(round(minibatches_of(1) / 0.9)):
        validating[0] = done % 10 == 0
        start_s = device.clock.now()
        device.clock.advance(3.0 if validating[0] else 0.1)
        block = blocks.add(Interval(start_s, device.clock.now(), 1, not validating[0]), poller.taken())
        made += [block] if block else []
    poller.stop()
    assert len(made) == 1
    assert made[0].time_ms == pytest.approx(100.0)
    assert made[0].power_w == pytest.approx(reading.total_w)


def test_throttling_and_over_currents_mark_a_block(device: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    health = device.health()
    events = iter(range(1000))
    monkeypatch.setattr(device, "health", lambda: type(health)((), next(events) // 4))
    assert [each.throttled_by for each in blocks_of(device, [(0.1, True)] * minibatches_of(2))] == ["over-current"] * 2
    monkeypatch.setattr(device, "health", lambda: type(health)(("heat",), 7))
    assert blocks_of(device, [(0.1, True)] * minibatches_of(1))[0].throttled_by == "heat"
    ticks = iter(range(1000))
    monkeypatch.setattr(device, "health", lambda: type(health)(("heat",) if next(ticks) % 30 == 5 else (), 7))
    assert blocks_of(device, [(0.1, True)] * minibatches_of(1))[0].throttled_by == "", "a moment of heat now and then"


def test_a_block_without_a_power_sample_is_blind_but_sees_throttling() -> None:
    blocks = Blocks(MODE, 29.5, short=True)
    samples = [(float(at_s), (math.nan, Health(("heat",)))) for at_s in range(16)]
    made = blocks.add(Interval(0.0, 15.0, 150), samples)
    assert made is not None
    assert (made.power_samples, made.power_w, made.throttled_by) == (0, 29.5, "heat")


def test_a_detector_looks_only_for_the_given_signs() -> None:
    detector = DriftDetector(LOCKED, PowerBudget(30.0), ("over budget",))
    assert not any(detector.add(block(time_ms=150)) for _ in range(9))
    found = [detector.add(block(power_w=31.0)) for _ in range(3)]
    assert found[-1] is not None
    assert found[-1].sign == "over budget"


def test_memory_does_not_grow(device: FakeDevice) -> None:
    """Ten hours of a loop that never reports a clean minibatch."""
    poller = BoardPoller(device)
    poller.start()
    device.clock.advance(36_000.0)
    assert len(poller._samples) == 3600
    blocks = Blocks(MODE, 29.5)
    for _ in range(10):
        start_s = device.clock.now()
        device.clock.advance(100.0)
        assert blocks.add(Interval(start_s, device.clock.now(), 1, clean=False), poller.taken()) is None
        assert not poller._samples
    poller.stop()


def test_corrections_come_at_ever_longer_distances() -> None:
    backoff, made = Backoff(), []
    for minute in range(60 * 24 * 30):
        if not backoff.is_exhausted and backoff.allows(60.0 * minute):
            backoff.corrected(60.0 * minute)
            made.append(minute)
    assert np.diff(made).tolist() == [5, 10, 20, 40, 80, 160, 320]
