"""Training of the two networks of the paper.

The settings are those of the paper (arXiv 2407.13944): Adam at 1e-3, mean squared error on raw milliseconds and
milliwatts, dropout 0.4 and 0.3, 100 epochs of minibatches of 32 rows, 40 rows a mode (one a measured minibatch), four
fifths of the data to learn from and one fifth to choose the best epoch with. The number of gradient steps is therefore
that of the paper: 5,000 for 50 modes.

There are three differences:

* A measurement keeps the mean over its minibatches, so the 40 rows of a mode share that mean as their target. The
  gradient of a squared error is linear in the target: its expectation is the same, only its noise is smaller.
* A reference, with its thousands of modes, holds a fifth of its modes out, which states its error. A transfer holds a
  fifth of the rows of each mode out, as the paper does: it learns from all modes, and its stated error is that of modes
  that it has seen. These rows have the target of the others, so they need not be drawn.
* The last rows of an epoch that do not fill a minibatch are left out; the next epoch shuffles all rows anew.

A training job runs in the same process. No global state of torch is changed: device, dtype and generator are explicit,
and what the process has set for gradients and autocast is overridden locally. The number of threads is not changed, as
that could change the rounding of the job's later products. Where other processes keep the cores busy, threads wait for
each other at every product, and ``OMP_NUM_THREADS=1`` makes a fit many times faster.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Generator, Tensor
from torch.autograd import backward
from torch.nn.functional import mse_loss
from torch.optim import Adam

from lightning_powertrain.prediction.baselines.paper.networks import TARGETS, NetworkPair

EPOCHS = 100
"""Passes over all rows."""

_BATCH = 32
_LEARNING_RATE = 1e-3

# One kernel for all of Adam. Releases before 2.4 have it for CUDA only.
_FUSED = tuple(int(part) for part in torch.__version__.split(".")[:2]) >= (2, 4)


class Samples(NamedTuple):
    """What the networks learn from or are judged by.

    Args:
        inputs: Standardised knob values, ``float32``, shape ``(n, knobs)``.
        targets: Times (ms) and powers (mW), ``float32``, shape ``(2, n)``.
    """

    inputs: Tensor
    targets: Tensor

    def rows(self, indices: Tensor) -> Samples:
        """Some of them."""
        return Samples(self.inputs[indices], self.targets[:, indices])


@contextmanager
def local_torch_settings() -> Iterator[None]:
    """Within it, gradients are recorded and nothing is cast, whatever the process has set."""
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast("cpu", enabled=False):
        yield


def train(
    networks: NetworkPair, learning: Samples, held_out: Samples, generator: Generator, *, epochs: int, rows: int
) -> NetworkPair:
    """Train both networks.

    Args:
        networks: Where to start; trained in place.
        learning: To learn from.
        held_out: To choose the epoch with.
        generator: Shuffles the rows.
        epochs: Passes over all rows.
        rows: Rows that each sample stands for.

    Returns:
        New networks, each with the weights of the epoch with its least squared error on the held-out samples.
    """
    optimizer = Adam(networks.parameters(), lr=_LEARNING_RATE, fused=_FUSED)
    best = NetworkPair(learning.inputs.shape[1]).requires_grad_(False).eval()
    best.load_state_dict(networks.state_dict())
    least = torch.full((len(TARGETS),), torch.inf, dtype=torch.float32, device="cpu")
    for _ in range(epochs):
        networks.train()
        for batch in _minibatches(learning, rows, generator):
            optimizer.zero_grad()
            squared = mse_loss(networks.evaluate(batch.inputs), batch.targets, reduction="sum")
            backward(squared / _BATCH)
            optimizer.step()
        networks.eval()
        with torch.no_grad():
            losses = ((networks.evaluate(held_out.inputs) - held_out.targets) ** 2).mean(dim=1)
            better = losses < least
            least = torch.where(better, losses, least)
            for kept, current in zip(best.parameters(), networks.parameters()):
                kept[better] = current[better]
    return best


def _minibatches(samples: Samples, rows: int, generator: Generator) -> Iterator[Samples]:
    count = len(samples.inputs)
    order = torch.randperm(count * rows, generator=generator, device="cpu") % count
    batches = order[: len(order) // _BATCH * _BATCH].reshape(-1, _BATCH)
    for inputs, targets in zip(samples.inputs[batches], samples.targets[:, batches].transpose(0, 1)):
        yield Samples(inputs, targets)
