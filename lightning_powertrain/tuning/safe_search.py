"""A search that keeps a power budget while it looks around, for a supply that really ends there."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards import IntArray, PowerMode
from lightning_powertrain.errors import BudgetError, PowerTrainError
from lightning_powertrain.prediction import Prediction
from lightning_powertrain.profiling import Profile
from lightning_powertrain.selection import PowerBudget, Selection
from lightning_powertrain.tuning.search import Search

FloatArray = npt.NDArray[np.float64]

# A mode is measured if its power, plus this many times its spread, is within the budget. With 2.5 a few in ten thousand
# are above it, once by 1 W (simulated: docs/evaluation.md).
_SPREADS = 3.0
# And if some measured mode is near enough that no model has to be believed far from where it was seen: all knobs
# together may differ by half of the table of one.
_REACH = 0.5
# The first modes raise one knob each, by this share of its table, above everything at its lowest.
_FIRST_STEP = 0.2


class SafeSearch(Search):
    """Starts from the lowest mode, and measures only modes whose upper bound of power lies within the budget.

    The bound is that of the predictor, which every measurement moves outwards. Each next mode is the one of the largest
    expected improvement among those; the search ends when none promises more than 0.3 %. Expects a start in the lowest
    mode, and an objective that is a :class:`~lightning_powertrain.selection.PowerBudget`.

    Raises:
        BudgetError: If not even the lowest mode is within the budget.
    """

    def _other_modes(self) -> list[PowerMode]:
        return []  # Nobody knows whether they are within the budget.

    def _first_modes(self) -> list[PowerMode]:
        assert isinstance(self.objective, PowerBudget)
        if self.start.power_w > self.objective.limit_w:
            raise BudgetError(
                f"even the lowest power mode draws {self.start.power_w:.3g} W: no mode keeps a hard budget of "
                f"{self.objective.limit_w:g} W, only a larger one"
            )
        levels, tops = self._space.levels, np.array(self._space.shape) - 1
        steps = np.minimum(tops, np.maximum(1, np.round(_FIRST_STEP * tops))).astype(np.int64)
        # Of a space that lacks some combinations, the nearest that there is.
        raised = [int(np.abs(levels - target).sum(axis=1).argmin()) for target in np.diag(steps)]
        return [self._space.mode(row) for row in dict.fromkeys(raised)]

    def _begin_with(self, profile: Profile) -> IntArray:
        return self._candidates.some_of(np.flatnonzero(self._is_near(np.arange(len(self._space)), profile)))

    def _promise(self, rows: IntArray, prediction: Prediction, profile: Profile, best: Selection) -> FloatArray:
        promise = super()._promise(rows, prediction, profile, best)
        return np.where(self._is_within(prediction) & self._is_near(rows, profile), promise, 0.0)

    def _may_be_kept(self, mode: PowerMode) -> bool:
        return super()._may_be_kept(mode) and bool(self._is_within(self._predict(self._space.rows_of([mode])))[0])

    def _is_within(self, prediction: Prediction) -> npt.NDArray[np.bool_]:
        """Of which modes the upper bound of power lies within the budget."""
        if prediction.power_high_w is None:
            raise PowerTrainError("hard=True needs a predictor that gives intervals, such as GreyBoxTransfer")
        assert isinstance(self.objective, PowerBudget)
        bound_w = prediction.power_w * np.exp(_SPREADS * prediction.power_spread)
        return np.asarray(bound_w <= self.objective.limit_w)

    def _is_near(self, rows: IntArray, profile: Profile) -> npt.NDArray[np.bool_]:
        """Which modes are near one that was measured."""
        tops = np.maximum(np.array(self._space.shape) - 1, 1)
        positions = (self._space.levels[rows] / tops).astype(np.float32)
        near = np.zeros(len(rows), dtype=np.bool_)
        for row in np.unique(self._space.rows_of(each.mode for each in profile.measurements)):
            away = np.abs(positions - (self._space.levels[row] / tops).astype(np.float32)).sum(axis=1)
            near |= away <= _REACH
        return near
