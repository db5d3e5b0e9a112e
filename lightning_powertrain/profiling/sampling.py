"""Which modes to measure, at random or spread evenly over every knob, and in which order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards import IntArray, ModeSpace, PowerMode
from lightning_powertrain.errors import ArgumentError

FloatArray = npt.NDArray[np.float64]

_CANDIDATES = 200
# Distances that may be computed in all, so that a large sample does not take for ever to draw.
_DISTANCES = 4_000_000
# A hypercube is judged by its closest points: by the mean distance to the nearest of this share of them.
_CLOSEST = 0.2


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


def latin_hypercube(space: ModeSpace, count: int, seed: int = 0) -> list[PowerMode]:
    """``count`` different modes that cover the levels of each knob evenly, the highest mode first.

    Args:
        space: The modes to draw from.
        count: How many; at most ``len(space)``.
        seed: Makes the draw, order included, reproducible.

    Raises:
        ArgumentError: If there are not that many modes.

    >>> from lightning_powertrain.boards import load_board
    >>> modes = load_board("orin-agx-64gb").modes
    >>> sample = latin_hypercube(modes, 10)
    >>> len(set(sample)), sample[0] == modes.highest
    (10, True)
    """
    return [space.mode(int(row)) for row in latin_hypercube_rows(space.array, count, seed)]


def latin_hypercube_rows(modes: IntArray, count: int, seed: int = 0) -> IntArray:
    """Rows of ``count`` modes that cover each knob evenly, the highest mode first.

    Each knob is cut into ``count`` slices of as many modes each, and every slice is visited once (McKay, Beckman and
    Conover 1979). Of many random hypercubes the one whose points keep the largest distance from each other is taken;
    its point nearest to the highest mode becomes that mode, and each other point the nearest mode that is still free.
    Modes count, not values: where all combinations exist, the lowest clocks of a table are as far apart as the highest,
    and a clock that few modes have gets as few of the points.

    Args:
        modes: The modes to draw from, shape ``(n, knobs)``; they need not be all combinations.
        count: How many; at most ``n``.
        seed: Makes the draw, order included, reproducible.

    Raises:
        ArgumentError: If there are not that many modes.
    """
    if not 1 <= count <= len(modes):
        raise ArgumentError.of("modes", count, f"a whole number from 1 to {len(modes)}, the modes of this board")
    positions = _positions(modes)
    rng = np.random.default_rng(seed)
    candidates = max(1, min(_CANDIDATES, _DISTANCES // count**2))
    points = max((_hypercube(count, modes.shape[1], rng) for _ in range(candidates)), key=_separation)
    highest_first = np.argsort(-points.sum(axis=1))
    points = points[highest_first]
    points[0] = 1.0
    free = np.ones(len(modes), dtype=np.bool_)
    rows = np.empty(count, dtype=np.int64)
    for index, point in enumerate(points):
        distances = np.where(free, np.abs(positions - point).sum(axis=1), np.inf)
        rows[index] = np.argmin(distances)
        free[rows[index]] = False
    return np.concatenate([rows[:1], rng.permutation(rows[1:])])


def _positions(modes: IntArray) -> FloatArray:
    """Share of the modes that lie below each mode on each knob, half of its equals included, shape ``(n, knobs)``."""
    columns = []
    for column in modes.T:
        _, index, counts = np.unique(column, return_inverse=True, return_counts=True)
        columns.append(((np.cumsum(counts) - counts / 2) / len(modes))[index])
    return np.stack(columns, axis=1)


def _hypercube(count: int, knobs: int, rng: np.random.Generator) -> FloatArray:
    slices = np.stack([rng.permutation(count) for _ in range(knobs)], axis=1)
    return np.asarray((slices + rng.random((count, knobs))) / count, dtype=np.float64)


def _separation(points: FloatArray) -> float:
    """Mean distance of the closest points to their nearest neighbours: large if all keep apart."""
    squares = (points**2).sum(axis=1)
    distances = squares[:, None] + squares - 2 * points @ points.T
    np.fill_diagonal(distances, np.inf)
    nearest = np.sort(np.sqrt(np.maximum(distances.min(axis=1), 0.0)))
    return float(nearest[: max(1, int(_CLOSEST * len(points)))].mean())


def visiting_order(space: ModeSpace, modes: Iterable[PowerMode], seed: int = 0) -> list[PowerMode]:
    """Modes with the same cores one after the other, since cores are slow to come and go; the rest at random.

    The order is random otherwise, so that power and temperature do not rise from visit to visit: the effect of heat
    must not be mistaken for an effect of fast modes.

    Args:
        space: The modes that there are.
        modes: The modes to visit.
        seed: Makes the order reproducible.
    """
    cores = [knob.name for knob in space.knobs if knob.role == "cores"]
    rng = np.random.default_rng(seed)
    groups: dict[tuple[int, ...], list[PowerMode]] = defaultdict(list)
    for mode in modes:
        groups[tuple(mode[name] for name in cores)].append(mode)
    ordered = [groups[key] for key in sorted(groups)]
    return [
        group[row]
        for visit in rng.permutation(len(ordered))
        for group in [ordered[visit]]
        for row in rng.permutation(len(group))
    ]
