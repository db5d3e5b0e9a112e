"""The two networks of the paper, one for time and one for power, as modules of torch.

Inputs are the values of the knobs, standardised. Each network is Dense 256, ReLU, dropout 0.4, Dense 128, ReLU, dropout
0.3, Dense 64, ReLU, Dense 1 (arXiv 2407.13944). Both have the same shape, so each layer holds the weights of both and
computes both in one batched product: training them one after the other takes a fifth to a half longer.

Nothing here reads or changes the random state of torch: a training job runs in the same process.
"""

from __future__ import annotations

from math import sqrt

import torch
from torch import Generator, Tensor, nn

TARGETS = ("time_ms", "power_mw")
"""What the first and the second network predict."""

HIDDEN = (256, 128, 64)
"""Widths of the hidden layers."""

DROPOUT = (0.4, 0.3, 0.0)
"""Share of the outputs of each hidden layer that training drops."""


class NetworkPair(nn.Module):
    """Both networks, with the standardisation of their inputs and the least values that they may predict.

    Args:
        knobs: Number of inputs.
        generator: Of the initial weights and of dropout; None for weights of zero, to be loaded.
    """

    mean: Tensor
    std: Tensor
    floors: Tensor

    def __init__(self, knobs: int, generator: Generator | None = None) -> None:
        super().__init__()
        modules: list[nn.Module] = []
        for inputs, outputs, rate in zip((knobs, *HIDDEN), HIDDEN, DROPOUT):
            modules += [StackedLinear(inputs, outputs, generator), nn.ReLU(), Dropout(rate, generator)]
        self.layers = nn.Sequential(*modules, StackedLinear(HIDDEN[-1], 1, generator))
        for name, count in (("mean", knobs), ("std", knobs), ("floors", len(TARGETS))):
            self.register_buffer(name, torch.zeros(count, dtype=torch.float64, device="cpu"))

    def standardise(self, modes: Tensor) -> Tensor:
        """Inputs of the layers, ``float32``, for modes of shape ``(n, knobs)``."""
        return ((modes - self.mean) / self.std).to(torch.float32)

    def forward(self, modes: Tensor) -> Tensor:
        """Times (ms) and powers (mW) of modes, shape ``(n, knobs)`` to ``(2, n)``."""
        return torch.maximum(self.evaluate(self.standardise(modes)).to(torch.float64), self.floors[:, None])

    def evaluate(self, inputs: Tensor) -> Tensor:
        """Outputs of the layers for standardised inputs, shape ``(n, knobs)`` to ``(2, n)``."""
        outputs: Tensor = self.layers(inputs.expand(len(TARGETS), *inputs.shape))
        return outputs.squeeze(-1)


class StackedLinear(nn.Module):
    """One dense layer of both networks; weights begin Glorot-uniform, biases at zero.

    Args:
        inputs: Width of the layer before it.
        outputs: Its width.
        generator: Of the weights; None for zeros.
    """

    def __init__(self, inputs: int, outputs: int, generator: Generator | None) -> None:
        super().__init__()
        weight = torch.zeros(len(TARGETS), inputs, outputs, dtype=torch.float32, device="cpu")
        if generator is not None:
            bound = sqrt(6 / (inputs + outputs))
            weight.uniform_(-bound, bound, generator=generator)
        self.weight = nn.Parameter(weight)
        self.bias = nn.Parameter(torch.zeros(len(TARGETS), 1, outputs, dtype=torch.float32, device="cpu"))

    def forward(self, inputs: Tensor) -> Tensor:
        """Shape ``(2, n, inputs)`` to ``(2, n, outputs)``."""
        return torch.baddbmm(self.bias, inputs, self.weight)


class Dropout(nn.Module):
    """Like :class:`torch.nn.Dropout`, which draws from the process's generator, but with a generator of its own.

    Args:
        rate: Share of the values that is set to zero in training.
        generator: Of the choice.
    """

    def __init__(self, rate: float, generator: Generator | None) -> None:
        super().__init__()
        self._rate = rate
        self._generator = generator

    def forward(self, values: Tensor) -> Tensor:
        """The values in evaluation; in training some are zero and the rest are scaled up."""
        if not self.training or self._rate == 0:
            return values
        drawn = torch.rand(values.shape, generator=self._generator, dtype=torch.float32, device="cpu")
        return values * drawn.ge_(self._rate).mul_(1 / (1 - self._rate))
