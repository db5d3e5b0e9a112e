"""What free signals of a window tell the default predictor."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable

import numpy as np
import pytest

from lightning_powertrain.evaluation.ground_truth import simulated_profile
from lightning_powertrain.prediction import GreyBoxTransfer, Prediction
from lightning_powertrain.prediction.evidence import Evidence, conditioned, fed_by
from lightning_powertrain.prediction.map_fit import FloatArray, Prior
from lightning_powertrain.profiling import Profile, Signals, latin_hypercube_rows
from lightning_powertrain.simulation import simulated_board

Shown = Callable[[Signals], Signals]
_FOREIGN = "foreign-31"


def profile_of(count: int, shown: Shown, workload: str = "mobilenetv3") -> Profile:
    """Modes of a foreign board as measured, with what is shown of their signals."""
    modes = simulated_board(_FOREIGN).grid("study").array
    rows = latin_hypercube_rows(modes, count, 0)
    profile = simulated_profile(_FOREIGN, workload, modes[rows], seed=3, with_signals=True)
    measurements = (replace(each, signals=shown(each.signals)) for each in profile.measurements)
    return replace(profile, measurements=tuple(measurements))


def predicted(profile: Profile) -> Prediction:
    predictor = GreyBoxTransfer()
    predictor.fit(profile)
    return predictor.predict(simulated_board(_FOREIGN).grid("study").array)


def errors_of(prediction: Prediction, workload: str) -> FloatArray:
    truth = simulated_profile(_FOREIGN, workload, simulated_board(_FOREIGN).grid("study").array)
    return np.array(
        [
            np.abs(prediction.time_ms / truth.time_ms - 1).mean(),
            np.abs(prediction.power_w / truth.power_w - 1).mean(),
        ]
    )


def everything(signals: Signals) -> Signals:
    return signals


def nothing(signals: Signals) -> Signals:
    return Signals()


def test_a_few_modes_with_signals_predict_better_than_the_same_modes_without() -> None:
    workloads = "mobilenetv3", "bert-base", "lstm", "yolov8n"
    errors = {
        shown: np.mean([errors_of(predicted(profile_of(5, shown, each)), each) for each in workloads], axis=0)
        for shown in (everything, nothing)
    }
    assert (errors[everything] < errors[nothing]).all(), errors


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(lambda each: replace(each, rails_w={}, children_ms=None, gpu_load=1.0), id="load"),
        pytest.param(lambda each: Signals(rails_w=dict.fromkeys(each.rails_w, 4.0)), id="rails"),
        pytest.param(lambda each: Signals(rails_w=dict.fromkeys(each.rails_w, 0.0)), id="rails at zero"),
        pytest.param(lambda each: Signals(children_ms=0.0, gpu_load=0.0), id="zero"),
        pytest.param(lambda each: Signals(rails_w={"VDD_IN": each.rails_w["VDD_CPU"]}), id="a rail of all"),
    ],
)
def test_counters_that_say_nothing_change_nothing(shown: Shown) -> None:
    plain, stuck = predicted(profile_of(8, nothing)), predicted(profile_of(8, shown))
    np.testing.assert_array_equal(plain.time_ms, stuck.time_ms)
    np.testing.assert_array_equal(plain.power_high_w, stuck.power_high_w)


def test_signals_of_some_modes_are_enough_for_stages_but_a_rail_has_to_be_seen_in_all() -> None:
    profile, plain = profile_of(8, everything), predicted(profile_of(8, nothing))
    first, *others = profile.measurements
    without = replace(first, signals=Signals())
    of_loads = predicted(replace(profile, measurements=(without, *others)))
    assert (of_loads.time_ms != plain.time_ms).any()
    rails = tuple(replace(each, signals=Signals(rails_w=each.signals.rails_w)) for each in others)
    of_rails = predicted(replace(profile, measurements=(without, *rails)))
    np.testing.assert_array_equal(of_rails.power_w, plain.power_w)


def test_one_wild_reading_does_not_bend_the_prediction() -> None:
    profile = profile_of(10, everything)
    wild = replace(profile.measurements[4].signals, gpu_load=0.06, children_ms=9e5)
    rows = list(profile.measurements)
    rows[4] = replace(rows[4], signals=wild)
    time, power = errors_of(predicted(replace(profile, measurements=tuple(rows))), "mobilenetv3")
    plain_time, plain_power = errors_of(predicted(profile_of(10, nothing)), "mobilenetv3")
    assert time < 2 * plain_time
    assert power < 2 * plain_power


@pytest.mark.parametrize(
    ("rail", "domains"),
    [
        ("VDD_GPU_SOC", ("gpu",)),
        ("VDD_CPU_CV", ("cpu",)),
        ("VDD_CPU_GPU_CV", ("cpu", "gpu")),
        ("VDD_CPU_SOC_MSS", ("cpu",)),
        ("POM_5V_GPU", ("gpu",)),
        ("GPU", ("gpu",)),
        ("VDD_IN", ()),
        ("VIN_SYS_5V0", ()),
        ("VDDQ_VDD2_1V8AO", ()),
        ("CV", ()),
    ],
)
def test_rails_are_known_by_their_names(rail: str, domains: tuple[str, ...]) -> None:
    assert fed_by(rail) == domains


def test_conditioning_a_straight_line_is_exact() -> None:
    # An independent answer: of many draws from the prior, those with such signals, weighted by their likelihood.
    slopes = np.array([[1.0, 0.5, 1.0], [0.0, 1.0, 0.0]])
    prior = Prior(np.array([0.3, -0.2, 0.0]), np.array([0.8, 0.5, 0.1]), np.ones(3, dtype=np.bool_))
    evidence = Evidence(
        lambda parameters: np.concatenate([parameters[..., :1], parameters @ slopes.T], axis=-1),
        np.array([1.0, 0.1]),
        np.array([0.3, 0.4]),
        Prior(np.zeros(1), np.array([0.1]), np.ones(1, dtype=np.bool_)),
    )
    # Where both signals lie on the line, each has its full weight.
    mean, root = conditioned(prior, evidence, np.array([0.95, 0.1, 0.0]))
    draws = prior.draws(400_000, np.random.default_rng(0))
    z = (evidence.log_signals - draws @ slopes.T) / evidence.scatter
    weights = np.exp(-0.5 * (z**2).sum(axis=1))
    expected = np.average(draws[:, :2], axis=0, weights=weights)
    np.testing.assert_allclose(mean, expected, atol=0.01)
    np.testing.assert_allclose(root @ root.T, np.cov(draws[:, :2].T, aweights=weights), atol=0.01)
