"""What a tuned job finds, replayed on a profile of all modes: the engine's own search, without running a minibatch."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np

from lightning_powertrain.boards import IntArray, Knob, ListedModes
from lightning_powertrain.evaluation.metrics import FloatArray
from lightning_powertrain.prediction import BasePredictor, Prediction
from lightning_powertrain.profiling import Measurement, Profile
from lightning_powertrain.selection import Objective, select_measured
from lightning_powertrain.tuning.config import MAX_MODES
from lightning_powertrain.tuning.safe_search import SafeSearch
from lightning_powertrain.tuning.search import Search

Kind = Literal["search", "auto", "hard"]
"""A number of modes, and some verifications; until the choice is settled; never above a hard limit, until settled."""

# Searches for neighbouring limits share their first fits.
_REMEMBERED = 100


@dataclass(frozen=True)
class Found:
    """How a search ended.

    Args:
        row: Row of the mode in which the job stays.
        measured: Rows that were measured, the mode that the job started in first.
    """

    row: int
    measured: tuple[int, ...]


class CachedPredictor(BasePredictor):
    """Fits a profile only once, however many searches come to it.

    Args:
        predictor: What is fitted.
    """

    def __init__(self, predictor: BasePredictor) -> None:
        self._predictor = predictor
        self._profile: Profile | None = None
        self._fitted = lru_cache(maxsize=_REMEMBERED)(self._fit)

    @property
    def minimum_modes(self) -> int:
        """Those of the predictor."""
        return self._predictor.minimum_modes

    def fit(self, profile: Profile) -> None:
        """Remember what to fit; that is done once a prediction is asked for."""
        self._profile = profile

    def reference_time_ms(self, modes: IntArray) -> FloatArray | None:
        """That of the predictor."""
        return self._predictor.reference_time_ms(modes)

    def initial_design(self, knobs: Sequence[Knob], modes: IntArray, count: int, seed: int) -> IntArray | None:
        """Those of the predictor."""
        return self._predictor.initial_design(knobs, modes, count, seed)

    def predict(self, modes: IntArray) -> Prediction:
        """Predict modes."""
        assert self._profile is not None
        return self._fitted(self._profile.measurements).predict(modes)

    def _fit(self, measurements: tuple[Measurement, ...]) -> BasePredictor:
        assert self._profile is not None
        # A fit replaces what was learned, and changes nothing in place: a shallow copy keeps it.
        self._predictor.fit(self._profile)
        return copy(self._predictor)


class ClosedLoop:
    """Searches that measure by looking up, each for an objective of its own.

    They see what measuring would give, never the truth. A job starts in the mode in the middle of all tables, or under
    a hard limit in the lowest.

    Args:
        measured: What measuring each mode would give, row by row.
        predictor: What the searches fit.
        seed: Of the modes that are measured first.
    """

    def __init__(self, measured: Profile, predictor: BasePredictor, seed: int = 0) -> None:
        self._measured = measured
        self._predictor = CachedPredictor(predictor)
        self._seed = seed
        self._space = ListedModes(measured.knobs, tuple(each.mode for each in measured.measurements))

    def verify(self, sample: Sequence[int], objective: Objective) -> Found:
        """What a job keeps that measured a sample of at least two modes already: only verifications are left."""
        start = self._measured.measurements[sample[0]]
        search = Search(self._space, self._predictor, objective, start, len(sample) - 1)
        return self._play(search, sample)

    def search(self, kind: Kind, objective: Objective, most: int = MAX_MODES) -> Found:
        """What a job finds from scratch.

        Args:
            kind: How it searches.
            objective: What it looks for.
            most: Modes to measure besides the one that it starts in, and besides verifications.

        Raises:
            BudgetError: If not even the lowest mode keeps a hard limit.
        """
        first = self.first_row(kind)
        search = (SafeSearch if kind == "hard" else Search)(
            *(self._space, self._predictor, objective, self._measured.measurements[first]),
            most=min(most, len(self._space)),
            until_settled=kind != "search",
            seed=self._seed,
        )
        return self._play(search, [first])

    def first_row(self, kind: Kind) -> int:
        """Row of the mode that a job starts in."""
        tops = np.array(self._space.shape) - 1
        heights = self._space.levels / np.maximum(tops, 1)
        return int(np.abs(heights - (0.0 if kind == "hard" else 0.5)).sum(axis=1).argmin())

    def _play(self, search: Search, rows: Sequence[int]) -> Found:
        profile = replace(self._measured, measurements=tuple(self._measured.measurements[row] for row in rows))
        while candidate := search.next_planned(profile) or search.next_by_acquisition(profile):
            profile = profile.with_measurements([self._measured.measurements[self._space.index(candidate.mode)]])
        kept = select_measured(search.objective, profile, search.start)
        return Found(self._space.index(kept.mode), tuple(self._space.index(each.mode) for each in profile.measurements))
