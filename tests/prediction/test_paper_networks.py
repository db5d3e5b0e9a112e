"""The pair of networks against two plain networks of torch."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, nn

from lightning_powertrain.prediction.baselines.paper.networks import Dropout, NetworkPair, StackedLinear


def generator(seed: int = 0) -> Generator:
    return Generator("cpu").manual_seed(seed)


def as_plain_networks(pair: NetworkPair, knobs: int = 4) -> list[nn.Sequential]:
    """The same two networks, each of its own layers."""
    widths = (knobs, 256, 128, 64, 1)
    stacked = [layer for layer in pair.layers if isinstance(layer, StackedLinear)]
    plain = []
    for number in range(2):
        modules: list[nn.Module] = []
        for sizes, layer in zip(zip(widths, widths[1:]), stacked):
            linear = nn.Linear(*sizes)
            linear.weight.data = layer.weight[number].detach().T.clone()
            linear.bias.data = layer.bias[number, 0].detach().clone()
            modules += [linear, nn.ReLU()]
        plain.append(nn.Sequential(*modules[:-1]))
    return plain


@pytest.mark.parametrize(("knobs", "count"), [(4, 42497), (5, 42753)])
def test_each_network_has_as_many_parameters_as_that_of_the_paper(knobs: int, count: int) -> None:
    pair = NetworkPair(knobs, generator())
    assert sum(parameter.numel() for parameter in pair.parameters()) == 2 * count
    for plain in as_plain_networks(pair, knobs):
        assert sum(parameter.numel() for parameter in plain.parameters()) == count


def test_outputs_and_gradients_are_those_of_two_plain_networks() -> None:
    pair = NetworkPair(4, generator()).eval()
    with torch.no_grad():
        for parameter in pair.parameters():
            parameter += 0.01 * torch.randn(parameter.shape, generator=generator(1))
    inputs = torch.randn(33, 4, generator=generator(2))
    plain = as_plain_networks(pair)
    expected = torch.stack([network(inputs).squeeze(-1) for network in plain])
    found = pair.evaluate(inputs)
    assert found.shape == (2, 33)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    (found**2).sum().backward()
    (expected**2).sum().backward()
    for layer, first, second in zip(pair.layers[::3], plain[0][::2], plain[1][::2]):
        assert isinstance(layer, StackedLinear)
        assert layer.weight.grad is not None
        expected_gradient = torch.stack([first.weight.grad.T, second.weight.grad.T])
        torch.testing.assert_close(layer.weight.grad, expected_gradient, rtol=1e-3, atol=1e-4)


def test_new_networks_differ_from_each_other_and_start_at_glorot_scale() -> None:
    for layer in NetworkPair(4, generator()).layers:
        if isinstance(layer, StackedLinear):
            _, inputs, outputs = layer.weight.shape
            bound = (6 / (inputs + outputs)) ** 0.5
            assert layer.weight.abs().max() <= bound
            assert layer.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.15)
            assert not torch.equal(layer.weight[0], layer.weight[1])
            assert not layer.bias.any()


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.4])
def test_dropout_zeroes_its_share_in_training_and_keeps_the_mean(rate: float) -> None:
    dropout, values = Dropout(rate, generator()), torch.ones(100_000)
    dropped = dropout.train()(values)
    assert (dropped == 0).float().mean().item() == pytest.approx(rate, abs=0.01)
    assert dropped.mean().item() == pytest.approx(1, abs=0.01)
    assert torch.equal(dropout.eval()(values), values)


def test_dropped_values_get_no_gradient() -> None:
    values = torch.ones(1000, requires_grad=True)
    dropped = Dropout(0.4, generator()).train()(values)
    dropped.sum().backward()
    assert values.grad is not None
    torch.testing.assert_close(values.grad, dropped.detach())


def test_predictions_are_never_below_the_floors() -> None:
    pair = NetworkPair(4).requires_grad_(False)
    pair.std.fill_(1.0)
    pair.floors.copy_(torch.tensor([2.5, 400.0]))
    pair.layers[-1].bias[:, 0, 0] = torch.tensor([-5.0, 7000.0])
    times, powers = pair(torch.ones(3, 4, dtype=torch.int64))
    assert times.tolist() == [2.5] * 3
    assert powers.tolist() == [7000.0] * 3
