"""The choice and the Pareto front, against trying everything."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_powertrain.boards import Knob, ModeSpace, PowerMode
from lightning_powertrain.prediction import Prediction
from lightning_powertrain.profiling import Measurement, Profile, Provenance
from lightning_powertrain.selection import (
    LeastEnergy,
    LeastEnergyDelay,
    NoWorse,
    Objective,
    PowerBudget,
    TimeBudget,
    best_index,
    known_costs,
    pareto_front,
    select,
    select_measured,
)

Costs = list[tuple[float, float]]

# Whole numbers out of few make ties and duplicates common; the others make them rare.
some_cost = st.integers(1, 6).map(float) | st.floats(0.5, 500.0)
some_costs = st.lists(st.tuples(some_cost, some_cost), min_size=1, max_size=40)


def arrays(costs: Costs) -> tuple[np.ndarray, np.ndarray]:
    return np.array([time for time, _ in costs]), np.array([power for _, power in costs])


# The Pareto front.


def dominates(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return one[0] <= other[0] and one[1] <= other[1] and one != other


@given(some_costs)
def test_front_holds_each_undominated_pair_once_by_rising_power(costs: Costs) -> None:
    undominated = {pair for pair in costs if not any(dominates(other, pair) for other in costs)}
    front = pareto_front(*arrays(costs)).tolist()
    assert [costs[index] for index in front] == sorted(undominated, key=lambda pair: pair[1])
    assert [costs.index(costs[index]) for index in front] == front, "of equal modes the first stays"


def test_front_of_nothing_is_empty() -> None:
    assert pareto_front(np.array([]), np.array([])).tolist() == []


@given(some_costs)
def test_best_mode_within_a_limit_lies_on_the_front(costs: Costs) -> None:
    times, powers = arrays(costs)
    on_front = {costs[index] for index in pareto_front(times, powers)}
    for objective in (PowerBudget(float(np.median(powers))), LeastEnergy(), LeastEnergyDelay()):
        assert costs[best_index(objective, times, powers)] in on_front


# The best mode. For each objective: how far a mode is beyond the budget, and what to make small.

Rule = Callable[[float, float, float, float], float]
RULES: dict[type[Objective], tuple[Rule, Rule]] = {
    PowerBudget: (lambda t, p, limit, _: p - limit if p > limit else 0.0, lambda t, p, *_: t),
    TimeBudget: (lambda t, p, limit, _: t - limit if t > limit else 0.0, lambda t, p, *_: p),
    LeastEnergy: (lambda *_: 0.0, lambda t, p, *_: t * p),
    LeastEnergyDelay: (lambda *_: 0.0, lambda t, p, *_: t * t * p),
    NoWorse: (lambda t, p, t0, p0: max(0.0, max(t / t0, p / p0) - 1) * 100, lambda t, p, *_: t),
}


def make(kind: type[Objective], one: float, two: float) -> Objective:
    limits = {PowerBudget: (one,), TimeBudget: (one,), NoWorse: (one, two)}.get(kind, ())
    return kind(*limits)


def brute_force(kind: type[Objective], costs: Costs, one: float, two: float) -> int:
    excess, cost = RULES[kind]
    best, best_key = -1, (float("inf"),) * 3
    for index, (time, power) in enumerate(costs):
        key = (excess(time, power, one, two), cost(time, power, one, two), time * power)
        if key < best_key:
            best, best_key = index, key
    return best


@pytest.mark.parametrize("kind", RULES, ids=lambda kind: kind.__name__)
@given(costs=some_costs, one=some_cost, two=some_cost)
def test_best_mode_equals_trying_all(kind: type[Objective], costs: Costs, one: float, two: float) -> None:
    objective = make(kind, one, two)
    assert best_index(objective, *arrays(costs)) == brute_force(kind, costs, one, two)


@pytest.mark.parametrize("kind", [PowerBudget, TimeBudget, NoWorse], ids=lambda kind: kind.__name__)
@given(costs=some_costs, share=st.floats(0.1, 0.99))
def test_budget_that_nothing_meets_gets_what_misses_it_least(kind: type[Objective], costs: Costs, share: float) -> None:
    times, powers = arrays(costs)
    least = {PowerBudget: powers.min(), TimeBudget: times.min(), NoWorse: times.min()}[kind] * share
    objective = make(kind, float(least), float(powers.min() * share))
    excess = objective.excess(times, powers)
    best = best_index(objective, times, powers)
    assert excess.min() > 0
    assert excess[best] == excess.min()
    if kind is PowerBudget:
        assert powers[best] == powers.min()
    if kind is TimeBudget:
        assert times[best] == times.min()


def test_ties_go_to_less_energy_then_to_the_first() -> None:
    times, powers = np.array([5.0, 5.0, 5.0, 6.0]), np.array([9.0, 8.0, 8.0, 1.0])
    assert best_index(PowerBudget(9.0), times, powers) == 1


# The choice of a mode, from predictions and measurements.

BOARD = ModeSpace((Knob("cores", "cores", (2, 4, 8)), Knob("gpu_hz", "gpu", (100_000_000, 200_000_000))))

board_costs = st.lists(st.tuples(some_cost, some_cost), min_size=len(BOARD), max_size=len(BOARD))
some_indices = st.lists(st.integers(0, len(BOARD) - 1), max_size=8)


def measurement(index: int, cost: tuple[float, float]) -> Measurement:
    return Measurement(BOARD.mode(index), *cost)


def profile_of(measurements: list[Measurement]) -> Profile:
    return Profile(BOARD.knobs, Provenance("test", "test", simulated=True), tuple(measurements))


@given(board_costs, board_costs, some_indices, st.sampled_from([*RULES]), some_cost, some_cost)
def test_measured_costs_override_predicted_ones(
    predicted: Costs, true: Costs, sampled: list[int], kind: type[Objective], one: float, two: float
) -> None:
    start = measurement(0, true[0])
    profile = profile_of([start, *(measurement(index, true[index]) for index in sampled)])
    known = [true[index] if index in {0, *sampled} else predicted[index] for index in range(len(BOARD))]
    prediction = Prediction(*arrays(predicted), time_error=0.1, power_error=0.2)
    before = prediction.time_ms.copy()

    selection = select(make(kind, one, two), BOARD, prediction, profile, start)

    best = brute_force(kind, known, one, two)
    assert selection.mode == BOARD.mode(best)
    assert (selection.time_ms, selection.power_w) == known[best]
    assert selection.excess == RULES[kind][0](*known[best], one, two)
    assert (selection.time_error, selection.power_error) == (0.1, 0.2)
    assert (selection.measured is not None) == (best in {0, *sampled})
    assert np.array_equal(prediction.time_ms, before), "the prediction itself is left alone"


def test_the_last_measurement_of_a_mode_counts() -> None:
    profile = profile_of([measurement(3, (9.0, 9.0)), measurement(3, (4.0, 7.0))])
    times, powers = known_costs(BOARD, Prediction(np.ones(6), np.ones(6)), profile)
    assert (times[3], powers[3]) == (4.0, 7.0)
    assert times.sum() == 9.0


def test_measured_modes_outside_the_space_are_passed_over() -> None:
    odd = Measurement(PowerMode(cores=3, gpu_hz=100_000_000), 1.0, 1.0)
    times, powers = known_costs(BOARD, Prediction(np.full(6, 5.0), np.full(6, 5.0)), profile_of([odd]))
    assert (times == 5.0).all()
    assert (powers == 5.0).all()


@given(board_costs, board_costs, some_indices, st.integers(0, len(BOARD) - 1))
def test_no_worse_never_expects_anything_slower_or_hungrier_than_the_start(
    predicted: Costs, true: Costs, sampled: list[int], started: int
) -> None:
    start = measurement(started, true[started])
    profile = profile_of([start, *(measurement(index, true[index]) for index in sampled)])
    selection = select(None, BOARD, Prediction(*arrays(predicted)), profile, start)
    assert selection.objective == NoWorse(start.time_ms, start.power_w)
    assert selection.excess == 0
    assert selection.time_ms <= start.time_ms
    assert selection.power_w <= start.power_w


def test_no_worse_keeps_the_start_when_nothing_beats_it() -> None:
    start = measurement(2, (50.0, 20.0))
    prediction = Prediction(np.array([49.0, 60.0, 1.0, 51.0, 10.0, 80.0]), np.array([21.0, 5.0, 1.0, 20.0, 20.1, 9.0]))
    assert select(None, BOARD, prediction, profile_of([start]), start).mode == start.mode


def test_a_sampled_repeat_of_the_start_does_not_replace_it() -> None:
    start, repeat = measurement(2, (50.0, 20.0)), measurement(2, (51.0, 20.5))
    prediction = Prediction(np.full(6, 99.0), np.full(6, 99.0))
    selection = select(None, BOARD, prediction, profile_of([start, repeat]), start)
    assert (selection.mode, selection.time_ms, selection.excess) == (start.mode, 50.0, 0.0)


@pytest.mark.parametrize(
    ("objective", "measured_excess"),
    [
        (PowerBudget(30.0), 2.0),
        (PowerBudget(32.0), 0.0),
        (TimeBudget(40.0), 10.0),
        (NoWorse(40.0, 32.0), 25.0),
        (LeastEnergy(), 0.0),
    ],
)
def test_what_was_measured_afterwards_is_held_against_the_budget(objective: Objective, measured_excess: float) -> None:
    start = measurement(0, (5.0, 5.0))
    prediction = Prediction(np.full(6, 4.0), np.full(6, 4.0))
    selection = select(objective, BOARD, prediction, profile_of([start]), start)
    assert selection.measured_excess is None
    assert selection.with_measured(measurement(1, (50.0, 32.0))).measured_excess == pytest.approx(measured_excess)


@given(board_costs, some_indices, st.sampled_from([*RULES]), some_cost, some_cost)
def test_best_measured_mode_is_the_best_of_those_only(
    true: Costs, sampled: list[int], kind: type[Objective], one: float, two: float
) -> None:
    start = measurement(0, true[0])
    profile = profile_of([start, *(measurement(index, true[index]) for index in sampled)])
    selection = select_measured(make(kind, one, two), profile, start)
    known = sorted({0, *sampled})
    best = brute_force(kind, [true[index] for index in known], one, two)
    assert (selection.time_ms, selection.power_w) == true[known[best]]
    assert selection.measured is not None
    assert selection.measured.mode == selection.mode
    assert selection.measured_excess == selection.excess
