"""Training of the paper's two networks, both in one computation.

Faithful to the paper (arXiv 2407.13944): Adam at 1e-3, mean squared error on raw milliseconds and milliwatts, dropout
0.4 and 0.3, 100 epochs of minibatches of 32 rows, 40 rows a mode (one a measured minibatch), four fifths of the data to
learn from and one fifth to choose the best epoch with. The number of gradient steps is therefore the paper's own: 5,000
for 50 modes.

Different from it, and why:

* A measurement keeps the mean over its minibatches, so the 40 rows of a mode share that mean as their target. The
  gradient of a squared error is linear in the target: its expectation is the same, only its noise is smaller.
* The data are split by mode, not by row: rows of one mode on both sides would tell nothing about modes not measured.
* The last rows of an epoch that do not fill a minibatch wait for the next epoch, which shuffles all rows anew.

The step is written out by hand because a fit must not hold up a training job for long: both networks go through each
product together, nothing is allocated, and autograd, optimizer objects and their process-wide hooks stay out of it.
Randomness comes from numpy generators of our own. No global state of torch is read or written: device and dtype are
explicit, and ambient autocast is switched off locally. The number of threads is the process's own, as changing it could
change the rounding of the job's later products; where other processes keep the cores busy, threads wait for each other
at every product, and ``OMP_NUM_THREADS=1`` makes a fit many times faster.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import repeat, zip_longest

import numpy as np
import torch
from torch import Tensor
from torch.optim.adam import adam

from lightning_powertrain.prediction.networks import HIDDEN, TARGETS, Networks, WeightArray
from lightning_powertrain.prediction.samples import ROWS_PER_MODE, Samples

EPOCHS = 100

_BATCH = 32
_DROPOUT = (0.4, 0.3)
_LEARNING_RATE = 1e-3

# One kernel for all of Adam; older releases have it for CUDA only.
_FUSED = tuple(int(part) for part in torch.__version__.split(".")[:2]) >= (2, 4)


def train(
    networks: Networks,
    samples: Samples,
    held_out: Samples,
    rng: np.random.Generator,
    *,
    epochs: int = EPOCHS,
    rows_per_mode: int = ROWS_PER_MODE,
) -> Networks:
    """Train both networks; of each, keep the weights of the epoch with the least squared error on the held-out samples.

    Args:
        networks: Where to start; not changed.
        samples: To learn from.
        held_out: To choose the epoch with.
        rng: Shuffles rows and drops activations.
        epochs: Passes over all rows.
        rows_per_mode: Rows that each sample stands for.
    """
    networks, best = networks.copy(), networks.copy()
    least = np.full(len(TARGETS), np.inf)
    with torch.no_grad(), torch.autocast("cpu", enabled=False):
        step = TrainingStep(networks)
        for _ in range(epochs):
            _train_epoch(step, samples, rng, rows_per_mode)
            loss = np.mean((networks.predict(held_out.inputs) - held_out.targets) ** 2, axis=1)
            better = loss < least
            least = np.where(better, loss, least)
            for kept, current in zip(best.layers(), networks.layers()):
                for to, value in zip(kept, current):
                    to[better] = value[better]
    return best


def _train_epoch(step: TrainingStep, samples: Samples, rng: np.random.Generator, rows_per_mode: int) -> None:
    rows = rng.permutation(len(samples.inputs) * rows_per_mode) % len(samples.inputs)
    batches = rows[: len(rows) // _BATCH * _BATCH].reshape(-1, _BATCH)
    for some in np.array_split(batches, max(1, len(batches) // 10)):
        inputs = samples.inputs[some][:, None].repeat(len(TARGETS), axis=1)
        targets = samples.targets[:, some].swapaxes(0, 1)[..., None].astype(np.float32)
        masks = [_dropout_masks(len(some), width, rate, rng) for width, rate in zip(HIDDEN, _DROPOUT)]
        for batch in zip(torch.from_numpy(inputs), torch.from_numpy(targets), *masks):
            step(*batch)


def _dropout_masks(count: int, width: int, rate: float, rng: np.random.Generator) -> Tensor:
    """``count`` masks: 0 where an activation is dropped, the inverse of the share that is kept elsewhere."""
    shape = (count, len(TARGETS), _BATCH, width)
    # 16 random bits decide one activation, which is several times faster than a random float for each.
    bits = rng.integers(0, 2**64, size=int(np.prod(shape)) // 4, dtype=np.uint64).view(np.uint16)
    kept = bits >= round(rate * 2**16)
    return torch.from_numpy(np.multiply(kept, np.float32(1 / (1 - rate)), dtype=np.float32).reshape(shape))


class TrainingStep:
    """One step of gradient descent of both networks, in place.

    Shapes begin with 2, one for each network: activations are ``(2, 32, width)``, weights ``(2, inputs, outputs)``.

    Args:
        networks: Their weights are changed by each call.
    """

    def __init__(self, networks: Networks) -> None:
        gradients = Networks.zero(networks.knobs)
        self._weights = torch.from_numpy(networks.weights)
        self._gradients = torch.from_numpy(gradients.weights)
        self._moments = (torch.zeros_like(self._weights), torch.zeros_like(self._weights))
        self._steps = _full((), 0.0)
        self._layers = [_Layer(*layer) for layer in zip(networks.layers(), gradients.layers(), _backward_scales())]
        self._ones = _full((len(TARGETS), 1, _BATCH), 1.0)
        # A tensor, as a Python number would be made into one at every step.
        self._loss_scale = _full((1,), 2 / _BATCH)

    def __call__(self, inputs: Tensor, targets: Tensor, *masks: Tensor) -> None:
        """Learn from one minibatch.

        Args:
            inputs: Standardised knob values, shape ``(2, 32, knobs)``.
            targets: Times (ms) and powers (mW), shape ``(2, 32, 1)``.
            masks: For each hidden layer with dropout, what to multiply its activations by, shape ``(2, 32, width)``.
        """
        self._forward(inputs, masks)
        # From predictions to the gradient of their mean squared error.
        self._layers[-1].output.sub_(targets).mul_(self._loss_scale)
        self._backward(inputs)
        adam(
            [self._weights],
            [self._gradients],
            [self._moments[0]],
            [self._moments[1]],
            [],
            [self._steps],
            fused=_FUSED,
            foreach=False,
            amsgrad=False,
            beta1=0.9,
            beta2=0.999,
            lr=_LEARNING_RATE,
            weight_decay=0.0,
            eps=1e-8,
            maximize=False,
        )

    def _forward(self, inputs: Tensor, masks: tuple[Tensor, ...]) -> None:
        *body, head = self._layers
        for layer, mask in zip_longest(body, masks):
            torch.bmm(inputs, layer.weight, out=layer.output).add_(layer.bias).relu_()
            if mask is not None:
                layer.output.mul_(mask)
            inputs = layer.output
        torch.bmm(inputs, head.weight, out=head.output).add_(head.bias)

    def _backward(self, inputs: Tensor) -> None:
        error = self._layers[-1].output
        for layer, below in zip(self._layers[:0:-1], self._layers[-2::-1]):
            torch.bmm(below.output_transposed, error, out=layer.weight_gradient)
            torch.bmm(self._ones, error, out=layer.bias_gradient)
            torch.baddbmm(
                below.error, error, layer.weight_transposed, beta=0, alpha=below.backward_scale, out=below.error
            )
            # Where an output is 0, ReLU or dropout has cut it off.
            _zero_where_zero(below.error, below.output, 0, grad_input=below.error)
            error = below.error
        torch.bmm(inputs.mT, error, out=self._layers[0].weight_gradient)
        torch.bmm(self._ones, error, out=self._layers[0].bias_gradient)


_zero_where_zero: Callable[..., Tensor] = torch.ops.aten.threshold_backward.grad_input


class _Layer:
    """Views of a layer's weights and gradients, and room for what it puts out and for the gradient of that."""

    def __init__(
        self,
        parameters: tuple[WeightArray, WeightArray],
        gradients: tuple[WeightArray, WeightArray],
        backward_scale: float,
    ) -> None:
        self.weight, self.bias = (torch.from_numpy(array) for array in parameters)
        self.weight_gradient, self.bias_gradient = (torch.from_numpy(array) for array in gradients)
        self.weight_transposed = self.weight.mT
        shape = (len(TARGETS), _BATCH, self.weight.shape[-1])
        self.output, self.error = _full(shape, 0.0), _full(shape, 0.0)
        self.output_transposed = self.output.mT
        self.backward_scale = backward_scale


def _backward_scales() -> Iterator[float]:
    """For each layer, what dropout has multiplied the outputs by that it kept."""
    yield from (1 / (1 - rate) for rate in _DROPOUT)
    yield from repeat(1.0)


def _full(shape: tuple[int, ...], value: float) -> Tensor:
    return torch.full(shape, value, dtype=torch.float32, device="cpu")
