"""Fits: reproducible, undisturbed by what the process has set in torch, and without a trace there."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from profiles import SPACE, costs, profile

from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.prediction.baselines.paper import fit_paper_networks, fitting
from lightning_powertrain.prediction.baselines.paper.fitting import fit_networks
from lightning_powertrain.prediction.baselines.paper.networks import NetworkPair
from lightning_powertrain.prediction.baselines.paper.training import Samples, train


def weights(networks: NetworkPair) -> np.ndarray:
    return torch.cat([parameter.flatten() for parameter in networks.parameters()]).detach().numpy()


def quick_weights(seed: int = 0) -> np.ndarray:
    """Weights after a fit of few steps."""
    return weights(fit_networks(profile(16), seed, rows_per_mode=6, epochs=8).networks)


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


# Made when they are needed: some of torch's change the process as soon as they are made.
HOSTILE_STATES: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "float64 by default": lambda: default_dtype(torch.float64),
    "bfloat16 by default": lambda: default_dtype(torch.bfloat16),
    "another device by default": lambda: torch.device("meta"),
    "no_grad": lambda: torch.no_grad(),
    "inference_mode": lambda: torch.inference_mode(),
    "enable_grad": lambda: torch.enable_grad(),
    "autocast": lambda: torch.autocast("cpu", dtype=torch.bfloat16),
    "deterministic algorithms": lambda: deterministic_algorithms(),
    "anomaly detection": lambda: torch.autograd.set_detect_anomaly(True, check_nan=True),
}


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
@pytest.mark.parametrize("state", HOSTILE_STATES)
def test_fit_is_the_same_whatever_the_process_has_set(state: str) -> None:
    expected = quick_weights()
    with HOSTILE_STATES[state]():
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
    fit_networks(profile(16), 0, rows_per_mode=3).predict(SPACE.array)
    assert global_state() == before


def test_fit_does_not_depend_on_global_seeds() -> None:
    expected = quick_weights()
    state = torch.get_rng_state()
    torch.manual_seed(99)
    try:
        np.testing.assert_array_equal(quick_weights(), expected)
    finally:
        torch.set_rng_state(state)


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad])
def test_networks_can_be_fitted_and_asked_where_gradients_are_off(mode: type[torch.no_grad]) -> None:
    with mode():
        start = fit_networks(profile(16), 0, rows_per_mode=3)
    fit = fit_networks(profile(16), 0, start, rows_per_mode=3)
    with mode():
        fit.predict(SPACE.array)
    assert not np.array_equal(weights(fit.networks), weights(start.networks))


def test_same_seed_same_weights_other_seed_other_weights() -> None:
    np.testing.assert_array_equal(quick_weights(1), quick_weights(1))
    assert not np.array_equal(quick_weights(1), quick_weights(2))


def test_transfer_beats_training_from_scratch_with_few_modes() -> None:
    pretrained = fit_paper_networks(profile(150))
    true_time_ms, _ = costs(SPACE.array, 1.6)

    def error(seed: int, *, transfer: bool) -> float:
        few = profile(20, weight=1.6, seed=seed)
        fit = fit_networks(few, seed, pretrained if transfer else None, rows_per_mode=10)
        return float(np.mean(np.abs(fit.predict(SPACE.array).time_ms / true_time_ms - 1)))

    transferred, scratch = ([error(seed, transfer=wanted) for seed in range(3)] for wanted in (True, False))
    assert np.median(transferred) < 0.8 * np.median(scratch)


def test_a_transfer_learns_from_every_mode() -> None:
    measured = profile(12)
    expected = weights(fit_networks(measured, 5, epochs=1).networks)
    for row, each in enumerate(measured.measurements):
        rows = list(measured.measurements)
        rows[row] = replace(each, time_ms=each.time_ms * 1.5)
        other = weights(fit_networks(replace(measured, measurements=tuple(rows)), 5, epochs=1).networks)
        assert not np.array_equal(other, expected), f"mode {row} changes nothing"


def test_a_transfer_takes_four_fifths_of_the_papers_steps_and_states_the_error_of_all_modes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def counted(*given: Any, rows: int, **rest: Any) -> NetworkPair:
        asked.append(rows)
        return train(*given, rows=rows, **rest)

    monkeypatch.setattr(fitting, "train", counted)
    fit = fit_networks(profile(12), 0, epochs=1)
    assert asked == [32], "of the 40 rows of a mode"
    assert [fit.held_out.time, fit.held_out.power] == pytest.approx([fit.all_modes.time, fit.all_modes.power])


def test_errors_are_those_of_the_predictions() -> None:
    measured = profile(25)
    fit = fit_networks(measured, 5, rows_per_mode=3, hold_out=True)
    predicted = fit.predict(measured.modes)
    errors = np.abs([predicted.time_ms / measured.time_ms - 1, predicted.power_w / measured.power_w - 1])
    np.testing.assert_allclose([fit.all_modes.time, fit.all_modes.power], errors.mean(axis=1))
    order = torch.randperm(25, generator=after_initial_weights(5)).numpy()
    np.testing.assert_allclose([fit.held_out.time, fit.held_out.power], errors[:, order[:5]].mean(axis=1))


def after_initial_weights(seed: int) -> torch.Generator:
    generator = torch.Generator().manual_seed(seed)
    NetworkPair(4, generator)
    return generator


def test_modes_that_are_held_out_choose_the_epoch_and_nothing_else() -> None:
    """Other times and powers in the held-out modes change no step: the same epoch has the same weights."""
    measured = profile(25)
    order = torch.randperm(25, generator=after_initial_weights(5)).tolist()
    rows = list(measured.measurements)
    for row in order[:5]:
        rows[row] = replace(rows[row], time_ms=rows[row].time_ms * 1.001)
    changed = replace(measured, measurements=tuple(rows))
    first, second = (weights(fit_networks(each, 5, epochs=1, hold_out=True).networks) for each in (measured, changed))
    np.testing.assert_array_equal(first, second)
    learning = list(measured.measurements)
    learning[order[5]] = replace(learning[order[5]], time_ms=learning[order[5]].time_ms * 1.001)
    other = fit_networks(replace(measured, measurements=tuple(learning)), 5, epochs=1, hold_out=True)
    assert not np.array_equal(weights(other.networks), first)


def samples(count: int, seed: int) -> Samples:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(count, 4)).astype(np.float32)
    targets = np.stack([50 + 10 * inputs[:, 0], 5000 + 900 * inputs[:, 1]]) + rng.normal(0, 3, (2, count))
    return Samples(torch.from_numpy(inputs), torch.from_numpy(targets.astype(np.float32)))


def test_kept_weights_are_those_of_the_best_epoch_on_the_held_out_modes() -> None:
    learning, held_out = samples(16, 0), samples(4, 1)

    def losses_after(epochs: int) -> np.ndarray:
        generator = torch.Generator().manual_seed(0)
        kept = train(NetworkPair(4, generator), learning, held_out, generator, epochs=epochs, rows=12)
        return ((kept.evaluate(held_out.inputs) - held_out.targets) ** 2).mean(dim=1).numpy()

    losses = np.array([losses_after(epochs) for epochs in range(1, 16)])
    assert (np.diff(losses, axis=0) <= 0).all(), "more epochs can only find a better checkpoint"
    assert (np.diff(losses, axis=0) == 0).any(), "some epoch is worse than one before it"


def test_floors_are_a_tenth_of_the_best_measurement() -> None:
    measured = profile(12)
    floors = fit_networks(measured, 0, rows_per_mode=3).networks.floors
    np.testing.assert_allclose(floors, [0.1 * measured.time_ms.min(), 100 * measured.power_w.min()])


def test_a_transfer_leaves_its_starting_point_alone() -> None:
    pretrained = fit_networks(profile(16), 0, rows_per_mode=3)
    before = weights(pretrained.networks).copy()
    fit_networks(profile(16, weight=2), 0, pretrained, rows_per_mode=3)
    np.testing.assert_array_equal(weights(pretrained.networks), before)


def test_a_transfer_starts_with_the_body_of_the_reference_and_a_new_head() -> None:
    start = fit_networks(profile(16), 0, rows_per_mode=3)
    same = fit_networks(profile(16, weight=2), 0, start, epochs=0).networks
    *body, head = (layer for layer in zip(same.layers, start.networks.layers) if hasattr(layer[0], "weight"))
    assert all(torch.equal(new.weight, old.weight) and torch.equal(new.bias, old.bias) for new, old in body)
    assert not torch.isclose(head[0].weight, head[1].weight).any()
    assert not head[0].bias.any()


def test_inputs_are_standardised_and_a_knob_that_does_not_move_is_zero() -> None:
    measured = profile(16)
    rows = tuple(replace(row, mode=type(row.mode)(**{**row.mode, "cores": 4})) for row in measured.measurements)
    networks = fit_networks(replace(measured, measurements=rows), 0, epochs=0).networks
    modes = torch.from_numpy(replace(measured, measurements=rows).modes)
    standardised = networks.standardise(modes).numpy()
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
