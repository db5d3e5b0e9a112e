"""What is measured while the board throttles does not count, and a mode that throttles again is never chosen."""

from __future__ import annotations

from collections import Counter

import pytest
from fakes import TINY, FakeDevice, Oracle, true_power_w, true_time_ms
from watching import train

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import SimulatedDevice
from lightning_powertrain.profiling import sensor_noise
from lightning_powertrain.reporting.tables import mode_table, notes
from lightning_powertrain.tuner import Tuner


class Fevers:
    """Makes some modes throttle, the first few times that they are set."""

    def __init__(self, device: FakeDevice, modes: frozenset[PowerMode], times: int) -> None:
        self.device, self.modes, self.times = device, modes, times

    def __call__(self, mode: PowerMode) -> bool:
        return mode in self.modes and self.device.applied.count(mode) <= self.times


def sampled_modes(oracle: Oracle) -> list[PowerMode]:
    device = FakeDevice()
    with Tuner(
        12, device=device, max_modes=5, verbose=False, options=ProfilingOptions(predictor=oracle)
    ).start() as tuner:
        train(tuner)
        return device.applied[:5]


def test_a_window_in_which_it_throttled_is_measured_again_later_once(device: FakeDevice, oracle: Oracle) -> None:
    hot = sampled_modes(oracle)[1]
    device.is_hot = Fevers(device, frozenset([hot]), times=1)
    with Tuner(
        12, device=device, max_modes=5, verbose=False, options=ProfilingOptions(predictor=oracle)
    ).start() as tuner:
        train(tuner)
        assert tuner.outcome is not None
        profile = tuner.outcome.profile
    assert device.applied[1] == device.applied[5] == hot
    assert [each.mode for each in profile.throttled] == [hot]
    assert profile.throttled[0].throttled_by == "fake-throttle"
    assert Counter(each.mode for each in profile.measurements)[hot] == 1
    assert profile.throttling_modes == frozenset()
    assert notes(tuner.outcome)[2] == "The board throttled in 1 window, left out of the choice (fake-throttle)."


@pytest.mark.parametrize("limit_w", [8.0, 12.0, 18.0])
def test_a_mode_that_throttles_again_is_never_chosen(device: FakeDevice, oracle: Oracle, limit_w: float) -> None:
    """All modes above a GPU clock throttle: the choice is the best of the others, by brute force."""
    top_hz = TINY.modes.knobs[2].values[-1]
    device.is_hot = lambda mode: mode["gpu_hz"] == top_hz
    cool = TINY.modes.array[TINY.modes.array[:, 2] != top_hz]
    times, powers = true_time_ms(cool), true_power_w(cool)
    with Tuner(
        limit_w, device=device, max_modes=len(TINY.modes), verbose=False, options=ProfilingOptions(predictor=oracle)
    ).start() as tuner:
        train(tuner)
        assert tuner.outcome is not None
        outcome = tuner.outcome
    hot = {each.mode for each in outcome.profile.throttled}
    assert hot == outcome.profile.throttling_modes
    assert hot
    assert not hot & {each.mode for each in outcome.profile.measurements}
    assert outcome.selection.time_ms == pytest.approx(times[powers * (1 + sensor_noise(powers)) <= limit_w].min())
    assert "Not chosen, since it throttles there: " in notes(outcome)[3]
    assert sum(row[0] == "throttled" for row in mode_table(outcome)[1]) == len(outcome.profile.throttled)


def test_a_board_that_always_throttles_is_restored(
    device: FakeDevice, oracle: Oracle, caplog: pytest.LogCaptureFixture
) -> None:
    device.is_hot = lambda mode: True
    tuner = Tuner(12, device=device, max_modes=5, verbose=False, options=ProfilingOptions(predictor=oracle)).start()
    train(tuner, minibatches=20_000)
    assert device.mode == device.found
    (record,) = caplog.records
    assert "throttled (fake-throttle) in all but 0 of the windows" in record.getMessage()


def test_a_start_that_throttles_is_still_what_others_are_compared_with(device: FakeDevice, oracle: Oracle) -> None:
    device.is_hot = lambda mode: mode == device.found
    with Tuner(
        "energy", device=device, max_modes=5, verbose=False, options=ProfilingOptions(predictor=oracle)
    ).start() as tuner:
        train(tuner)
        assert tuner.outcome is not None
        selection = tuner.outcome.selection
    assert selection.start.mode == device.found
    assert selection.start.throttled_by
    assert selection.mode != device.found


def test_in_an_oven_the_simulated_board_throttles_and_what_it_keeps_was_measured_cool() -> None:
    device = SimulatedDevice("orin-agx-64gb", "resnet18", ambient_c=84.0)
    with Tuner("60 W", device=device, max_modes=10, verbose=False).start() as tuner:
        train(tuner)
        assert tuner.outcome is not None
        outcome = tuner.outcome
    assert outcome.profile.throttled
    assert {each.throttled_by for each in outcome.profile.throttled} == {"simulated-throttle"}
    assert outcome.selection.measured in outcome.profile.measurements
    assert outcome.selection.mode not in outcome.profile.throttling_modes
