from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_powertrain.simulation import FILTER_S, REFERENCE_C, Draw, SlowState, load_physics

THERMAL = load_physics("orin-agx-64gb").thermal
DRAW = Draw(np.array([30.0, 6.0]), np.array([0.05, 0.02]), 36.0, 0.07)


def slow_state(temperature_c: float = 30.0) -> SlowState:
    return SlowState(THERMAL, 25.0, temperature_c, np.array([5.0, 9.0]))


@pytest.mark.parametrize("seconds", [0.05, 0.43, 2.0, 60.0])
def test_closed_form_equals_integration_in_small_steps(seconds: float) -> None:
    """Both equations by the midpoint method: nothing in common with sums of exponentials."""
    steps = 8_000
    step_s = seconds / steps

    def rates(temperature_c: float, shown_w: np.ndarray) -> tuple[float, np.ndarray]:
        above_c = temperature_c - REFERENCE_C
        heat_c = THERMAL.resistance_c_per_w * (DRAW.total_w + DRAW.total_w_per_c * above_c)
        warming = (25.0 + heat_c - temperature_c) / THERMAL.time_constant_s
        return warming, (DRAW.rails_w + DRAW.rails_w_per_c * above_c - shown_w) / FILTER_S

    temperature_c, shown_w = 30.0, np.array([5.0, 9.0])
    for _ in range(steps):
        warming, filtering = rates(temperature_c, shown_w)
        warming, filtering = rates(temperature_c + warming * step_s / 2, shown_w + filtering * step_s / 2)
        temperature_c, shown_w = temperature_c + warming * step_s, shown_w + filtering * step_s
    state = slow_state()
    state.advance(seconds, DRAW)
    assert state.temperature_c == pytest.approx(temperature_c, abs=1e-5)
    assert state.shown_w == pytest.approx(shown_w, abs=1e-5)


@given(st.floats(0.0, 100.0), st.floats(0.0, 100.0))
def test_two_stretches_are_as_one(first_s: float, second_s: float) -> None:
    once, twice = slow_state(), slow_state()
    once.advance(first_s + second_s, DRAW)
    twice.advance(first_s, DRAW)
    twice.advance(second_s, DRAW)
    assert twice.temperature_c == pytest.approx(once.temperature_c)
    assert twice.shown_w == pytest.approx(once.shown_w)


def test_it_settles_where_it_says() -> None:
    state = slow_state()
    state.advance(1e5, DRAW)
    assert state.temperature_c == pytest.approx(state.settled_c(DRAW))
    assert state.shown_w == pytest.approx(DRAW.rails_at(state.temperature_c))


def test_two_seconds_after_a_jump_the_filter_shows_99_percent_of_it() -> None:
    state = slow_state(temperature_c=slow_state().settled_c(DRAW))
    before_w, after_w = state.shown_w, DRAW.rails_at(state.temperature_c)
    state.advance(2.0, DRAW)
    assert ((state.shown_w - before_w) / (after_w - before_w)).tolist() == pytest.approx([0.9905, 0.9905], abs=1e-3)
