"""Searches of others: what they may measure, what they keep, and that each one finds a good mode on a smooth board."""

from __future__ import annotations

import sys
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from lightning_powertrain.boards import Knob, PowerMode
from lightning_powertrain.errors import MissingPackageError
from lightning_powertrain.evaluation.bench import run_bench
from lightning_powertrain.evaluation.cases import Case
from lightning_powertrain.evaluation.methods import METHODS
from lightning_powertrain.evaluation.rivals import (
    Attempt,
    MeasuredBoard,
    Rival,
    constrained_bayesian,
    correlation_search,
    hill_climbing,
    slope_search,
)
from lightning_powertrain.evaluation.rivals.coral import distance_correlation
from lightning_powertrain.profiling import Measurement, Profile, Provenance

RIVALS = [hill_climbing, correlation_search, slope_search, constrained_bayesian]
KNOBS = (
    Knob("cores", "cores", (1, 2, 3, 4)),
    Knob("cpu_khz", "cpu", tuple(range(4, 14))),
    Knob("gpu_hz", "gpu", tuple(range(3, 13))),
)


def profile(without: int | None = None) -> Profile:
    """A board on which the GPU matters most, and cores little; one combination may be missing."""
    rows = []
    for cores, cpu, gpu in list(product(*(knob.values for knob in KNOBS))):
        time_ms = 300 / gpu + 80 / cpu + 10 / cores
        power_w = 3 + 0.2 * cores + 0.02 * cpu**2 + 0.1 * gpu**2
        rows.append(Measurement(PowerMode(cores=cores, cpu_khz=cpu, gpu_hz=gpu), time_ms, power_w))
    known = rows if without is None else rows[:without] + rows[without + 1 :]
    return Profile(KNOBS, Provenance("tiny", "smooth", simulated=True), tuple(known))


@pytest.fixture(scope="module")
def board() -> MeasuredBoard:
    return MeasuredBoard(profile())


@pytest.mark.parametrize("rival", RIVALS)
@pytest.mark.parametrize("limit_w", [9.0, 12.0])
def test_each_finds_a_mode_near_the_optimum_within_the_limit(
    rival: Rival, limit_w: float, board: MeasuredBoard
) -> None:
    attempt = Attempt(board, limit_w, most=30, seed=0)
    rival(attempt)
    kept = attempt.kept()
    optimum_ms = board.time_ms[board.power_w <= limit_w].min()
    assert board.power_w[kept] <= limit_w
    assert board.time_ms[kept] <= 1.2 * optimum_ms
    assert kept in attempt.rows


@pytest.mark.parametrize("rival", RIVALS)
@pytest.mark.parametrize("most", [1, 4, 17])
def test_none_measures_more_than_it_may_or_a_mode_twice(rival: Rival, most: int, board: MeasuredBoard) -> None:
    attempt = Attempt(board, 12.0, most, seed=1)
    rival(attempt)
    assert 1 <= len(attempt.rows) <= most
    assert len(set(attempt.rows)) == len(attempt.rows)


@pytest.mark.parametrize("rival", RIVALS)
def test_equal_seeds_give_equal_searches(rival: Rival, board: MeasuredBoard) -> None:
    first, again = (Attempt(board, 9.0, 12, seed=3) for _ in range(2))
    rival(first)
    rival(again)
    assert first.rows == again.rows


@pytest.mark.parametrize("rival", RIVALS)
def test_a_limit_that_no_mode_meets_ends_in_a_mode_of_little_power(rival: Rival, board: MeasuredBoard) -> None:
    attempt = Attempt(board, 1.0, 25, seed=0)
    rival(attempt)
    assert board.power_w[attempt.kept()] < np.quantile(board.power_w, 0.25)


def test_an_attempt_starts_in_the_middle_and_takes_the_nearest_mode_where_one_is_missing() -> None:
    attempt = Attempt(MeasuredBoard(profile(without=144)), 12.0, 5, seed=0)
    assert attempt.levels[attempt.rows[0]].tolist() == [1, 3, 4], "the middle one, [1, 4, 4], is missing"


def test_levels_count_the_values_that_occur() -> None:
    everything = profile()
    some = [row for row in everything.measurements if row.mode["gpu_hz"] % 2]
    attempt = Attempt(MeasuredBoard(replace(everything, measurements=tuple(some))), 12.0, 5, seed=0)
    assert attempt.tops.tolist() == [3, 9, 4]


def test_what_is_above_the_limit_comes_after_all_that_is_not(board: MeasuredBoard) -> None:
    attempt = Attempt(board, 12.0, 3, seed=0)
    lowest, highest = attempt.nearest(np.zeros(3, dtype=np.int64)), attempt.nearest(attempt.tops)
    assert attempt.measure(lowest)
    assert not attempt.measure(highest)
    assert attempt.score(lowest) < attempt.score(highest)
    assert attempt.is_over
    assert highest != attempt.best == attempt.rows[0]


def test_distance_correlation_sees_what_is_not_a_straight_line() -> None:
    values = np.linspace(-1, 1, 41)
    assert distance_correlation(values, values**2) > 0.4
    assert distance_correlation(values, np.random.default_rng(0).normal(size=41)) < 0.4
    assert distance_correlation(values, np.ones(41)) == 0


def test_the_bench_judges_them_as_choices_that_were_measured() -> None:
    case = Case(truth=profile(), measured=profile())
    names = ["hill-climbing", "fulcrum"]
    runs = list(run_bench([case], names, [10, 20], 1, np.array([2.0, 8.0, 12.0])))
    assert [(run.method, run.modes) for run in runs] == [("hill-climbing", 10), ("hill-climbing", 20), ("fulcrum", 15)]
    for run in runs:
        assert run.decisions is None
        assert run.verified is not None
        assert run.verified.decisions.limits_w.tolist() == [8.0, 12.0], "no mode draws as little as 2 W"
        assert run.verified.decisions.largest_excess_w == 0
        assert run.verified.modes <= run.modes
    assert all(METHODS[name].searches for name in (*names, "coral", "bayesian", "search"))
    assert not METHODS["paper"].searches


def test_without_scikit_learn_the_optimisation_is_refused(
    board: MeasuredBoard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    monkeypatch.setitem(sys.modules, "sklearn.gaussian_process", None)
    with pytest.raises(MissingPackageError, match="evaluation"):
        constrained_bayesian(Attempt(board, 12.0, 9, seed=0))
