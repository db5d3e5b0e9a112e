from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lightning_powertrain.boards import IntArray, Knob, ModeSpace, PowerMode
from lightning_powertrain.evaluation.verification import MOST_TRIALS, verified_choices
from lightning_powertrain.prediction import Prediction
from lightning_powertrain.profiling import Measurement, Profile, Provenance
from lightning_powertrain.selection import LeastEnergy, Objective, PowerBudget, select, select_measured

FloatArray = npt.NDArray[np.float64]
COUNT = 12
KNOB = Knob("gpu_hz", "gpu", tuple(range(COUNT)))


class Biased:
    """Predicts what is measured, but off by a factor in time and power that each fitted mode makes smaller."""

    minimum_modes = 1

    def __init__(self, measured: Profile, time_factor: FloatArray, power_factor: FloatArray) -> None:
        self._measured = measured
        self._factors = (time_factor, power_factor)
        self.fits: list[tuple[int, ...]] = []

    def fit(self, profile: Profile) -> None:
        self.fits.append(tuple(profile.modes[:, 0].tolist()))

    def prior_time_ms(self, modes: IntArray) -> FloatArray | None:
        return None

    def predict(self, modes: IntArray) -> Prediction:
        share = 1 / len(self.fits[-1])
        time_factor, power_factor = (factor**share for factor in self._factors)
        return Prediction(self._measured.time_ms * time_factor, self._measured.power_w * power_factor)


def profile(time_ms: FloatArray, power_w: FloatArray) -> Profile:
    rows = (
        Measurement(PowerMode(gpu_hz=row), *pair) for row, pair in enumerate(zip(time_ms.tolist(), power_w.tolist()))
    )
    return Profile((KNOB,), Provenance("toy", "law", True), tuple(rows))


def settle_as_a_job(
    measured: Profile, predictor: Biased, rows: IntArray, objective: Objective
) -> tuple[int, list[int]]:
    """The same in the words of the engine: its own choice among predicted and among measured modes."""
    space, known, tried = ModeSpace((KNOB,)), [int(row) for row in rows], list[int]()
    while True:
        sample = Profile(measured.knobs, measured.provenance, tuple(measured.measurements[row] for row in known))
        predictor.fit(sample)
        chosen = select(objective, space, predictor.predict(space.array), sample, sample.measurements[0])
        best = select_measured(objective, sample, sample.measurements[0])
        promising = chosen.excess < best.excess or chosen.cost < 0.99 * best.cost
        if chosen.measured is not None or not promising or len(tried) == 5:
            return best.mode["gpu_hz"], tried
        known.append(chosen.mode["gpu_hz"])
        tried.append(chosen.mode["gpu_hz"])


# Distinct values, as equal modes may stand for each other.
costs = st.permutations(range(1, COUNT + 1)).map(lambda values: 5.0 + 2.0 * np.array(values, dtype=np.float64))
factors = st.lists(st.floats(0.5, 2.0), min_size=COUNT, max_size=COUNT).map(np.array)


@settings(deadline=None)
@given(costs, costs, factors, factors, st.sets(st.integers(0, COUNT - 1), min_size=1, max_size=5), st.integers(1, 40))
def test_choices_are_those_of_the_engine(
    time_ms: FloatArray, power_w: FloatArray, slow: FloatArray, hungry: FloatArray, sample: set[int], limit: int
) -> None:
    measured, rows = profile(time_ms, power_w), np.array(sorted(sample))
    for objective in (PowerBudget(float(limit)), LeastEnergy()):
        (choice,) = verified_choices(measured, Biased(measured, slow, hungry), rows, [objective])
        expected = settle_as_a_job(measured, Biased(measured, slow, hungry), rows, objective)
        assert (choice.row, list(choice.tried)) == expected
        assert len(choice.tried) <= MOST_TRIALS
        assert choice.row in {*sample, *choice.tried}


@pytest.fixture
def ladder() -> Profile:
    """Each mode is faster and draws more than the one before it."""
    return profile(np.linspace(100, 10, COUNT), np.linspace(10, 32, COUNT))


def exact(measured: Profile) -> Biased:
    return Biased(measured, np.ones(COUNT), np.ones(COUNT))


def test_a_right_prediction_is_measured_once_and_kept(ladder: Profile) -> None:
    (choice,) = verified_choices(ladder, exact(ladder), np.array([0]), [PowerBudget(20.0)])
    assert (choice.row, choice.tried) == (5, (5,))


def test_a_wrong_prediction_does_not_break_the_limit(ladder: Profile) -> None:
    optimist = Biased(ladder, np.ones(COUNT), np.full(COUNT, 0.5))
    (choice,) = verified_choices(ladder, optimist, np.array([0]), [PowerBudget(20.0)])
    assert ladder.power_w[choice.row] <= 20.0
    assert choice.tried[0] == COUNT - 1, "half of 32 W seems to be within the limit"


def test_without_trials_the_best_of_the_sample_is_kept(ladder: Profile) -> None:
    predictor = exact(ladder)
    (choice,) = verified_choices(ladder, predictor, np.array([0, 3]), [PowerBudget(20.0)], most_trials=0)
    assert (choice.row, choice.tried, predictor.fits) == (3, (), [])


def test_objectives_share_fits_but_not_what_they_tried(ladder: Profile) -> None:
    predictor = exact(ladder)
    choices = list(
        verified_choices(ladder, predictor, np.array([0]), [PowerBudget(20.0), PowerBudget(20.5), PowerBudget(30)])
    )
    assert [choice.tried for choice in choices] == [(5,), (5,), (10,)]
    assert predictor.fits == [(0,), (0, 5), (0, 10)]
