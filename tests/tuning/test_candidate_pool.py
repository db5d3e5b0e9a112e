"""Looking at few modes of a large board, against looking at all."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_powertrain.boards import IntArray, Knob, ModeSpace, load_board
from lightning_powertrain.evaluation import simulated_profile
from lightning_powertrain.prediction import (
    DEFAULT_REFERENCE,
    GreyBoxTransfer,
    Prediction,
    default_predictor,
    load_reference,
)
from lightning_powertrain.profiling import Profile, latin_hypercube
from lightning_powertrain.selection import (
    LeastEnergy,
    LeastEnergyDelay,
    Objective,
    PowerBudget,
    expected_improvement,
    select_measured,
)
from lightning_powertrain.tuning.candidate_pool import CandidatePool
from lightning_powertrain.tuning.search import Search

ORIN = load_board("orin-agx-64gb")


def space_of(shape: list[int]) -> ModeSpace:
    return ModeSpace(tuple(Knob(f"knob{number}", "other", tuple(range(size))) for number, size in enumerate(shape)))


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.data())
def test_neighbours_differ_by_a_few_values_of_one_knob_or_by_one_of_two(shape: list[int], data: st.DataObject) -> None:
    space = space_of(shape)
    row = data.draw(st.integers(0, len(space) - 1))
    near = CandidatePool(space, 0).near(np.array([row]), np.array([row]))
    apart = np.sort(np.abs(space.array - space.array[row]), axis=1)
    one_knob = (apart[:, :-1] == 0).all(axis=1) & np.isin(apart[:, -1], (1, 2, 4))
    two_knobs = (apart.sum(axis=1) == 2) & (apart[:, -1] == 1)
    assert near.tolist() == np.flatnonzero(one_knob | two_knobs).tolist()


def test_a_small_board_is_looked_at_as_a_whole() -> None:
    candidates = CandidatePool(space_of([10, 10, 10]), 0)
    assert candidates.is_complete
    assert candidates.sample.tolist() == list(range(1000))
    assert candidates.pool(1000).tolist() == list(range(1000))


def test_a_large_board_is_looked_at_in_part_and_never_without_its_highest_mode() -> None:
    candidates = CandidatePool(ORIN.modes, 3)
    assert len(np.unique(candidates.sample)) == 1000
    pool = candidates.pool(2000)
    assert len(np.unique(pool)) == len(pool)
    assert ORIN.modes.index(ORIN.modes.highest) in pool


@lru_cache(maxsize=None)
def measured_and_predicted(workload: str, seed: int) -> tuple[Profile, Prediction]:
    """Some modes as measured, and what is predicted of all: the same for each objective."""
    profile = simulated_profile(ORIN, workload, ORIN.modes.rows(latin_hypercube(ORIN.modes, 16, seed)), seed)
    predictor = default_predictor()
    predictor.fit(profile)
    return profile, predictor.predict(ORIN.modes.array)


@pytest.mark.parametrize("workload", ["mobilenetv3", "bert-base"])
@pytest.mark.parametrize("objective", [PowerBudget(20.0), PowerBudget(40.0), LeastEnergyDelay(), LeastEnergy()])
def test_the_mode_that_it_asks_for_is_as_good_as_the_best_of_all(workload: str, objective: Objective) -> None:
    space, gains = ORIN.modes, []
    for seed in range(2):
        profile, prediction = measured_and_predicted(workload, seed)
        start = profile.measurements[0]
        search = Search(space, default_predictor(), objective, start, 50, seed=seed, with_first_modes=False)
        step = search.next_by_acquisition(profile)
        best = select_measured(objective, profile, start)
        within = objective.excess(prediction.time_ms, prediction.power_w) == 0
        costs = objective.cost(prediction.time_ms, prediction.power_w)
        incumbent = best.cost if best.is_confirmed else float(costs[within].max())
        value = expected_improvement(objective, prediction, incumbent)
        assert step is not None
        gains.append(value[space.index(step.mode)] / value.max())
    assert np.mean(gains) > 0.9


def test_what_is_looked_at_does_not_grow_with_the_board() -> None:
    asked = []

    class Counting(GreyBoxTransfer):
        def predict(self, modes: IntArray) -> Prediction:
            asked.append(len(modes))
            return super().predict(modes)

    profile = simulated_profile(ORIN, "lstm", ORIN.modes.rows(latin_hypercube(ORIN.modes, 12)))
    search = Search(
        ORIN.modes,
        Counting(load_reference(DEFAULT_REFERENCE)),
        PowerBudget(30.0),
        profile.measurements[0],
        50,
        with_first_modes=False,
    )
    search.next_by_acquisition(profile)
    assert asked[0] == 1000
    assert sum(asked) < 4000
