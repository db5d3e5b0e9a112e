"""The networks against torch.nn, and the step of training against torch.optim."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lightning_powertrain.prediction.networks import Networks, parameter_count
from lightning_powertrain.prediction.training import TrainingStep

BATCH = 32


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


class Masked(nn.Module):
    """Dropout whose mask is given from outside."""

    mask: Tensor | None = None

    def forward(self, values: Tensor) -> Tensor:
        return values if self.mask is None else values * self.mask


def as_modules(networks: Networks) -> list[nn.Sequential]:
    """The same two networks, written down with torch.nn."""
    sizes = (networks.knobs, 256, 128, 64, 1)
    modules = []
    for number in range(2):
        linears = [nn.Linear(*pair, dtype=torch.float32) for pair in zip(sizes, sizes[1:])]
        for linear, (weight, bias) in zip(linears, networks.layers()):
            linear.weight.data = torch.tensor(weight[number].T)
            linear.bias.data = torch.tensor(bias[number, 0])
        first, second, third, head = linears
        modules.append(nn.Sequential(first, nn.ReLU(), Masked(), second, nn.ReLU(), Masked(), third, nn.ReLU(), head))
    return modules


@pytest.mark.parametrize(("knobs", "count"), [(4, 42497), (5, 42753)])
def test_parameters_are_as_many_as_those_of_the_same_network_in_torch(knobs: int, count: int) -> None:
    networks = Networks.fresh(knobs, rng())
    assert parameter_count(knobs) == count
    for module in as_modules(networks):
        assert sum(parameter.numel() for parameter in module.parameters()) == count
    assert networks.weights.size == 2 * count


@pytest.mark.parametrize("count", [0, 1, 1023, 1024, 1025])
def test_predictions_are_those_of_torch(count: int) -> None:
    networks = Networks.fresh(4, rng())
    networks.weights[...] += rng(1).normal(0, 0.01, networks.weights.size).astype(np.float32)
    inputs = rng(2).normal(size=(count, 4)).astype(np.float32)
    predicted = networks.predict(inputs)
    assert predicted.shape == (2, count)
    for row, module in zip(predicted, as_modules(networks)):
        expected = module(torch.from_numpy(inputs))[:, 0].detach().numpy()
        np.testing.assert_allclose(row, expected, rtol=1e-4, atol=1e-5)


def test_fresh_networks_differ_from_each_other_and_start_at_glorot_scale() -> None:
    networks = Networks.fresh(4, rng())
    for weight, bias in networks.layers():
        _, inputs, outputs = weight.shape
        bound = np.sqrt(6 / (inputs + outputs))
        assert np.abs(weight).max() <= bound
        assert weight.std() == pytest.approx(bound / np.sqrt(3), rel=0.15)
        assert not np.array_equal(weight[0], weight[1])
        assert not bias.any()


def test_fresh_head_replaces_the_output_layer_and_nothing_else() -> None:
    networks = Networks.fresh(4, rng())
    networks.layers()[-1][1][...] = 7
    before = networks.weights.copy()
    headed = networks.with_fresh_head(rng(1))
    *body, head = zip(networks.layers(), headed.layers())
    assert all(np.array_equal(old[0], new[0]) and np.array_equal(old[1], new[1]) for old, new in body)
    (old_weight, _), (new_weight, new_bias) = head
    assert not np.isclose(old_weight, new_weight).any()
    assert not new_bias.any()
    np.testing.assert_array_equal(networks.weights, before)


def minibatches(count: int) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Inputs, targets of the size of milliseconds and milliwatts, and two masks."""
    generator = rng(3)

    def mask(width: int, rate: float) -> Tensor:
        kept = generator.random((2, BATCH, width)) >= rate
        return torch.tensor(kept / (1 - rate), dtype=torch.float32)

    def draw(scale: Callable[[], np.ndarray]) -> Tensor:
        return torch.tensor(scale(), dtype=torch.float32)

    return [
        (
            draw(lambda: generator.normal(size=(1, BATCH, 4)).repeat(2, axis=0)),
            draw(lambda: generator.normal(size=(2, BATCH, 1)) * [[[50]], [[5000]]]),
            mask(256, 0.4),
            mask(128, 0.3),
        )
        for _ in range(count)
    ]


def test_step_is_that_of_torch_optim_adam_on_the_mean_squared_error() -> None:
    networks = Networks.fresh(4, rng())
    modules = as_modules(networks)
    optimizers = [torch.optim.Adam(module.parameters(), lr=1e-3) for module in modules]
    with torch.no_grad():
        step = TrainingStep(networks)
        for batch in minibatches(8):
            step(*batch)
    for inputs, targets, *masks in minibatches(8):
        for number, (module, optimizer) in enumerate(zip(modules, optimizers)):
            module[2].mask, module[5].mask = masks[0][number], masks[1][number]
            optimizer.zero_grad()
            nn.functional.mse_loss(module(inputs[number]), targets[number]).backward()
            optimizer.step()
    expected = as_modules(networks)
    for module, same in zip(modules, expected):
        for trained, ours in zip(module.parameters(), same.parameters()):
            torch.testing.assert_close(ours, trained, rtol=1e-3, atol=2e-5)
