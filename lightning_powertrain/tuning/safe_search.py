"""A search that never measures above a power limit, for a power supply that cannot deliver more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards import IntArray, PowerMode
from lightning_powertrain.errors import BudgetError, PowerTrainError
from lightning_powertrain.prediction import Prediction
from lightning_powertrain.profiling import Profile
from lightning_powertrain.selection import Selection
from lightning_powertrain.tuning.acquisition import Acquisition
from lightning_powertrain.tuning.search import WORTH_MEASURING, Search

FloatArray = npt.NDArray[np.float64]

# A mode is measured if its power, plus this many times its spread, is within the budget. With 2.5 a few in ten thousand
# are above it, once by 1 W (simulated: docs/evaluation.md).
_SPREADS = 3.0
# And if some measured mode is near enough that no model has to extrapolate far from its measurements: all knobs
# together may differ by half of the table of one.
_REACH = 0.5
# For so many of the modes of the largest values that are not safe, a safe one on the way is looked for.
_WANTED = 10
# A step towards one of them has to leave at most this share of the way.
_CLOSER = 0.75
# The first modes raise one knob each, by this share of its table, above everything at its lowest.
_FIRST_STEP = 0.2


class SafeSearch(Search):
    """Starts from the lowest mode, and measures only modes whose upper bound of power lies within the budget.

    The bound is that of the predictor, which every measurement moves outwards. Each next mode is the one of the largest
    expected improvement among those. Where the largest is below 0.3 %, it is one on the way to a better mode that may
    turn out to be within the budget; the search ends where there is none. Expects a start in the lowest mode, and an
    objective that limits power.

    Raises:
        BudgetError: If not even the lowest mode is within the budget.
    """

    @property
    def _limit_w(self) -> float:
        assert self.objective.power_limit_w is not None
        return self.objective.power_limit_w

    def safe_among(self, modes: Sequence[PowerMode], profile: Profile) -> list[PowerMode]:
        """Those of some modes that may be measured, as far as is known from a profile."""
        self._fit(profile)
        rows = self._space.rows_of(modes)
        rows = rows[self._is_near(profile)[rows]]
        if not len(rows):
            return []
        return [self._space.mode(int(row)) for row in rows[self._is_within(self._predict(rows))]]

    def _other_modes(self) -> list[PowerMode]:
        return []  # It is not known whether they are within the budget.

    @cached_property
    def _near(self) -> npt.NDArray[np.bool_]:
        """Which modes are near one of those in :attr:`_reached`."""
        return np.zeros(len(self._space), dtype=np.bool_)

    @cached_property
    def _reached(self) -> set[int]:
        """Rows of measured modes, which only become more in the course of a search."""
        return set()

    def _first_modes(self) -> list[PowerMode]:
        if self.start.power_w > self._limit_w:
            raise BudgetError(
                f"even the lowest power mode draws {self.start.power_w:.3g} W, so no mode keeps a hard limit of "
                f"{self._limit_w:g} W: give a larger budget"
            )
        levels, tops = self._space.levels, np.array(self._space.shape) - 1
        steps = np.minimum(tops, np.maximum(1, np.round(_FIRST_STEP * tops))).astype(np.int64)
        # Of a space that lacks some combinations, the nearest that there is, if no knob of it is higher than its step.
        raised = [int(np.abs(levels - target).sum(axis=1).argmin()) for target in np.diag(steps)]
        is_low = (levels <= steps).all(axis=1)
        rows = [row for row in dict.fromkeys(raised) if is_low[row]]
        # A board of few knobs or combinations needs more for a first fit: the nearest to the lowest of the other ones.
        lowest = self._space.rows_of([self._space.lowest])
        others = np.setdiff1d(np.flatnonzero(is_low), [*rows, *lowest])
        nearest = others[np.argsort(self._distances(others, lowest), kind="stable")].tolist()
        rows += nearest[: max(0, self._minimum - 1 - len(rows))]
        return [self._space.mode(row) for row in rows]

    def _too_few(self, profile: Profile) -> str:
        if profile.throttled:
            return super()._too_few(profile)
        return (
            f"the predictor needs {self._minimum} power modes near the lowest one to keep a hard limit, and this board "
            f"has {len({each.mode for each in profile.measurements})}"
        )

    def _begin_with(self, profile: Profile) -> IntArray:
        return self._candidates.some_of(np.flatnonzero(self._is_near(profile)))

    def _judged(self, rows: IntArray, prediction: Prediction, profile: Profile, best: Selection) -> Acquisition:
        seen = super()._judged(rows, prediction, profile, best)
        safe = self._is_within(prediction) & self._is_near(profile)[rows] & (prediction.power_w <= self._ceiling_w)
        value = np.where(safe, seen.value, 0.0)
        if value.max() < WORTH_MEASURING:
            wanted = np.where(seen.better & ~safe, seen.value, 0.0)
            value = np.maximum(value, self._stepping_stone(rows, wanted, safe, profile))
        return replace(seen, value=value, better=seen.better & safe)

    def _stepping_stone(
        self, rows: IntArray, wanted: FloatArray, safe: npt.NDArray[np.bool_], profile: Profile
    ) -> FloatArray:
        """A value for the safe mode that leads closest to one that is expected to be better, but not yet safe.

        Measuring it narrows the bounds around it (as the expanders of SafeOpt, Sui et al. 2015). It has to be much
        closer to the better mode than all that were measured, so that there is an end to it.
        """
        measured = self._measured_rows(profile)
        closed = self._space.rows_of(profile.throttling_modes | self._unreachable)
        stones = np.setdiff1d(rows[safe], [*measured, *closed])
        value = np.zeros(len(rows))
        for index in np.argsort(-wanted, kind="stable")[:_WANTED]:
            if not wanted[index] or not len(stones):
                break
            target = rows[[index]]
            distances = self._distances(stones, target)
            nearest = int(np.argmin(distances))
            if distances[nearest] < _CLOSER * self._distances(np.array(measured, dtype=np.int64), target).min():
                value[rows == stones[nearest]] = WORTH_MEASURING
                break
        return value

    def _distances(self, rows: IntArray, row: IntArray) -> npt.NDArray[np.float32]:
        """By how much all knobs together differ from those of one mode, as shares of their tables."""
        tops = np.maximum(np.array(self._space.shape) - 1, 1).astype(np.float32)
        levels = self._space.levels
        return np.asarray(np.abs(levels[rows] / tops - levels[row] / tops).sum(axis=1), dtype=np.float32)

    def _may_be_kept(self, mode: PowerMode) -> bool:
        return super()._may_be_kept(mode) and bool(self._is_within(self._predict(self._space.rows_of([mode])))[0])

    def _is_within(self, prediction: Prediction) -> npt.NDArray[np.bool_]:
        """Of which modes the upper bound of power lies within the budget."""
        if prediction.power_high_w is None:
            raise PowerTrainError("hard_limit=True needs a predictor that gives intervals, such as GreyBoxTransfer")
        bound_w = prediction.power_w * np.exp(_SPREADS * prediction.power_spread)
        return np.asarray(bound_w <= self._limit_w)

    def _is_near(self, profile: Profile) -> npt.NDArray[np.bool_]:
        """Which modes of the board are near one that was measured."""
        everything = np.arange(len(self._space))
        for row in set(self._measured_rows(profile)) - self._reached:
            self._near |= self._distances(everything, np.array([row])) <= _REACH
            self._reached.add(row)
        return self._near

    def _measured_rows(self, profile: Profile) -> list[int]:
        rows: list[int] = self._space.rows_of(each.mode for each in profile.measurements).tolist()
        return rows
