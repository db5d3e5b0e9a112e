"""Which modes to measure before the predictor is first asked."""

from __future__ import annotations

import numpy as np

from lightning_powertrain.boards import IntArray, ModeSpace, PowerMode
from lightning_powertrain.prediction import BasePredictor
from lightning_powertrain.profiling import latin_hypercube_rows, visiting_order
from lightning_powertrain.tuning.candidate_pool import CandidatePool

# Modes to learn from before the predictor is asked where the best may be, out of this share of the board: the fastest,
# as the reference workload says. Of slow modes a few take longer than all others, and are the best for hardly any
# budget; where they are, the predictor will say so (benchmarks/job.py, docs/evaluation.md).
_LEARN_FROM = 7
_FAST = 0.3
# Of a larger board these come from so many modes, drawn at random.
_POOL = 2000


class InitialDesign:
    """The modes that are most informative about all others, or modes that are spread evenly if the predictor has none.

    Args:
        space: The modes of the board.
        predictor: May say which modes are most informative, and which are fast.
        pool: Draws modes of a large board.
        seed: Makes the choice reproducible.
    """

    def __init__(self, space: ModeSpace, predictor: BasePredictor, pool: CandidatePool, seed: int) -> None:
        self._space = space
        self._predictor = predictor
        self._pool = pool
        self._seed = seed

    def fast_modes(self, most: int, minimum: int) -> list[PowerMode]:
        """Modes out of the fast part of the board, in the order in which to measure them.

        Args:
            most: How many at most.
            minimum: How many the predictor needs.
        """
        count = min(most, max(_LEARN_FROM, minimum), len(self._space))
        return self._designed(self._fast_rows(count), count)

    def modes(self, count: int) -> list[PowerMode]:
        """Modes out of all, for a board that throttles in the fast ones."""
        return self._designed(self._pool.pool(max(count, _POOL)), count)

    def _designed(self, among: IntArray, count: int) -> list[PowerMode]:
        modes = self._space.array[among]
        rows = self._predictor.initial_design(self._space.knobs, modes, count, self._seed)
        if rows is None:
            rows = latin_hypercube_rows(modes, count, self._seed)
        return visiting_order(self._space, map(self._space.mode, among[rows].tolist()), self._seed)

    def _fast_rows(self, at_least: int) -> IntArray:
        """Rows of the fastest modes; of all if nothing is known before anything is measured."""
        pool = self._pool.pool(max(at_least, _POOL))
        reference_ms = self._predictor.reference_time_ms(self._space.array[pool])
        if reference_ms is None:
            return pool
        return np.sort(pool[np.argsort(reference_ms, kind="stable")[: max(at_least, round(_FAST * len(pool)))]])
