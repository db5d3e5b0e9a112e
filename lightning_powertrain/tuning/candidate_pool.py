"""Which modes a decision looks at: of a large board a sample, and the neighbours of the best candidates."""

from __future__ import annotations

from functools import cached_property
from itertools import combinations

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards import IntArray, ModeSpace

# A board of fewer modes is looked at as a whole.
_SAMPLE = 1000
# Steps of one knob, in values of its table; two knobs move by one value each.
_STRIDES = (1, 2, 4)


class CandidatePool:
    """The modes of a board as a search looks at them: some of all, then the neighbours of some of those.

    An acquisition function over many modes is largest somewhere near where it is large in a sample, and a local search
    from there finds it (as in SMAC, Hutter et al. 2011). That costs the same on a board of any size.

    Args:
        space: The modes of the board.
        seed: Of the sample.
    """

    def __init__(self, space: ModeSpace, seed: int) -> None:
        self._space = space
        self._seed = seed
        self._moves = _moves(len(space.knobs))

    @cached_property
    def sample(self) -> IntArray:
        """Rows to begin with, sorted: all of a small board, else a random thousand."""
        return self.some_of(np.arange(len(self._space)))

    @property
    def is_complete(self) -> bool:
        """Whether the sample is the whole board."""
        return len(self.sample) == len(self._space)

    def pool(self, count: int) -> IntArray:
        """Rows to draw the first modes from, sorted: the highest mode, and others at random if there are more."""
        if len(self._space) <= count:
            return np.arange(len(self._space))
        highest = int(self._space.levels.sum(axis=1).argmax())
        others = np.random.default_rng(self._seed).choice(len(self._space), count, replace=False)
        return np.unique([highest, *others])

    def some_of(self, rows: IntArray) -> IntArray:
        """Rows as they are if they are few, else a random thousand of them, sorted."""
        if len(rows) <= _SAMPLE:
            return rows
        return np.sort(np.random.default_rng(self._seed).choice(rows, _SAMPLE, replace=False))

    def near(self, rows: IntArray, known: IntArray) -> IntArray:
        """Rows of the neighbours of some modes that are not known yet, sorted."""
        levels = self._space.levels[rows, None, :] + self._moves
        return np.setdiff1d(self._space.rows_at(levels.reshape(-1, levels.shape[-1])), known)


def _moves(knobs: int) -> npt.NDArray[np.int16]:
    """Differences of levels between a mode and its neighbours, shape ``(n, knobs)``."""
    unit = np.eye(knobs, dtype=np.int16)
    single = [sign * stride * axis for axis in unit for stride in _STRIDES for sign in (-1, 1)]
    double = [a * unit[i] + b * unit[j] for i, j in combinations(range(knobs), 2) for a in (-1, 1) for b in (-1, 1)]
    return np.array([*single, *double], dtype=np.int16)
