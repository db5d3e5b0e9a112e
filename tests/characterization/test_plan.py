"""Which modes a characterization measures."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from fakes import TINY

from lightning_powertrain.boards import ListedModes, load_board
from lightning_powertrain.characterization import CharacterizationPlan
from lightning_powertrain.errors import ArgumentError


def test_all_corners_and_an_even_rest() -> None:
    space = load_board("orin-agx-64gb").modes
    modes = CharacterizationPlan(modes=100).design(space)
    assert len(set(modes)) == 100
    assert modes[0] == space.highest
    corners = set(product(*((knob.values[0], knob.values[-1]) for knob in space.knobs)))
    assert corners <= {tuple(mode.values()) for mode in modes}
    levels = space.levels[space.rows_of(modes)] / (np.array(space.shape) - 1)
    assert np.abs(levels.mean(axis=0) - 0.5).max() < 0.06
    assert np.abs(levels[:50].mean(axis=0) - 0.5).max() < 0.15, "its beginning covers the board, too"


def test_few_modes_are_not_all_corners() -> None:
    space = load_board("orin-agx-64gb").modes
    modes = CharacterizationPlan(modes=12).design(space)
    ends = [{knob.values[0], knob.values[-1]} for knob in space.knobs]
    corners = [mode for mode in modes if all(value in each for value, each in zip(mode.values(), ends))]
    assert 2 <= len(corners) < 9
    assert {space.highest, space.lowest} <= set(modes)


def test_a_small_board_is_measured_as_a_whole() -> None:
    assert set(CharacterizationPlan().design(TINY.modes)) == set(TINY.modes)


def test_modes_that_do_not_exist_are_left_out() -> None:
    listed = [mode for mode in TINY.modes if mode["cores"] > 1 or mode["emc_hz"] < 500_000_000]
    space = ListedModes(TINY.knobs, listed)
    assert set(CharacterizationPlan(modes=20).design(space)) <= set(listed)


def test_the_seed_decides() -> None:
    first, same, other = (CharacterizationPlan(modes=20, seed=seed).design(TINY.modes) for seed in (1, 1, 2))
    assert first == same != other


@pytest.mark.parametrize(("name", "value"), [("modes", 9), ("minutes", 0.0), ("power_limit_w", -1.0)])
def test_wrong_values_are_refused(name: str, value: float) -> None:
    with pytest.raises(ArgumentError, match=name.replace("_w", "")):
        CharacterizationPlan(**{name: value})  # type: ignore[arg-type]
