"""A board that refuses some combinations of its knobs: no other mode is set, and the best of the rest is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from fakes import TINY, FakeDevice, Oracle, true_power_w, true_time_ms
from hypothesis import given, settings
from hypothesis import strategies as st
from watching import train

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.boards import IntArray, Knob, ListedModes, ModeSpace, PowerMode
from lightning_powertrain.prediction import Prediction
from lightning_powertrain.profiling import sensor_noise
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Phase

# On this board a fast GPU needs fast memory, and four cores never run at the lowest clock.
POSSIBLE = [
    mode
    for mode in TINY.modes
    if (mode["gpu_hz"] < 400000000 or mode["emc_hz"] == 800000000) and (mode["cores"] < 4 or mode["cpu_khz"] > 500000)
]


class Uneven(FakeDevice):
    def __init__(self, possible: Sequence[PowerMode] = POSSIBLE) -> None:
        super().__init__()
        self.modes = ListedModes(TINY.knobs, possible)
        self.mode = self.found = self.modes.at_most(TINY.preset("LOW"))


class Sure(Oracle):
    """Knows the board, and gives the intervals that a hard limit needs."""

    def predict(self, modes: IntArray) -> Prediction:
        exact = super().predict(modes)
        return replace(exact, power_low_w=0.99 * exact.power_w, power_high_w=1.01 * exact.power_w)


def power_w(mode: PowerMode) -> float:
    return float(true_power_w(TINY.modes.rows([mode]))[0])


def best_ms(possible: Sequence[PowerMode], limit_w: float) -> float:
    times_ms = true_time_ms(TINY.modes.rows(possible))
    return min(
        float(time_ms)
        for time_ms, mode in zip(times_ms, possible)
        if power_w(mode) * (1 + sensor_noise(power_w(mode))) <= limit_w
    )


@settings(deadline=None, max_examples=15)
@given(st.sets(st.sampled_from(list(TINY.modes)), min_size=12), st.floats(10.0, 18.0))
def test_the_best_possible_mode_is_found(possible: set[PowerMode], limit_w: float) -> None:
    listed = [TINY.modes.lowest, *(mode for mode in TINY.modes if mode in possible - {TINY.modes.lowest})]
    device = Uneven(listed)
    tuner = Tuner(limit_w, device=device, verbose=False, options=ProfilingOptions(predictor=Oracle())).start()
    train(tuner)
    assert tuner.phase is Phase.LOCKED
    assert set(device.applied) <= set(listed)
    assert tuner.outcome is not None
    assert tuner.outcome.selection.time_ms <= best_ms(listed, limit_w) * 1.011
    tuner.stop()
    assert device.mode == device.found


@pytest.mark.parametrize("limit_w", [9.0, 12.0, 16.0])
def test_a_hard_limit_is_kept_on_the_way(limit_w: float) -> None:
    device = Uneven()
    tuner = Tuner(
        limit_w, device=device, hard_limit=True, verbose=False, options=ProfilingOptions(predictor=Sure())
    ).start()
    train(tuner)
    assert tuner.phase is Phase.LOCKED
    assert set(device.applied) <= set(POSSIBLE)
    assert max(map(power_w, device.applied)) <= limit_w
    assert tuner.outcome is not None
    assert tuner.outcome.selection.time_ms <= best_ms(POSSIBLE, limit_w) * 1.1
    tuner.stop()


@settings(deadline=None, max_examples=15)
@given(st.sets(st.sampled_from(list(TINY.modes)), min_size=12), st.floats(10.0, 18.0))
def test_a_hard_limit_is_kept_on_any_board(possible: set[PowerMode], limit_w: float) -> None:
    device = Uneven([TINY.modes.lowest, *(mode for mode in TINY.modes if mode in possible - {TINY.modes.lowest})])
    tuner = Tuner(
        limit_w, device=device, hard_limit=True, verbose=False, options=ProfilingOptions(predictor=Sure())
    ).start()
    train(tuner)
    assert max(map(power_w, device.applied)) <= limit_w
    if tuner.phase is not Phase.LOCKED:
        assert "power modes near the lowest one" in tuner.status.sentence
    tuner.stop()


@pytest.mark.parametrize("clocks", [(500000, 1000000, 2000000), tuple(range(500000, 2000001, 100000))])
def test_a_hard_limit_is_kept_on_a_board_of_one_knob(clocks: tuple[int, ...]) -> None:
    device = FakeDevice()
    knobs = tuple(Knob("cpu_khz", "cpu", clocks) if each.name == "cpu_khz" else each for each in TINY.knobs)
    device.modes = ModeSpace(knobs).subset({"cores": (4,), "gpu_hz": (400000000,), "emc_hz": (800000000,)})
    device.mode = device.found = device.modes.lowest
    tuner = Tuner(
        "24 W", device=device, hard_limit=True, verbose=False, options=ProfilingOptions(predictor=Sure())
    ).start()
    train(tuner)
    assert tuner.phase is Phase.LOCKED
    assert max(map(power_w, device.applied)) <= 24.0
    tuner.stop()


def test_a_hard_limit_needs_modes_near_the_lowest_one(caplog: pytest.LogCaptureFixture) -> None:
    fast = [mode for mode in TINY.modes if mode["gpu_hz"] == 400000000]
    device = Uneven([TINY.modes.lowest, *fast])
    train(
        Tuner(12.0, device=device, hard_limit=True, verbose=False, options=ProfilingOptions(predictor=Sure())).start()
    )
    assert "needs 3 power modes near the lowest one to keep a hard limit, and this board has 1" in caplog.text
    assert device.mode == device.found
    assert max(map(power_w, device.applied)) <= 12.0
