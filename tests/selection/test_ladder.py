"""The best way to do a whole job, against trying all pairs of modes."""

from __future__ import annotations

from typing import List, Tuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.selection.ladder import Ladder, Limited, Step, best_mixture

Modes = List[Tuple[float, float]]

some_modes = st.lists(st.tuples(st.floats(10.0, 1000.0), st.floats(5.0, 60.0)), min_size=1, max_size=12)


def ladder_of(modes: Modes) -> Ladder:
    return Ladder.of(Step(PowerMode(gpu_hz=row), time, time * power) for row, (time, power) in enumerate(modes))


def least_of_all_pairs(limited: np.ndarray, other: np.ndarray, limit: float) -> float:
    """The least mean of one cost of any mixture of two modes whose mean of the other is within a limit."""
    best = np.inf
    for a in range(len(limited)):
        for b in range(len(limited)):
            if limited[a] > limit:
                continue
            far = limited[b] > limit
            share = (limit - limited[a]) / (limited[b] - limited[a]) if far else 1.0
            best = min(best, (1 - share) * other[a] + share * other[b])
    return float(best)


@given(some_modes, st.sampled_from(["time", "energy"]), st.floats(0.5, 1.5), st.integers(1, 10_000))
def test_no_mixture_of_any_two_modes_is_better(modes: Modes, limited: Limited, share: float, count: int) -> None:
    times, energies = np.array(modes)[:, 0], np.array(modes).prod(axis=1)
    costs, others = (times, energies) if limited == "time" else (energies, times)
    limit = share * float(np.median(costs))
    mixture = best_mixture(ladder_of(modes), limited, limit * count / 1e3, count)
    spent, found = (mixture.seconds, mixture.joules) if limited == "time" else (mixture.joules, mixture.seconds)
    if limit < costs.min():
        assert spent * 1e3 / count == pytest.approx(costs.min())
        assert mixture.then is None
    else:
        assert spent * 1e3 / count <= limit * (1 + 1e-9)
        assert found * 1e3 / count == pytest.approx(least_of_all_pairs(costs, others, limit))


@given(some_modes)
def test_steps_take_longer_and_less_energy_one_after_the_other(modes: Modes) -> None:
    steps = ladder_of(modes).steps
    assert steps[0].time_ms == min(time for time, _ in modes)
    assert steps[-1].energy_mj == min(time * power for time, power in modes)
    for before, after in zip(steps, steps[1:]):
        assert before.time_ms < after.time_ms
        assert before.energy_mj > after.energy_mj


@given(some_modes, st.sampled_from(["time", "energy"]), st.floats(0.5, 1.5), st.floats(0.0, 0.1))
def test_a_step_within_a_limit_keeps_it_by_the_margin(
    modes: Modes, limited: Limited, share: float, margin: float
) -> None:
    ladder = ladder_of(modes)
    limit = share * ladder.steps[len(ladder.steps) // 2].cost(limited)
    step = ladder.within(limited, limit, margin)
    if min(each.cost(limited) for each in ladder.steps) * (1 + margin) <= limit:
        assert step.cost(limited) * (1 + margin) <= limit
        following = ladder.after(limited, step)
        assert following is None or following.cost(limited) * (1 + margin) > limit
    else:
        assert step.cost(limited) == min(each.cost(limited) for each in ladder.steps)
