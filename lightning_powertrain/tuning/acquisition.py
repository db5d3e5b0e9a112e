"""The candidates of a search, and its acquisition function: what each mode is expected to gain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards import IntArray, ModeSpace, PowerMode
from lightning_powertrain.prediction import Prediction
from lightning_powertrain.profiling import sensor_noise
from lightning_powertrain.selection import TIME_NOISE, Objective, Selection, expected_improvement, guarded_excess

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

WORTH_VERIFYING = 0.01
"""A mode beyond those that were asked for has to be expected to be better by at least this share of the cost."""

HOPELESS = 1e-5
"""Below this a mode has no chance to be the best, and there is nothing left to look at."""


@dataclass(frozen=True)
class Candidate:
    """A mode to measure.

    Args:
        mode: The mode.
        is_verification: Whether it is expected to be the best, rather than one to learn from.
        expected: Time (ms) and power (W) that are predicted of it; None if it was not predicted.
    """

    mode: PowerMode
    is_verification: bool = False
    expected: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Acquisition:
    """The acquisition function of a decision, over the modes that it looks at.

    Args:
        rows: Rows of the modes that it looks at.
        prediction: Of these modes.
        value: Expected improvement of each on the best measured one; 0 where there is nothing left to learn.
        better: Whether each is expected within the budget by more than the noise of a measurement, and better than the
            best measured one by 1 %.
    """

    rows: IntArray
    prediction: Prediction
    value: FloatArray
    better: BoolArray

    def apart(self, levels: npt.NDArray[np.int16], count: int) -> list[int]:
        """Indices of the largest values of which no two are neighbours, since neighbours carry the same information.

        Args:
            levels: Of each mode, shape ``(n, knobs)``.
            count: How many at most.
        """
        chosen: list[int] = []
        for index in np.argsort(-self.value, kind="stable").tolist():
            if len(chosen) == count or self.value[index] < HOPELESS:
                break
            if all(np.abs(levels[index] - levels[other]).sum() > 1 for other in chosen):
                chosen.append(index)
        return chosen

    def candidate(self, space: ModeSpace, index: int, is_verification: bool = False) -> Candidate:
        """The mode at an index."""
        expected = float(self.prediction.time_ms[index]), float(self.prediction.power_w[index])
        return Candidate(space.mode(int(self.rows[index])), is_verification, expected)


def acquisition(
    objective: Objective, best: Selection, rows: IntArray, prediction: Prediction, is_open: BoolArray
) -> Acquisition:
    """How much a measurement of each mode is worth.

    Args:
        objective: What to look for.
        best: The best measured mode.
        rows: Rows of the modes to look at.
        prediction: Of these modes.
        is_open: Which of them no measurement has ruled out.
    """
    time_ms, power_w = prediction.time_ms, prediction.power_w
    to_beat = _cost_to_beat(objective, best, prediction)
    value = expected_improvement(objective, prediction, to_beat)
    if not best.is_confirmed and value.max() < HOPELESS:  # No mode can be hoped to meet the budget.
        value = np.clip(1 - objective.excess(time_ms, power_w) / best.excess, 0.0, 1.0) if best.excess else value
    beyond = guarded_excess(objective, time_ms, power_w, TIME_NOISE, sensor_noise(power_w))
    better = is_open & (beyond == 0) & (objective.cost(time_ms, power_w) < (1 - WORTH_VERIFYING) * to_beat)
    value = np.where(is_open, np.maximum(value, np.where(better, HOPELESS, 0.0)), 0.0)
    return Acquisition(rows, prediction, value, better)


def _cost_to_beat(objective: Objective, best: Selection, prediction: Prediction) -> float:
    """The cost of the best measured mode, if it meets the budget; else any mode that does is an improvement."""
    if best.is_confirmed:
        return best.cost
    costs = objective.cost(prediction.time_ms, prediction.power_w)
    within = objective.excess(prediction.time_ms, prediction.power_w) == 0
    return float(costs[within].max() if within.any() else costs.max())
