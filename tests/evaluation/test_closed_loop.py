"""Searches on a profile of all modes, against trying all of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fakes import TINY, Oracle, true_power_w, true_time_ms
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_powertrain.boards import IntArray, PowerMode
from lightning_powertrain.errors import BudgetError
from lightning_powertrain.evaluation.closed_loop import ClosedLoop, Kind
from lightning_powertrain.prediction import Prediction
from lightning_powertrain.profiling import Measurement, Profile, Provenance
from lightning_powertrain.selection import PowerBudget, select_measured

MAX_VERIFICATIONS = 5


class Sure(Oracle):
    """Knows everything, gives narrow intervals, and counts how often it learns; may take power for less than it is."""

    def __init__(self, optimism: float = 1.0) -> None:
        self.fits: list[int] = []
        self._optimism = optimism

    def fit(self, profile: Profile) -> None:
        self.fits.append(len(profile))

    def predict(self, modes: IntArray) -> Prediction:
        times, powers = true_time_ms(modes), true_power_w(modes) * self._optimism
        edges = (times * 0.999, times * 1.001, powers * 0.999, powers * 1.001)
        return Prediction(times, powers, 0.0, 0.0, *edges)


def tiny(left_out: frozenset[int] = frozenset()) -> Profile:
    """The tiny board, all measured, without some of its modes."""
    modes = TINY.modes.array
    rows = zip(range(len(modes)), true_time_ms(modes).tolist(), true_power_w(modes).tolist())
    measurements = tuple(Measurement(TINY.modes.mode(row), *pair) for row, *pair in rows if row not in left_out)
    return Profile(TINY.knobs, Provenance("tiny", "toy", True), measurements)


def best_row(profile: Profile, limit_w: float) -> int:
    best = select_measured(PowerBudget(limit_w), profile, profile.measurements[0])
    return [each.mode for each in profile.measurements].index(best.mode)


holes = st.frozensets(st.integers(0, len(TINY.modes) - 1), max_size=25)
limits = st.floats(6.5, 20.0)


@settings(deadline=None)
@given(holes, limits, st.sampled_from(["search", "auto", "hard"]), st.integers(0, 5))
def test_searches_find_the_best_of_the_modes_that_there_are(
    left_out: frozenset[int], limit_w: float, kind: Kind, seed: int
) -> None:
    profile = tiny(left_out)
    loop = ClosedLoop(profile, Sure(), seed)
    if kind == "hard" and profile.power_w[loop.first_row(kind)] > limit_w:
        with pytest.raises(BudgetError, match="even the lowest"):
            loop.search(kind, PowerBudget(limit_w), 6)
        return
    most = 6 if kind == "search" else 50
    found = loop.search(kind, PowerBudget(limit_w), most)
    assert len(found.measured) <= 1 + most + MAX_VERIFICATIONS
    assert len(set(found.measured[1:])) == len(found.measured[1:]), "only where the job started may come again"
    assert found.row in found.measured
    if kind != "hard":  # That one does not leap over holes.
        assert profile.time_ms[found.row] <= profile.time_ms[best_row(profile, limit_w)] * 1.011


def test_a_hard_limit_is_kept_on_the_way() -> None:
    profile = tiny()
    found = ClosedLoop(profile, Sure()).search("hard", PowerBudget(12.0))
    assert profile.power_w[list(found.measured)].max() <= 12.0
    assert found.measured[0] == 0, "it starts in the lowest mode"
    assert profile.time_ms[found.row] <= profile.time_ms[best_row(profile, 12.0)] * 1.1


@settings(deadline=None)
@given(st.permutations(range(len(TINY.modes))), st.integers(3, 20), limits)
def test_verifying_a_sample_adds_verifications_alone(rows: list[int], count: int, limit_w: float) -> None:
    profile, sample = tiny(), rows[:count]
    found = ClosedLoop(profile, Sure()).verify(sample, PowerBudget(limit_w))
    assert list(found.measured[:count]) == sample
    assert len(set(found.measured)) == len(found.measured) <= count + MAX_VERIFICATIONS
    assert profile.time_ms[found.row] <= profile.time_ms[best_row(profile, limit_w)] * 1.011


def test_a_wrong_prediction_does_not_break_the_limit() -> None:
    profile = tiny()
    found = ClosedLoop(profile, Sure(optimism=0.6)).verify([0, 1, 2], PowerBudget(12.0))
    assert profile.power_w[list(found.measured)].max() > 12.0, "something above was tried"
    known = replace(profile, measurements=tuple(profile.measurements[row] for row in found.measured))
    assert found.measured[best_row(known, 12.0)] == found.row
    assert profile.power_w[found.row] <= 12.0


def test_searches_share_fits_but_not_what_they_measured() -> None:
    predictor = Sure()
    loop = ClosedLoop(tiny(), predictor)
    sample = [0, 1, 2, 3]
    first = loop.verify(sample, PowerBudget(10.0))
    fits = list(predictor.fits)
    assert loop.verify(sample, PowerBudget(10.0)) == first
    assert predictor.fits == fits, "nothing is fitted twice"
    other = loop.verify(sample, PowerBudget(16.0))
    assert other.measured[len(sample)] != first.measured[len(sample)]
    assert predictor.fits.count(len(sample)) == 1
    assert predictor.fits.count(len(sample) + 1) == 2


def test_modes_need_no_order() -> None:
    profile = tiny()
    rows = np.random.default_rng(0).permutation(len(profile))
    shuffled = replace(profile, measurements=tuple(profile.measurements[row] for row in rows))
    for kind in ("search", "hard"):
        found, other = (ClosedLoop(each, Sure()).search(kind, PowerBudget(13.0), 12) for each in (profile, shuffled))
        kept: list[PowerMode] = [profile.measurements[found.row].mode, shuffled.measurements[other.row].mode]
        assert np.ptp(true_time_ms(TINY.modes.rows(kept))) <= 0.02 * profile.time_ms[found.row]
