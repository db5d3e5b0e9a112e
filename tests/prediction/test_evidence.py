"""What free signals of a window tell the default predictor."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Callable, List

import numpy as np
import pytest

from lightning_powertrain.evaluation.ground_truth import simulated_profile
from lightning_powertrain.prediction import GreyBoxTransfer, Prediction
from lightning_powertrain.prediction.evidence import Evidence, conditioned, fed_by
from lightning_powertrain.prediction.map_fit import FloatArray, Prior
from lightning_powertrain.profiling import Profile, Signals, latin_hypercube_rows
from lightning_powertrain.simulation import simulated_board

Shown = Callable[[Signals], Signals]
Wrong = Callable[[Profile], List[Signals]]
_FOREIGN = "foreign-31"


@lru_cache(maxsize=None)
def measured(count: int, workload: str) -> Profile:
    """Modes of a foreign board as measured, with their signals."""
    modes = simulated_board(_FOREIGN).grid("study").array
    rows = latin_hypercube_rows(modes, count, 0)
    return simulated_profile(_FOREIGN, workload, modes[rows], seed=3, with_signals=True)


@lru_cache(maxsize=None)
def truth_of(workload: str) -> Profile:
    return simulated_profile(_FOREIGN, workload, simulated_board(_FOREIGN).grid("study").array)


def profile_of(count: int, shown: Shown, workload: str = "mobilenetv3") -> Profile:
    """Modes of a foreign board as measured, with what is shown of their signals."""
    profile = measured(count, workload)
    measurements = (replace(each, signals=shown(each.signals)) for each in profile.measurements)
    return replace(profile, measurements=tuple(measurements))


def predicted(profile: Profile) -> Prediction:
    predictor = GreyBoxTransfer()
    predictor.fit(profile)
    return predictor.predict(simulated_board(_FOREIGN).grid("study").array)


def errors_of(prediction: Prediction, workload: str) -> FloatArray:
    truth = truth_of(workload)
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


@lru_cache(maxsize=None)
def predicted_without(count: int, workload: str = "mobilenetv3") -> Prediction:
    """What is predicted where no signal is shown."""
    return predicted(profile_of(count, nothing, workload))


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
        pytest.param(lambda each: Signals(gpu_load=float((each.gpu_load or 0.0) > 0.5)), id="load of all or nothing"),
        pytest.param(lambda each: Signals(rails_w={"VDD_IN": each.rails_w["VDD_CPU"]}), id="a rail of all"),
    ],
)
def test_counters_that_say_nothing_change_nothing(shown: Shown) -> None:
    plain, stuck = predicted_without(8), predicted(profile_of(8, shown))
    np.testing.assert_array_equal(plain.time_ms, stuck.time_ms)
    np.testing.assert_array_equal(plain.power_high_w, stuck.power_high_w)


def test_signals_of_some_modes_are_enough_for_stages_but_a_rail_has_to_be_seen_in_all() -> None:
    profile, plain = profile_of(8, everything), predicted_without(8)
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
    plain_time, plain_power = errors_of(predicted_without(10), "mobilenetv3")
    assert time < 2 * plain_time
    assert power < 2 * plain_power


def random(profile: Profile) -> list[Signals]:
    rng = np.random.default_rng(0)
    return [
        Signals(
            rails_w={name: float(30 * rng.random()) for name in each.signals.rails_w},
            gpu_load=float(rng.random()),
            children_ms=float(4 * each.time_ms * rng.random()),
        )
        for each in profile.measurements
    ]


def random_in_half_of_the_modes(profile: Profile) -> list[Signals]:
    pairs = zip(random(profile), profile.measurements)
    return [wrong if row % 2 else each.signals for row, (wrong, each) in enumerate(pairs)]


def nearly_constant(profile: Profile) -> list[Signals]:
    noise = 1 + 0.01 * np.random.default_rng(0).random(len(profile))
    first = profile.measurements[0].signals
    rails = dict.fromkeys(first.rails_w, 5.0)
    return [
        Signals({name: watts * each for name, watts in rails.items()}, {}, gpu_load=0.97 * each, children_ms=100 * each)
        for each in noise.tolist()
    ]


def of_another_mode(profile: Profile) -> list[Signals]:
    signals = [each.signals for each in profile.measurements]
    return [*signals[4:], *signals[:4]]


def falling_where_they_rise(profile: Profile) -> list[Signals]:
    return [
        Signals(
            rails_w={name: 20 / watts for name, watts in each.signals.rails_w.items()},
            gpu_load=max(0.1, 1.1 - (each.signals.gpu_load or 0.0)),
            children_ms=1e4 / (each.signals.children_ms or 1.0),
        )
        for each in profile.measurements
    ]


def rails_swapped(profile: Profile) -> list[Signals]:
    rows = (each.signals for each in profile.measurements)
    rails = ("VDD_CPU", "VDD_GPU_SOC")
    return [Signals(rails_w=dict(zip(rails, [each.rails_w[name] for name in rails[::-1]]))) for each in rows]


def a_rail_three_times_as_high(profile: Profile) -> list[Signals]:
    rows = (each.signals.rails_w for each in profile.measurements)
    return [Signals(rails_w={"VDD_CPU": row["VDD_CPU"], "VDD_GPU_SOC": 3 * row["VDD_GPU_SOC"]}) for row in rows]


@pytest.mark.parametrize("count", [8, 19])
@pytest.mark.parametrize(
    "shown",
    [
        random,
        random_in_half_of_the_modes,
        nearly_constant,
        of_another_mode,
        falling_where_they_rise,
        rails_swapped,
        a_rail_three_times_as_high,
    ],
)
def test_counters_that_show_something_else_do_no_harm(shown: Wrong, count: int) -> None:
    errors, plain = [], []
    for workload in ("mobilenetv3", "bert-base", "lstm"):
        profile = profile_of(count, everything, workload)
        rows = (replace(each, signals=wrong) for each, wrong in zip(profile.measurements, shown(profile)))
        errors.append(errors_of(predicted(replace(profile, measurements=tuple(rows))), workload))
        plain.append(errors_of(predicted_without(count, workload), workload))
    assert (np.mean(errors, axis=0) < 1.15 * np.mean(plain, axis=0) + 0.001).all(), (errors, plain)


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
        np.array([0, 0]),
        Prior(np.zeros(1), np.array([0.1]), np.ones(1, dtype=np.bool_)),
    )
    # Where both signals lie on the line, each has its full weight.
    mean, root = conditioned(prior, evidence, np.array([0.95, 0.1, 0.0]), evidence.scatter)
    draws = prior.draws(400_000, np.random.default_rng(0))
    z = (evidence.log_signals - draws @ slopes.T) / evidence.scatter
    weights = np.exp(-0.5 * (z**2).sum(axis=1))
    expected = np.average(draws[:, :2], axis=0, weights=weights)
    np.testing.assert_allclose(mean, expected, atol=0.01)
    np.testing.assert_allclose(root @ root.T, np.cov(draws[:, :2].T, aweights=weights), atol=0.01)
