"""How long profiling will yet take is estimated from the start mode, and from what each decision sees."""

from __future__ import annotations

import numpy as np
import pytest

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.profiling import Measurement, WindowPlan
from lightning_powertrain.selection import LeastEnergy, NoWorse, Objective, PowerBudget, TimeBudget
from lightning_powertrain.tuning.plan import ProfilingPlan
from lightning_powertrain.tuning.remaining import Remaining, TimeLeft, time_of_best_ms

MODE = PowerMode(cores=1)
WINDOW = WindowPlan(discard=1, settle_s=2.0, tolerance=None)


def measured(time_ms: float, power_w: float = 20.0) -> Measurement:
    return Measurement(MODE, time_ms, power_w)


def remaining(most: int, others: int = 18_000, until_settled: bool = False) -> Remaining:
    return Remaining(LeastEnergy(), measured(100.0), most, others, until_settled)


def seen(promising: int) -> tuple[np.ndarray, np.ndarray]:
    return np.full(promising, 0.01), np.full(promising, 150.0)


def test_a_long_search_ends_before_the_modes_that_were_asked_for() -> None:
    assert 37 < remaining(50).windows(0) < 50
    assert remaining(50).windows(10) == remaining(50).windows(0) - 10


def test_a_short_search_goes_on_with_verifications() -> None:
    assert 10 < remaining(10).windows(0) <= 12.5
    assert 0 < remaining(10).windows(10) <= 2.5


def test_what_a_long_search_takes_at_most_is_known_better_than_when_it_ends() -> None:
    most = remaining(50).most_windows(0)
    assert most is not None
    assert 50 < most < 60
    assert remaining(10).most_windows(0) is None


def test_a_search_that_may_settle_is_shorter() -> None:
    assert remaining(50, until_settled=True).windows(0) < 20


def test_no_more_is_measured_than_the_board_has() -> None:
    assert remaining(7, others=7).windows(0) == 7


@pytest.mark.parametrize("done", [7, 20, 30])
def test_the_fewer_modes_may_improve_the_sooner_it_ends(done: int) -> None:
    left = []
    for promising in (400, 100, 20, 5, 1, 0):
        estimate = remaining(50)
        estimate.looked(done, *seen(promising))
        left.append(estimate.windows(done))
    assert left == sorted(left, reverse=True)
    assert left[0] <= 50 - done + 2
    assert left[-2:] == [1.0, 0.0]


def test_a_decision_that_sees_nothing_left_ends_the_estimate_too() -> None:
    estimate = remaining(50)
    estimate.looked(20, *seen(1))
    assert [estimate.windows(done) for done in (20, 21, 22)] == [1, 0, 0]


def test_the_modes_to_come_are_those_of_the_largest_values() -> None:
    estimate = remaining(50)
    assert estimate.time_ms == 100.0
    estimate.looked(7, np.linspace(1e-5, 0.1, 100), np.linspace(900.0, 200.0, 100))
    assert estimate.time_ms == pytest.approx(225.0, abs=5)
    estimate.looked(11, *seen(0))
    assert estimate.time_ms == pytest.approx(225.0, abs=5)


@pytest.mark.parametrize(
    ("objective", "low_ms", "high_ms"),
    [
        (NoWorse(100.0, 20.0), 100, 100),
        (PowerBudget(20.0), 100, 100),
        (PowerBudget(10.0), 140, 200),
        (PowerBudget(1000.0), 60, 80),
        (TimeBudget(130.0), 130, 130),
        (TimeBudget(1.0), 60, 80),
    ],
    ids=str,
)
def test_a_budget_shows_roughly_how_slow_its_best_mode_is(objective: Objective, low_ms: float, high_ms: float) -> None:
    assert low_ms <= time_of_best_ms(objective, measured(100.0)) <= high_ms


def test_first_modes_cost_what_was_planned_and_the_rest_what_they_are_expected_to() -> None:
    left = TimeLeft(WINDOW, ProfilingPlan([10.0, 20.0, 99.0]), first=2)
    later_s = WINDOW.seconds(100.0)
    assert left.seconds(4.5, 100.0, 0.0) == pytest.approx(30.0 + 2.5 * later_s, rel=0.1)
    left.measured(measured(200.0))
    expected_s = WINDOW.seconds(200.0)
    assert left.seconds(3.5, 100.0, expected_s) == pytest.approx(20.0 + 2.5 * later_s)
    # What was computed meanwhile, and windows that went on for longer, will be so again.
    assert left.seconds(3.5, 100.0, 1.5 * expected_s) == pytest.approx(1.5 * (20.0 + 2.5 * later_s))
    assert left.seconds(0.0, 100.0, expected_s) == 0.0


def test_a_search_without_a_plan_takes_what_its_windows_take() -> None:
    assert TimeLeft(WINDOW, ProfilingPlan(()), first=7).seconds(2.0, 100.0, 0.0) == pytest.approx(12.0, rel=0.1)


def test_a_long_search_says_at_most_until_it_has_decided_once() -> None:
    estimate = remaining(50)
    assert estimate.most_windows(0) is not None
    estimate.looked(7, *seen(100))
    assert estimate.most_windows(7) is None
