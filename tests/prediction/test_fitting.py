"""Fits: reproducible, undisturbed by what the process has set in torch, and without a trace there."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch
from profiles import SPACE, costs, profile

from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.prediction.fitting import FittedNetworks, fit_networks
from lightning_powertrain.prediction.networks import Networks
from lightning_powertrain.prediction.samples import Samples, Scaler, mape
from lightning_powertrain.prediction.training import train


def quick_weights(seed: int = 0) -> np.ndarray:
    """Weights after a fit of few steps."""
    return fit_networks(profile(16), seed, rows_per_mode=3).fitted.networks.weights


@contextmanager
def default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def deterministic_algorithms() -> Iterator[None]:
    torch.set_deterministic_debug_mode("error")
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode("default")


HOSTILE_STATES: dict[str, AbstractContextManager[object]] = {
    "float64 by default": default_dtype(torch.float64),
    "bfloat16 by default": default_dtype(torch.bfloat16),
    "another device by default": torch.device("meta"),
    "no_grad": torch.no_grad(),
    "inference_mode": torch.inference_mode(),
    "enable_grad": torch.enable_grad(),
    "autocast": torch.autocast("cpu", dtype=torch.bfloat16),
    "deterministic algorithms": deterministic_algorithms(),
    "anomaly detection": torch.autograd.set_detect_anomaly(True, check_nan=True),
}


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
@pytest.mark.parametrize("state", HOSTILE_STATES)
def test_fit_is_the_same_whatever_the_process_has_set(state: str) -> None:
    expected = quick_weights()
    with HOSTILE_STATES[state]:
        found = quick_weights()
    np.testing.assert_array_equal(found, expected)


def global_state() -> list[object]:
    """Everything of torch, numpy and random that a training job in this process depends on."""
    keys, *rest = np.random.get_state()[1:]  # type: ignore[misc]
    return [
        torch.get_rng_state().tolist(),
        keys.tolist(),
        rest,
        random.getstate(),
        torch.get_default_dtype(),
        torch.empty(0).device,
        torch.get_num_threads(),
        torch.get_num_interop_threads(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        (torch.ones(1, 1) @ torch.ones(1, 1)).dtype,
        torch.are_deterministic_algorithms_enabled(),
        torch.get_float32_matmul_precision(),
        np.geterr(),
    ]


def test_fit_and_predict_leave_global_state_alone() -> None:
    before = global_state()
    fit_networks(profile(16), 0, rows_per_mode=3).fitted.predict(SPACE.array)
    assert global_state() == before


def test_fit_does_not_depend_on_global_seeds() -> None:
    expected = quick_weights()
    state = torch.get_rng_state()
    torch.manual_seed(99)
    try:
        np.testing.assert_array_equal(quick_weights(), expected)
    finally:
        torch.set_rng_state(state)


def test_same_seed_same_weights_other_seed_other_weights() -> None:
    np.testing.assert_array_equal(quick_weights(1), quick_weights(1))
    assert not np.array_equal(quick_weights(1), quick_weights(2))


def test_transfer_beats_training_from_scratch_with_few_modes() -> None:
    pretrained = fit_networks(profile(150), 0, rows_per_mode=4).fitted.networks
    true_time_ms, _ = costs(SPACE.array, 1.6)

    def error(seed: int, *, transfer: bool) -> float:
        few = profile(20, weight=1.6, seed=seed)
        fit = fit_networks(few, seed, pretrained if transfer else None, rows_per_mode=10)
        return float(mape(fit.fitted.predict(SPACE.array)[0], true_time_ms))

    transferred, scratch = ([error(seed, transfer=wanted) for seed in range(3)] for wanted in (True, False))
    assert np.median(transferred) < 0.8 * np.median(scratch)


def test_held_out_errors_are_those_on_modes_that_were_not_learnt_from() -> None:
    measured = profile(25)
    fit = fit_networks(measured, 5, rows_per_mode=3)
    samples = Samples.of(measured, Scaler.fit(measured.modes))
    learning, held_out = samples.split(np.random.Generator(np.random.SFC64(5)))
    assert (learning.targets.shape, held_out.targets.shape) == ((2, 20), (2, 5))
    together = np.sort(np.concatenate([learning.targets, held_out.targets], axis=1))
    np.testing.assert_array_equal(together, np.sort(samples.targets))
    rows = [measured.time_ms.tolist().index(time) for time in held_out.targets[0]]
    times, powers = fit.fitted.predict(measured.modes[rows])
    assert fit.held_out.time == pytest.approx(np.mean(np.abs(times / measured.time_ms[rows] - 1)), rel=1e-6)
    assert fit.held_out.power == pytest.approx(np.mean(np.abs(powers / measured.power_w[rows] - 1)), rel=1e-6)


def test_kept_weights_are_those_of_the_best_epoch_on_the_held_out_modes() -> None:
    measured = profile(20)
    samples = Samples.of(measured, Scaler.fit(measured.modes))
    learning, held_out = samples.split(np.random.default_rng(0))
    start = fit_networks(measured, 0, rows_per_mode=3).fitted.networks

    def loss(epochs: int) -> np.ndarray:
        kept = train(start, learning, held_out, np.random.default_rng(1), epochs=epochs, rows_per_mode=4)
        return np.mean((kept.predict(held_out.inputs) - held_out.targets) ** 2, axis=1)

    losses = np.array([loss(epochs) for epochs in range(1, 16)])
    assert (np.diff(losses, axis=0) <= 0).all(), "more epochs can only find a better checkpoint"
    assert (np.diff(losses, axis=0) == 0).any(), "some epoch is worse than one before it"


def test_predictions_never_fall_below_the_floors() -> None:
    networks = Networks.zero(4)
    networks.layers()[-1][1][:, 0, 0] = (-5, 7000)
    fitted = FittedNetworks(networks, Scaler.fit(SPACE.array), np.array([2.5, 400.0]))
    time_ms, power_w = fitted.predict(SPACE.array)
    np.testing.assert_array_equal(time_ms, 2.5)
    np.testing.assert_array_equal(power_w, 7.0)


def test_floors_are_a_tenth_of_the_best_measurement() -> None:
    measured = profile(12)
    floors = fit_networks(measured, 0, rows_per_mode=3).fitted.floors
    np.testing.assert_allclose(floors, [0.1 * measured.time_ms.min(), 100 * measured.power_w.min()])


def test_training_leaves_its_starting_point_alone() -> None:
    pretrained = fit_networks(profile(16), 0, rows_per_mode=3).fitted.networks
    before = pretrained.weights.copy()
    fit_networks(profile(16, weight=2), 0, pretrained, rows_per_mode=3)
    np.testing.assert_array_equal(pretrained.weights, before)


def test_scaler_standardises_and_survives_a_knob_that_does_not_move() -> None:
    modes = SPACE.array[SPACE.array[:, 0] == 4]
    standardised = Scaler.fit(modes)(modes)
    assert standardised.dtype == np.float32
    np.testing.assert_array_equal(standardised[:, 0], 0)
    np.testing.assert_allclose(standardised[:, 1:].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(standardised[:, 1:].std(axis=0), 1, rtol=1e-5)


@pytest.mark.parametrize("bad", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("column", ["time_ms", "power_w"])
def test_measurements_that_are_not_positive_numbers_are_refused(column: str, bad: float) -> None:
    measured = profile(12)
    rows = list(measured.measurements)
    rows[7] = replace(rows[7], **{column: bad})
    with pytest.raises(ArgumentError, match=rf"{column}=.* a positive number"):
        fit_networks(replace(measured, measurements=tuple(rows)), 0)
