"""Which modes to measure."""

from __future__ import annotations

import numpy as np

from lightning_powertrain.boards import ModeSpace, PowerMode
from lightning_powertrain.errors import ArgumentError


def random_modes(space: ModeSpace, count: int, seed: int = 0) -> list[PowerMode]:
    """``count`` different modes drawn uniformly at random: the paper's sample (arXiv 2407.13944).

    Args:
        space: The modes to draw from.
        count: How many; at most ``len(space)``.
        seed: Makes the draw, order included, reproducible.

    Raises:
        ArgumentError: If there are not that many modes.
    """
    if not 1 <= count <= len(space):
        raise ArgumentError.of("modes", count, f"a whole number from 1 to {len(space)}, the modes of this board")
    indices = np.random.default_rng(seed).choice(len(space), size=count, replace=False)
    return [space.mode(int(index)) for index in indices]
