from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_powertrain.boards import Knob, PowerMode
from lightning_powertrain.evaluation.metrics import Costs, decisions_of, errors_of, near_front
from lightning_powertrain.prediction import Prediction
from lightning_powertrain.profiling import Measurement, Profile, Provenance

TRUTH = Costs(np.array([40.0, 20.0, 10.0, 9.0]), np.array([10.0, 15.0, 20.0, 30.0]))


def profile(costs: Costs) -> Profile:
    knob = Knob("gpu_hz", "gpu", tuple(range(1, 1 + len(costs.time_ms))))
    rows = (
        Measurement(PowerMode(gpu_hz=value), time_ms, power_w)
        for value, time_ms, power_w in zip(knob.values, costs.time_ms.tolist(), costs.power_w.tolist())
    )
    return Profile((knob,), Provenance("toy", "law", True), tuple(rows))


def test_errors_by_hand() -> None:
    low, high = np.array([35.0, 19.0, 10.5, 8.0]), np.array([45.0, 21.0, 12.0, 10.0])
    prediction = Prediction(TRUTH.time_ms * [1.1, 1, 0.9, 1], TRUTH.power_w * [1, 1.2, 1, 1], 0, 0, low, high)
    errors = errors_of(prediction, profile(TRUTH), np.array([True, False, False, False]))
    assert errors.time == pytest.approx(5.0)
    assert errors.time_unmeasured == pytest.approx(10 / 3)
    assert errors.power == pytest.approx(5.0)
    assert errors.time_held == pytest.approx(75.0)
    assert np.isnan(errors.power_held)


def test_without_power_there_are_no_errors_of_power_and_no_front() -> None:
    blind = profile(Costs(TRUTH.time_ms, np.full(4, np.nan)))
    errors = errors_of(Prediction(TRUTH.time_ms, np.full(4, np.nan)), blind, np.zeros(4, dtype=np.bool_))
    assert errors.time == 0.0
    assert np.isnan(errors.power)
    assert np.isnan(errors.time_front)


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=1, max_size=30))
def test_front_against_brute_force(pairs: list[tuple[int, int]]) -> None:
    time_ms, power_w = np.array(pairs, dtype=float).T
    expected = [t <= 1.1 * time_ms[power_w <= p].min() for t, p in zip(time_ms, power_w)]
    near = near_front(Costs(time_ms, power_w))
    assert near.tolist() == [bool(each) for each in expected]
    assert near.any()


def test_perfect_knowledge_costs_nothing() -> None:
    decisions = decisions_of(TRUTH, TRUTH, TRUTH, np.arange(5.0, 40.0))
    assert decisions is not None
    assert decisions.penalty == decisions.above == decisions.largest_excess_w == 0.0


def test_decisions_by_hand() -> None:
    estimated = Costs(TRUTH.time_ms, np.array([10.0, 15.0, 14.4, 30.0]))
    decisions = decisions_of(estimated, TRUTH, TRUTH, np.array([9.0, 12.0, 15.0, 19.2]))
    assert decisions is not None
    # 9 W: no mode meets it. 12 W: right. 15 W: 10 ms and 20 W, not 20 ms. 19.2 W: the same, 0.8 W too much.
    assert decisions.penalty == pytest.approx((0 - 50 - 50) / 3)
    assert decisions.above == decisions.above_half_w == pytest.approx(200 / 3)
    assert decisions.above_1_w == pytest.approx(100 / 3)
    assert decisions.mean_excess_w == pytest.approx(5.8 / 3)
    assert decisions.largest_excess_w == pytest.approx(5.0)


def test_candidates_may_be_fewer_than_all_modes() -> None:
    slowest = Costs(TRUTH.time_ms[:1], TRUTH.power_w[:1])
    decisions = decisions_of(slowest, slowest, TRUTH, np.array([20.0]))
    assert decisions is not None
    assert decisions.penalty == pytest.approx(300.0)


def test_limits_below_every_mode_decide_nothing() -> None:
    assert decisions_of(TRUTH, TRUTH, TRUTH, np.array([1.0, 2.0])) is None
