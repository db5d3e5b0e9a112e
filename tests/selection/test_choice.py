"""The choice and the Pareto front, against trying everything."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Callable, List, Tuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_powertrain.boards import Knob, ModeSpace
from lightning_powertrain.prediction import Prediction
from lightning_powertrain.profiling import Measurement, Profile, Provenance
from lightning_powertrain.selection import (
    LeastEnergy,
    LeastEnergyDelay,
    LeastEnergyWithin,
    NoWorse,
    Objective,
    PowerBudget,
    Selection,
    Slower,
    TimeBudget,
    best_index,
    expected_improvement,
    pareto_front,
    select_measured,
)

Costs = List[Tuple[float, float]]

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
# Measured times that differ by less count as equal: twice as much variance as in one of them.
EQUAL = 1 + math.sqrt(2) * 0.005


RULES: dict[type[Objective], tuple[Rule, Rule]] = {
    PowerBudget: (lambda t, p, limit, _: p - limit if p > limit else 0.0, lambda t, p, *_: t),
    TimeBudget: (lambda t, p, limit, _: t - limit if t > limit else 0.0, lambda t, p, *_: p),
    LeastEnergy: (lambda *_: 0.0, lambda t, p, *_: t * p),
    LeastEnergyDelay: (lambda *_: 0.0, lambda t, p, *_: t * t * p),
    LeastEnergyWithin: (lambda t, p, p1, t1: max(0.0, max(t / t1, p / p1) - 1) * 100, lambda t, p, *_: t * p),
    NoWorse: (lambda t, p, t0, p0: max(0.0, max(t / (t0 * EQUAL), p / p0) - 1) * 100, lambda t, p, *_: t * p),
    Slower: (lambda t, p, t0, share: max(0.0, t - t0 * (1 + share / 100)), lambda t, p, *_: t * p),
}


def make(kind: type[Objective], one: float, two: float) -> Objective:
    counts = {LeastEnergy: 0, LeastEnergyDelay: 0, PowerBudget: 1, TimeBudget: 1}
    return kind(*(one, two)[: counts.get(kind, 2)])


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


@pytest.mark.parametrize(
    ("objective", "measured_excess"),
    [
        (PowerBudget(30.0), 2.0),
        (PowerBudget(32.0), 0.0),
        (TimeBudget(40.0), 10.0),
        (LeastEnergyWithin(32.0, 40.0), 25.0),
        (NoWorse(40.0, 32.0), 100 * (1.25 / EQUAL - 1)),
        (Slower(40.0, 5.0), 8.0),
        (LeastEnergy(), 0.0),
    ],
)
def test_what_was_measured_afterwards_is_held_against_the_budget(objective: Objective, measured_excess: float) -> None:
    start = measurement(0, (5.0, 5.0))
    selection = Selection(BOARD.mode(0), objective, 4.0, 4.0, start)
    assert selection.measured_excess is None
    assert replace(selection, measured=measurement(1, (50.0, 32.0))).measured_excess == pytest.approx(measured_excess)


@given(board_costs, some_indices, st.sampled_from([*RULES]), some_cost, some_cost)
def test_best_measured_mode_is_the_best_that_clears_the_budget_by_its_noise(
    true: Costs, sampled: list[int], kind: type[Objective], one: float, two: float
) -> None:
    """Against trying all: with the excess of figures that are higher by their noise, where there is a margin."""
    start = measurement(0, true[0])
    profile = profile_of([start, *(measurement(index, true[index]) for index in sampled)])
    objective = make(kind, one, two)
    selection = select_measured(objective, profile, start)
    known = [true[index] for index in sorted({0, *sampled})]
    excess, cost = RULES[kind]
    keys = []
    for time, power in known:
        guarded = (time, power) if objective.is_relative else (1.005 * time, power + math.hypot(0.16, 0.005 * power))
        keys.append((excess(*guarded, one, two), cost(time, power, one, two), time * power))
    assert selection.measured is not None
    assert selection.measured.mode == selection.mode
    found = (selection.time_ms, selection.power_w)
    assert keys[known.index(found)] == pytest.approx(min(keys), rel=1e-9)
    assert selection.is_confirmed == (keys[known.index(found)][0] == 0)
    assert selection.measured_excess == selection.excess


def test_what_was_measured_more_surely_needs_less_of_a_margin() -> None:
    sure = replace(measurement(1, (10.0, 29.5)), minibatches=1000)
    vague = replace(sure, power_std_w=5.0, minibatches=50)
    start = measurement(0, (50.0, 5.0))
    assert select_measured(PowerBudget(30.0), profile_of([start, sure]), start).mode == sure.mode
    assert select_measured(PowerBudget(30.0), profile_of([start, vague]), start).mode == start.mode


def test_a_time_budget_is_kept_by_more_than_the_noise_of_a_window() -> None:
    start = measurement(0, (50.0, 30.0))
    edge = replace(measurement(1, (199.5, 9.0)), time_std_ms=5.0, minibatches=40)
    clear = replace(measurement(2, (197.0, 10.0)), time_std_ms=5.0, minibatches=40)
    assert select_measured(TimeBudget(200.0), profile_of([start, edge]), start).mode == start.mode
    assert select_measured(TimeBudget(200.0), profile_of([start, edge, clear]), start).mode == clear.mode


@given(board_costs, some_indices, some_cost)
def test_above_the_ceiling_nothing_is_chosen_unless_all_is(costs: Costs, indices: list[int], ceiling_w: float) -> None:
    start, *others = (measurement(index, costs[index]) for index in (0, *indices))
    profile = profile_of([start, *others])
    chosen = select_measured(LeastEnergy(), profile, start, ceiling_w).measured
    assert chosen is not None
    below = [each for each in profile.measurements if each.power_w <= ceiling_w]
    if below:
        assert chosen.energy_mj == pytest.approx(min(each.energy_mj for each in below))
    else:
        assert chosen.power_w == min(each.power_w for each in profile.measurements)


def test_no_worse_keeps_the_start_when_nothing_beats_it() -> None:
    start = measurement(2, (50.0, 20.0))
    others = [measurement(0, (40.0, 21.0)), measurement(1, (60.0, 5.0)), measurement(3, (51.0, 19.0))]
    objective = NoWorse(start.time_ms, start.power_w)
    assert select_measured(objective, profile_of([start, *others]), start).mode == start.mode
    better, equal = measurement(4, (49.0, 19.9)), measurement(5, (50.3, 19.0))
    assert select_measured(objective, profile_of([start, *others, better]), start).mode == better.mode
    assert select_measured(objective, profile_of([start, *others, better, equal]), start).mode == equal.mode


def test_slower_is_measured_from_the_start() -> None:
    start = measurement(2, (50.0, 20.0))
    within, beyond = measurement(0, (52.4, 18.0)), measurement(1, (52.6, 10.0))
    assert select_measured(Slower(50.0, 5.0), profile_of([start, within, beyond]), start).mode == within.mode


# Where to measure next.


@given(
    time_ms=st.floats(1.0, 100.0),
    power_w=st.floats(5.0, 60.0),
    spreads=st.tuples(st.floats(0.0, 0.3), st.floats(0.0, 0.3)),
    limit=st.floats(5.0, 60.0),
    incumbent=st.floats(1.0, 100.0),
)
def test_expected_improvement_is_that_of_many_draws(
    time_ms: float, power_w: float, spreads: tuple[float, float], limit: float, incumbent: float
) -> None:
    """Against a Monte Carlo estimate of the definition."""
    width = np.exp(1.6449 * np.array(spreads))
    prediction = Prediction(
        *(np.array([time_ms]), np.array([power_w])),
        time_low_ms=np.array([time_ms / width[0]]),
        time_high_ms=np.array([time_ms * width[0]]),
        power_low_w=np.array([power_w / width[1]]),
        power_high_w=np.array([power_w * width[1]]),
    )
    draws = np.random.default_rng(0).standard_normal((2, 20_000))
    times = time_ms * np.exp(spreads[0] * draws[0])
    powers = power_w * np.exp(spreads[1] * draws[1])
    within = powers + np.hypot(0.16, 0.005 * powers) <= limit
    expected = (np.maximum(incumbent - times, 0) * within).mean() / incumbent
    (found,) = expected_improvement(PowerBudget(limit), prediction, incumbent)
    assert found == pytest.approx(expected, abs=0.07 * max(0.2, 1 - times.min() / incumbent))


def test_without_intervals_the_error_to_expect_is_the_spread() -> None:
    prediction = Prediction(np.array([10.0]), np.array([20.0]), time_error=0.08, power_error=float("nan"))
    assert prediction.time_spread == pytest.approx([0.1], rel=0.01)
    assert prediction.power_spread == pytest.approx([0.0])
