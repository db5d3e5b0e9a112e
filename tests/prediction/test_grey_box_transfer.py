"""The whole predictor, on simulated workloads and on laws whose answer is known."""

from __future__ import annotations

import logging
import random

import numpy as np
import pytest
import torch

from lightning_powertrain.boards import Board, Knob, ModeSpace, PowerMode, load_board
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.evaluation import simulated_profile
from lightning_powertrain.prediction import GreyBoxTransfer, Prediction
from lightning_powertrain.profiling import Measurement, Profile, Provenance, latin_hypercube

ORIN = load_board("orin-agx-64gb")
ALL = ORIN.grid("study").array[::7]


def profile_of(board: Board, workload: str, count: int, seed: int = 0) -> Profile:
    return simulated_profile(board, workload, board.modes.rows(latin_hypercube(board.modes, count, seed)), seed)


@pytest.fixture(scope="module")
def reference() -> Profile:
    return profile_of(ORIN, "resnet18", 100)


def without_power(profile: Profile) -> Profile:
    rows = (
        Measurement(row.mode, row.time_ms, float("nan") if index % 3 == 0 else row.power_w)
        for index, row in enumerate(profile.measurements)
    )
    return Profile(profile.knobs, profile.provenance, tuple(rows))


def predict(predictor: GreyBoxTransfer, profile: Profile) -> Prediction:
    predictor.fit(profile)
    return predictor.predict(ALL)


@pytest.mark.parametrize("workload", ["mobilenetv3", "bert-base"])
def test_few_modes_suffice_and_intervals_hold(reference: Profile, workload: str) -> None:
    truth = simulated_profile(ORIN, workload, ALL)
    prediction = predict(GreyBoxTransfer(reference), profile_of(ORIN, workload, 30))
    assert np.mean(np.abs(prediction.time_ms / truth.time_ms - 1)) < 0.06
    assert np.mean(np.abs(prediction.power_w / truth.power_w - 1)) < 0.035
    assert prediction.time_low_ms is not None and prediction.time_high_ms is not None  # noqa: PT018
    held = (prediction.time_low_ms <= truth.time_ms) & (truth.time_ms <= prediction.time_high_ms)
    assert held.mean() > 0.75
    assert np.median(prediction.time_high_ms / prediction.time_low_ms) < 1.2
    assert 0 < prediction.time_error < 0.2
    assert 0 < prediction.power_error < 0.1


def test_power_intervals_know_that_activity_is_uncertain(reference: Profile) -> None:
    """BERT where slow CPUs starve a fast GPU: a few times alone do not show whether the GPU waits."""
    modes = ORIN.modes.array
    starved = modes[(modes[:, 1] <= 268800) & (modes[:, 2] >= 1134750000)]
    truth = simulated_profile(ORIN, "bert-base", starved).power_w
    held = []
    for seed in range(3):
        predictor = GreyBoxTransfer(reference, seed)
        predictor.fit(profile_of(ORIN, "bert-base", 20, seed))
        prediction = predictor.predict(starved)
        assert prediction.power_low_w is not None and prediction.power_high_w is not None  # noqa: PT018
        held.append(np.mean((prediction.power_low_w <= truth) & (truth <= prediction.power_high_w)))
    assert np.mean(held) > 0.75


def test_reference_helps(reference: Profile) -> None:
    truth = simulated_profile(ORIN, "yolov8n", ALL)
    few = [profile_of(ORIN, "yolov8n", 8, seed) for seed in range(3)]

    def error(predictor: GreyBoxTransfer) -> float:
        return float(np.mean([np.abs(predict(predictor, profile).power_w / truth.power_w - 1) for profile in few]))

    assert error(GreyBoxTransfer(reference)) < 0.7 * error(GreyBoxTransfer())


def test_reference_of_another_board_with_the_same_roles_is_used(reference: Profile) -> None:
    xavier = load_board("agx-xavier")
    predictor = GreyBoxTransfer(reference)
    predictor.fit(profile_of(xavier, "resnet18", 20))
    truth = simulated_profile(xavier, "resnet18", xavier.modes.array[::17])
    prediction = predictor.predict(truth.modes)
    assert np.mean(np.abs(prediction.time_ms / truth.time_ms - 1)) < 0.15


def test_time_alone_is_predicted_where_power_was_not_measured(reference: Profile) -> None:
    profile = profile_of(ORIN, "mobilenetv3", 20)
    blind, seeing = (
        predict(GreyBoxTransfer(reference), without_power(profile)),
        predict(GreyBoxTransfer(reference), profile),
    )
    np.testing.assert_array_equal(blind.time_ms, seeing.time_ms)
    assert np.isnan(blind.power_w).all()
    assert np.isnan(blind.power_error)
    assert np.isfinite(seeing.power_w).all()


