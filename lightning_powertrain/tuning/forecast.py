"""What a predictor makes of the modes of a board, computed when somebody asks."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import numpy as np

from lightning_powertrain.boards import IntArray, ModeSpace, PowerMode
from lightning_powertrain.prediction import BasePredictor, Prediction
from lightning_powertrain.profiling import Profile

# More points than this no figure shows, and predicting them would take seconds.
_MOST = 20_000


class Forecast:
    """Predictions from a profile, for reports: decisions do without predicting all modes.

    Args:
        space: The modes of the board.
        predictor: Is fitted to the profile once more when a prediction is asked for, as others may have used it since.
        profile: What it learns from.
    """

    def __init__(self, space: ModeSpace, predictor: BasePredictor, profile: Profile) -> None:
        self._space = space
        self._predictor = predictor
        self._profile = profile

    @cached_property
    def rows(self) -> IntArray:
        """Rows of the modes that :attr:`prediction` is of: all, or a random 20,000 of a larger board; sorted."""
        if len(self._space) <= _MOST:
            return np.arange(len(self._space))
        return np.sort(np.random.default_rng(0).choice(len(self._space), _MOST, replace=False))

    @cached_property
    def prediction(self) -> Prediction:
        """Time and power of the modes of :attr:`rows`."""
        return self._predicted(self._space.array[self.rows])

    def of(self, modes: Iterable[PowerMode]) -> Prediction:
        """Time and power of some modes, which need not be in the tables of the board."""
        return self._predicted(self._space.rows(modes))

    def _predicted(self, modes: IntArray) -> Prediction:
        if len(self._profile) < self._predictor.minimum_modes:
            return self._measured_nearest_to(modes)
        self._predictor.fit(self._profile)
        return self._predictor.predict(modes)

    def _measured_nearest_to(self, modes: IntArray) -> Prediction:
        """On a board with too few modes to learn from, all of which are measured."""
        apart = np.abs(modes[:, None] / self._profile.modes[None] - 1.0).sum(axis=2)
        nearest = apart.argmin(axis=1)
        return Prediction(self._profile.time_ms[nearest], self._profile.power_w[nearest])
