from __future__ import annotations

import numpy as np
import pytest
from fakes import FakeDevice
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_powertrain.boards import Knob, ModeSpace, load_board
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.profiling import latin_hypercube, latin_hypercube_rows, random_modes

ORIN = load_board("orin-agx-64gb").modes


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 99), st.data())
def test_modes_are_different_and_the_highest_comes_first(shape: list[int], seed: int, data: st.DataObject) -> None:
    space = ModeSpace(tuple(Knob(f"k{index}", "other", tuple(range(1, 1 + size))) for index, size in enumerate(shape)))
    count = data.draw(st.integers(1, len(space)))
    sample = latin_hypercube(space, count, seed)
    assert len(set(sample)) == count
    assert sample[0] == space.highest
    assert all(mode in space for mode in sample)


def test_every_level_of_a_knob_is_visited_evenly() -> None:
    sample = latin_hypercube(ORIN, 52, seed=3)
    visits = np.array([sum(mode["gpu_hz"] == value for mode in sample) for value in ORIN.knobs[2].values])
    assert visits.min() >= 3, "each of 13 levels is due four visits; the highest mode takes the place of one point"
    assert visits.max() <= 5


def test_same_seed_same_modes() -> None:
    assert latin_hypercube(ORIN, 20, seed=5) == latin_hypercube(ORIN, 20, seed=5)
    assert latin_hypercube(ORIN, 20, seed=5) != latin_hypercube(ORIN, 20, seed=6)


def levels_apart(rows: list[int]) -> float:
    """Distance of the two closest modes, in shares of the levels."""
    levels = np.array(np.unravel_index(rows, ORIN.shape)).T / np.array(ORIN.shape)
    return float(min(np.linalg.norm(a - b) for index, a in enumerate(levels) for b in levels[:index]))


def test_modes_keep_further_apart_than_random_ones() -> None:
    spread = [levels_apart([ORIN.index(mode) for mode in latin_hypercube(ORIN, 20, seed)]) for seed in range(5)]
    random = [levels_apart([ORIN.index(mode) for mode in random_modes(ORIN, 20, seed)]) for seed in range(5)]
    assert min(spread) > np.mean(random)


def test_modes_that_do_not_exist_are_replaced_by_their_neighbours() -> None:
    available = ORIN.array[ORIN.array[:, 0] % 2 == 0]
    rows = latin_hypercube_rows(available, 30, seed=1)
    assert len(set(rows.tolist())) == 30
    assert (available[rows[0]] == ORIN.rows([ORIN.highest])[0]).all()


def test_a_level_that_few_modes_have_gets_few_points() -> None:
    """As where a cluster was measured at some of its clocks only: a sample has to look like what it represents."""
    most_cores = ORIN.knobs[0].values[-1]
    available = ORIN.array[(ORIN.array[:, 0] < most_cores) | (np.arange(len(ORIN)) % 10 == 0)]
    drawn = np.concatenate([available[latin_hypercube_rows(available, 100, seed)[1:]] for seed in range(3)])
    assert np.mean(drawn[:, 0] == most_cores) == pytest.approx(np.mean(available[:, 0] == most_cores), abs=0.01)


@pytest.mark.parametrize("count", [0, -1, len(ORIN) + 1])
def test_impossible_counts_are_refused(count: int) -> None:
    with pytest.raises(ArgumentError, match=f"modes={count} is not valid. Allowed: a whole number from 1 to 18096"):
        latin_hypercube(ORIN, count)


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
