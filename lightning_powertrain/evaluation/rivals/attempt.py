"""What a search of others may ask of a board: the levels of its knobs, and what measuring a mode gives."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards import ListedModes
from lightning_powertrain.profiling import Profile
from lightning_powertrain.selection import PowerBudget, select_measured

FloatArray = npt.NDArray[np.float64]
LevelArray = npt.NDArray[np.int64]


class MeasuredBoard:
    """What measuring each mode of a board gives. A mode is a row; its levels count the values that occur.

    Args:
        measured: Row by row.
    """

    def __init__(self, measured: Profile) -> None:
        self.measured = measured
        self.space = ListedModes(measured.knobs, tuple(each.mode for each in measured.measurements))
        # Of a grid only some values of each table occur.
        columns = [np.unique(column, return_inverse=True)[1].ravel() for column in measured.modes.T]
        self.levels: LevelArray = np.column_stack(columns).astype(np.int64)
        self.tops: LevelArray = self.levels.max(axis=0)
        self.shares: FloatArray = self.levels / np.maximum(self.tops, 1)
        self.time_ms, self.power_w = measured.time_ms, measured.power_w


class Attempt:
    """A search on one board within one limit; it starts in the mode in the middle of all tables, which is measured.

    Args:
        board: The board.
        limit_w: The power limit.
        most: Modes that may be measured, the first one included.
        seed: Of everything random.
    """

    def __init__(self, board: MeasuredBoard, limit_w: float, most: int, seed: int) -> None:
        self._board = board
        self._most = min(most, len(board.levels))
        self.levels, self.tops, self.shares = board.levels, board.tops, board.shares
        self.limit_w = limit_w
        self.random = np.random.default_rng(seed)
        self.rows: list[int] = []
        self.measure(self.nearest(self.tops // 2))

    @property
    def is_over(self) -> bool:
        """Whether no further mode may be measured."""
        return len(self.rows) >= self._most

    @property
    def time_ms(self) -> FloatArray:
        """Times of the measured modes, in the order of :attr:`rows`."""
        return self._board.time_ms[self.rows]

    @property
    def power_w(self) -> FloatArray:
        """Powers of the measured modes, in the order of :attr:`rows`."""
        return self._board.power_w[self.rows]

    @property
    def best(self) -> int:
        """The fastest measured mode within the limit, or else the one of least power."""
        return min(self.rows, key=self.score)

    def nearest(self, levels: LevelArray) -> int:
        """The mode of some levels, or the nearest that this board has."""
        distances = (np.abs(self.levels - levels) / np.maximum(self.tops, 1)).sum(axis=1)
        return int(distances.argmin())

    def measure(self, row: int) -> bool:
        """Measure a mode, unless it was measured or no further one may be; returns whether it is within the limit."""
        if row not in self.rows and not self.is_over:
            self.rows.append(row)
        return bool(self._board.power_w[row] <= self.limit_w)

    def cost(self, row: int) -> tuple[float, float]:
        """Time (ms) and power (W) of a measured mode."""
        assert row in self.rows
        return float(self._board.time_ms[row]), float(self._board.power_w[row])

    def score(self, row: int) -> tuple[float, float]:
        """Orders measured modes: those above the limit come last, by power; the others by time."""
        time_ms, power_w = self.cost(row)
        return (0.0, time_ms) if power_w <= self.limit_w else (power_w, time_ms)

    def kept(self) -> int:
        """The mode that a tuned job would keep after measuring the same modes."""
        measured = self._board.measured
        profile = replace(measured, measurements=tuple(measured.measurements[row] for row in self.rows))
        kept = select_measured(PowerBudget(self.limit_w), profile, profile.measurements[0])
        return self._board.space.index(kept.mode)


Rival = Callable[[Attempt], None]
"""Measures modes of an attempt, at most as many as it may."""
