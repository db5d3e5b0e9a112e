from __future__ import annotations

import sys

import numpy as np
import pytest

from lightning_powertrain.boards import IntArray, load_board
from lightning_powertrain.errors import ArgumentError, MissingPackageError
from lightning_powertrain.evaluation import simulated_profile
from lightning_powertrain.prediction import BasePredictor
from lightning_powertrain.prediction.baselines import GradientBoosting, PaperNetworks, RandomForest
from lightning_powertrain.profiling import Profile

BOARD = load_board("orin-agx-64gb")
REFERENCE = PaperNetworks.load("orin-agx-64gb-resnet18")


@pytest.fixture(scope="module")
def modes() -> IntArray:
    grid = BOARD.grid("study").array
    return grid[np.random.default_rng(1).choice(len(grid), 300, replace=False)]


@pytest.fixture(scope="module")
def truth(modes: IntArray) -> Profile:
    return simulated_profile(BOARD, "yolov8n", modes)


def errors(predictor: BasePredictor, truth: Profile, count: int = 40) -> tuple[float, float]:
    predictor.fit(Profile(truth.knobs, truth.provenance, truth.measurements[:count]))
    prediction = predictor.predict(truth.modes[count:])
    time, power = prediction.time_ms / truth.time_ms[count:], prediction.power_w / truth.power_w[count:]
    return float(np.abs(time - 1).mean()), float(np.abs(power - 1).mean())


def test_a_reference_helps_and_both_beat_the_median(truth: Profile) -> None:
    alone, helped = errors(GradientBoosting(None), truth), errors(GradientBoosting(REFERENCE), truth)
    naive = float(np.abs(np.median(truth.time_ms) / truth.time_ms - 1).mean())
    assert helped[0] < alone[0] < naive / 2
    assert helped[1] < 0.12


def test_fits_repeat(truth: Profile, modes: IntArray) -> None:
    one, other = GradientBoosting(None, 3), GradientBoosting(None, 3)
    for each in (one, other):
        each.fit(truth)
    assert np.array_equal(one.predict(modes).time_ms, other.predict(modes).time_ms)


def test_a_reference_of_other_knobs_is_left_alone(truth: Profile) -> None:
    columns = [0, 1, 2]
    knobs = tuple(truth.knobs[column] for column in columns)
    few = Profile(knobs, truth.provenance, truth.measurements[:40])
    with_it, without = GradientBoosting(REFERENCE), GradientBoosting(None)
    for each in (with_it, without):
        each.fit(few)
    asked = truth.modes[:, columns]
    assert np.array_equal(with_it.predict(asked).power_w, without.predict(asked).power_w)
    assert with_it.reference_time_ms(asked) is None


def test_reference_gives_times_before_any_measurement(modes: IntArray) -> None:
    expected = GradientBoosting(REFERENCE).reference_time_ms(modes)
    assert expected is not None
    assert np.array_equal(expected, REFERENCE.predict(modes).time_ms)


def test_misuse_is_named(truth: Profile) -> None:
    few = Profile(truth.knobs, truth.provenance, truth.measurements[:4])
    with pytest.raises(ArgumentError, match="at least 5 modes"):
        GradientBoosting(None).fit(few)
    with pytest.raises(ArgumentError, match="before fit"):
        GradientBoosting(None).predict(truth.modes)


def test_without_scikit_learn_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.ensemble", None)
    with pytest.raises(MissingPackageError, match=r"pip install 'lightning-powertrain\[evaluation\]'"):
        GradientBoosting(None)


def test_a_forest_beats_the_median_and_a_reference_helps_it(truth: Profile) -> None:
    alone, helped = errors(RandomForest(None), truth), errors(RandomForest(REFERENCE), truth)
    naive = float(np.abs(np.median(truth.time_ms) / truth.time_ms - 1).mean())
    assert helped[0] < alone[0] < naive / 1.5
    assert errors(RandomForest(None), truth) == alone, "equal seeds"
