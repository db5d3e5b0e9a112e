"""The paper's two networks, one for time and one for power: their shape, their weights and what they predict.

Inputs are the values of the knobs, standardised. Each network is Dense 256, ReLU, dropout 0.4, Dense 128, ReLU, dropout
0.3, Dense 64, ReLU, Dense 1 (arXiv 2407.13944). Both are kept in one array, layer by layer, so that training can step
them together; everything here is numpy, so nothing that a training job has set in torch can reach it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
WeightArray = npt.NDArray[np.float32]

TARGETS = ("time_ms", "power_mw")
"""What the first and the second network predict."""

HIDDEN = (256, 128, 64)
"""Widths of the hidden layers."""

# Modes that go through the networks at once: their activations then fit into a core's cache.
_BLOCK = 1024


def layer_shapes(knobs: int) -> tuple[tuple[int, int], ...]:
    """Inputs and outputs of each layer.

    >>> layer_shapes(4)
    ((4, 256), (256, 128), (128, 64), (64, 1))
    """
    widths = (knobs, *HIDDEN, 1)
    return tuple(zip(widths, widths[1:]))


def parameter_count(knobs: int) -> int:
    """Parameters of one network.

    >>> parameter_count(4)
    42497
    """
    return sum(inputs * outputs + outputs for inputs, outputs in layer_shapes(knobs))


@dataclass(frozen=True, eq=False)
class Networks:
    """The weights of both networks.

    Args:
        knobs: Number of inputs.
        weights: All of them in one row; :meth:`layers` tells which is which.
    """

    knobs: int
    weights: WeightArray

    @classmethod
    def zero(cls, knobs: int) -> Networks:
        """Networks whose weights are all zero."""
        return cls(knobs, np.zeros(len(TARGETS) * parameter_count(knobs), dtype=np.float32))

    @classmethod
    def fresh(cls, knobs: int, rng: np.random.Generator) -> Networks:
        """New networks: Glorot-uniform weights, biases of zero."""
        networks = cls.zero(knobs)
        for weight, _ in networks.layers():
            _randomise(weight, rng)
        return networks

    def copy(self) -> Networks:
        """The same weights in new memory."""
        return Networks(self.knobs, self.weights.copy())

    def with_fresh_head(self, rng: np.random.Generator) -> Networks:
        """A copy whose output layer has been replaced by a new one."""
        networks = self.copy()
        weight, bias = networks.layers()[-1]
        _randomise(weight, rng)
        bias[...] = 0
        return networks

    def layers(self) -> list[tuple[WeightArray, WeightArray]]:
        """Views of each layer's weights, shape ``(2, inputs, outputs)``, and biases, shape ``(2, 1, outputs)``."""
        views: list[tuple[WeightArray, WeightArray]] = []
        start = 0
        for inputs, outputs in layer_shapes(self.knobs):
            middle = start + len(TARGETS) * inputs * outputs
            end = middle + len(TARGETS) * outputs
            weight, bias = self.weights[start:middle], self.weights[middle:end]
            views.append((weight.reshape(len(TARGETS), inputs, outputs), bias.reshape(len(TARGETS), 1, outputs)))
            start = end
        return views

    def predict(self, inputs: WeightArray) -> FloatArray:
        """Both predictions, without dropout.

        Args:
            inputs: Standardised knob values, shape ``(n, knobs)``.

        Returns:
            Times (ms) and powers (mW), shape ``(2, n)``.
        """
        blocks = [self._predict_block(inputs[start : start + _BLOCK]) for start in range(0, len(inputs), _BLOCK)]
        return np.concatenate(blocks, axis=1) if blocks else np.empty((len(TARGETS), 0))

    def _predict_block(self, inputs: WeightArray) -> FloatArray:
        hidden = np.broadcast_to(inputs, (len(TARGETS), *inputs.shape))
        *body, (head_weight, head_bias) = self.layers()
        for weight, bias in body:
            hidden = np.matmul(hidden, weight)
            hidden += bias
            np.maximum(hidden, 0, out=hidden)
        output = hidden @ head_weight + head_bias
        return output[..., 0].astype(np.float64)


def _randomise(weight: WeightArray, rng: np.random.Generator) -> None:
    _, inputs, outputs = weight.shape
    bound = np.sqrt(6 / (inputs + outputs))
    weight[...] = rng.uniform(-bound, bound, size=weight.shape)
