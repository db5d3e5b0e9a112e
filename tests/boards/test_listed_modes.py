"""Boards whose knobs cannot be combined freely, against looking at all of their modes."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_powertrain.boards import Knob, ListedModes, ModeSpace, PowerMode, load_board
from lightning_powertrain.errors import ArgumentError, ModeError

KNOBS = (Knob("cores", "cores", (1, 2, 4)), Knob("cpu_khz", "cpu", (100, 200, 300)), Knob("gpu_hz", "gpu", (10, 20)))
EVERYTHING = ModeSpace(KNOBS)


@st.composite
def listings(draw: st.DrawFn) -> list[PowerMode]:
    """At least one of the modes, in any order."""
    rows = draw(st.lists(st.integers(0, len(EVERYTHING) - 1), min_size=1, unique=True))
    return [EVERYTHING.mode(row) for row in rows]


@given(listings())
def test_rows_are_the_listed_modes(listed: list[PowerMode]) -> None:
    space = ListedModes(KNOBS, listed)
    assert list(space) == listed
    assert len(space) == len(listed)
    assert [space.index(dict(mode)) for mode in listed] == list(range(len(listed)))
    np.testing.assert_array_equal(space.array, EVERYTHING.rows(listed))
    assert all((mode in space) == (mode in listed) for mode in EVERYTHING)


@given(listings(), st.data())
def test_a_mode_that_is_not_listed_is_refused(listed: list[PowerMode], data: st.DataObject) -> None:
    others = [mode for mode in EVERYTHING if mode not in listed]
    if others:
        with pytest.raises(ModeError, match="no mode with this combination"):
            ListedModes(KNOBS, listed).index(data.draw(st.sampled_from(others)))


@given(listings())
def test_rows_are_found_by_their_levels(listed: list[PowerMode]) -> None:
    space = ListedModes(KNOBS, listed)
    np.testing.assert_array_equal(space.levels, EVERYTHING.levels[EVERYTHING.rows_of(listed)])
    np.testing.assert_array_equal(space.rows_at(space.levels), np.arange(len(listed)))
    assert sorted(space.rows_at(EVERYTHING.levels)) == list(range(len(listed)))
    assert len(space.rows_at(space.levels + np.int16(100))) == 0


@given(listings(), st.sampled_from([100, 200, 300]))
def test_a_subset_has_the_listed_modes_with_the_given_values(listed: list[PowerMode], cpu_khz: int) -> None:
    left = [mode for mode in listed if mode["cpu_khz"] == cpu_khz]
    if left:
        subset = ListedModes(KNOBS, listed).subset({"cpu_khz": (cpu_khz,)})
        assert list(subset) == left
        assert subset.shape == (3, 1, 2)
    else:
        with pytest.raises(ModeError, match="no mode with these values"):
            ListedModes(KNOBS, listed).subset({"cpu_khz": (cpu_khz,)})


@given(listings(), st.fixed_dictionaries({}, optional={"cores": st.integers(1, 5), "cpu_khz": st.integers(100, 350)}))
def test_a_cap_gives_the_nearest_listed_mode_below_it(listed: list[PowerMode], caps: dict[str, int]) -> None:
    space = ListedModes(KNOBS, listed)
    found, wanted = space.at_most(caps), EVERYTHING.at_most(caps)
    below = [mode for mode in listed if all(mode[name] <= wanted[name] for name in mode)]
    assert found in (below or listed)
    assert found == wanted or wanted not in listed
    dominating = [each for each in below if each != found and all(each[name] >= found[name] for name in each)]
    assert not dominating, "a mode that is higher and within the caps"


@given(listings())
def test_the_lowest_mode_is_below_no_other(listed: list[PowerMode]) -> None:
    lowest = ListedModes(KNOBS, listed).lowest
    assert not [mode for mode in listed if mode != lowest and all(mode[name] <= lowest[name] for name in mode)]


def test_all_combinations_in_order_are_the_space_of_all() -> None:
    space = ListedModes(KNOBS, list(EVERYTHING))
    assert (space.lowest, space.highest) == (EVERYTHING.lowest, EVERYTHING.highest)
    np.testing.assert_array_equal(space.array, EVERYTHING.array)


def test_it_survives_being_sent_to_another_process() -> None:
    space = ListedModes(KNOBS, [EVERYTHING.lowest, EVERYTHING.highest])
    assert pickle.loads(pickle.dumps(space)) == space


def test_modes_that_no_board_can_have() -> None:
    for listed in ([], [EVERYTHING.lowest, EVERYTHING.lowest]):
        with pytest.raises(ArgumentError, match="at least one mode, each once"):
            ListedModes(KNOBS, listed)
    with pytest.raises(ModeError, match="cores=3 is not in this board's table"):
        ListedModes(KNOBS, [PowerMode(cores=3, cpu_khz=100, gpu_hz=10)])


def test_rows_of_a_large_board() -> None:
    whole = load_board("orin-agx-64gb").grid("study")
    rows = np.random.default_rng(0).permutation(len(whole))[:500]
    listed = ListedModes(whole.knobs, [whole.mode(int(row)) for row in rows])
    np.testing.assert_array_equal(listed.levels, whole.levels[rows])
    np.testing.assert_array_equal(np.sort(listed.rows_at(whole.levels)), np.arange(500))
    with pytest.raises(ArgumentError, match="from 0 to 499"):
        listed.mode(500)