def test_unknown_knobs_are_learnt_as_powers() -> None:
    knobs = (Knob("fan_level", "other", (1, 2, 4, 8)), Knob("power_limit_w", "other", (100, 150, 200, 250)))
    space = ModeSpace(knobs)

    def measure(mode: PowerMode) -> Measurement:
        return Measurement(mode, 50 * (mode["power_limit_w"] / 250) ** -0.6, 0.9 * mode["power_limit_w"])

    modes = [space.mode(index) for index in (0, 3, 6, 9, 12, 15)]
    predictor = GreyBoxTransfer()
    predictor.fit(Profile(knobs, Provenance("bench", "law", True), tuple(measure(mode) for mode in modes)))
    truth = [measure(space.mode(index)) for index in range(len(space))]
    prediction = predictor.predict(space.array)
    np.testing.assert_allclose(prediction.time_ms, [row.time_ms for row in truth], rtol=0.05)
    np.testing.assert_allclose(prediction.power_w, [row.power_w for row in truth], rtol=0.05)


def test_reference_with_other_knobs_is_left_out_and_said_once(
    reference: Profile, caplog: pytest.LogCaptureFixture
) -> None:
    knobs = (Knob("gpu_hz", "gpu", (100, 200, 400)),)
    rows = [Measurement(PowerMode(gpu_hz=hz), 4000 / hz, 5 + hz / 100) for hz in (100, 200, 400, 100, 200)]
    profile = Profile(knobs, Provenance("toy", "law", True), tuple(rows))
    predictor = GreyBoxTransfer(reference)
    with caplog.at_level(logging.WARNING, "lightning_powertrain"):
        predictor.fit(profile)
        predictor.fit(profile)
    assert len(caplog.records) == 1
    assert "gpu" in caplog.text
    alone = GreyBoxTransfer()
    alone.fit(profile)
    modes = np.array([[100], [400]])
    np.testing.assert_array_equal(predictor.predict(modes).time_ms, alone.predict(modes).time_ms)
    assert predictor.reference_time_ms(modes) is None


def test_prior_follows_the_reference(reference: Profile) -> None:
    prior = GreyBoxTransfer(reference).reference_time_ms(ALL)
    truth = simulated_profile(ORIN, "resnet18", ALL).time_ms
    assert prior is not None
    assert np.mean(np.abs(prior / truth - 1)) < 0.06
    assert GreyBoxTransfer().reference_time_ms(ALL) is None


def test_same_seed_same_prediction_and_a_refit_forgets(reference: Profile) -> None:
    profile, other = profile_of(ORIN, "lstm", 12), profile_of(ORIN, "bert-base", 12)
    fresh, used = GreyBoxTransfer(reference, seed=3), GreyBoxTransfer(reference, seed=3)
    used.fit(other)
    used.predict(ALL)
    np.testing.assert_array_equal(predict(fresh, profile).time_ms, predict(used, profile).time_ms)


def test_global_random_state_is_left_alone(reference: Profile) -> None:
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    predict(GreyBoxTransfer(reference), profile_of(ORIN, "lstm", 10))
    after = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())
    assert before == after


def test_too_few_modes_and_impossible_values_are_refused() -> None:
    predictor = GreyBoxTransfer()
    with pytest.raises(ArgumentError, match="profile='4 modes' is not valid"):
        predictor.fit(profile_of(ORIN, "lstm", 4))
    profile = profile_of(ORIN, "lstm", 5)
    broken = Profile(
        profile.knobs,
        profile.provenance,
        (*profile.measurements, Measurement(profile.measurements[0].mode, float("inf"), 5.0)),
    )
    with pytest.raises(ArgumentError, match="time_ms=inf"):
        predictor.fit(broken)
    with pytest.raises(ArgumentError, match="before fit"):
        _ = GreyBoxTransfer().log_score
    with pytest.raises(ArgumentError, match="before fit"):
        predictor.predict(ALL)
    predictor.fit(profile)
    with pytest.raises(ArgumentError, match="one column for each knob"):
        predictor.predict(ALL[:, :3])


def test_a_prediction_names_which_reference_was_transferred(reference: Profile) -> None:
    profile = profile_of(ORIN, "lstm", 12)
    assert predict(GreyBoxTransfer(reference), profile).reference == reference.provenance
    assert predict(GreyBoxTransfer(), profile).reference is None
