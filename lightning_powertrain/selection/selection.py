"""The choice: one mode out of those that were measured, and what was expected of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.profiling import Measurement, Profile
from lightning_powertrain.selection.objective import TIME_NOISE, Objective

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Selection:
    """The chosen mode, what is expected of it, and what was measured once it was set.

    Args:
        mode: The chosen mode.
        objective: What it was chosen for.
        time_ms: Expected time of a minibatch.
        power_w: Expected power.
        start: The mode that the job started in, as measured.
        time_error: Relative error to expect of ``time_ms``, as the predictor knows it; NaN if it does not.
        power_error: Likewise of ``power_w``.
        measured: The chosen mode as measured; None until then.
    """

    mode: PowerMode
    objective: Objective
    time_ms: float
    power_w: float
    start: Measurement
    time_error: float = float("nan")
    power_error: float = float("nan")
    measured: Measurement | None = None

    @property
    def excess(self) -> float:
        """How far the expected figures are beyond the budget, in the objective's unit; 0 when it is met."""
        return excess_of(self.objective, self.time_ms, self.power_w)

    @property
    def cost(self) -> float:
        """What the objective makes small: time (ms), power (W), energy (mJ) or energy-delay product (mJ ms)."""
        return float(self.objective.cost(np.array([self.time_ms]), np.array([self.power_w]))[0])

    @property
    def measured_excess(self) -> float | None:
        """How far the measured figures are beyond the budget, in the objective's unit; None until measured."""
        measured = self.measured
        return None if measured is None else excess_of(self.objective, measured.time_ms, measured.power_w)

    @property
    def is_confirmed(self) -> bool:
        """Whether the mode was measured to be within the budget by more than the noise of that measurement.

        What was measured while the board throttled confirms nothing.
        """
        return self.measured is not None and is_confirmed(self.objective, self.measured)


def is_confirmed(objective: Objective, measured: Measurement) -> bool:
    """Whether a mode was measured to be within a budget by more than the noise of that measurement."""
    return not measured.throttled_by and not _guarded_excess(objective, [measured]).any()


def guarded_excess(
    objective: Objective,
    time_ms: FloatArray,
    power_w: FloatArray,
    time_noise: FloatArray | float,
    power_noise: FloatArray | float,
) -> FloatArray:
    """How far modes are beyond a budget that they have to meet by more than the relative noise of a measurement."""
    if objective.is_relative:
        return objective.excess(time_ms, power_w)
    return objective.excess(time_ms * (1 + time_noise), power_w * (1 + power_noise))


def best_index(objective: Objective, time_ms: FloatArray, power_w: FloatArray) -> int:
    """Index of the best mode: of least cost within the budget, or else the one that misses it by least.

    Ties go to the mode of less energy, then to the first.
    """
    return _best(objective, time_ms, power_w, objective.excess(time_ms, power_w))


def select_measured(
    objective: Objective, profile: Profile, start: Measurement, ceiling_w: float = math.inf
) -> Selection:
    """Choose the best of the modes that were measured: within the budget by more than the noise of its measurement.

    A mode in which the board throttles is not chosen unless there is no other.

    Args:
        objective: What to choose for.
        profile: What was measured.
        start: The mode that the job started in, as measured; it counts too.
        ceiling_w: Power above which the board is known to throttle before long: such modes are not chosen either.
    """
    cool = [each for each in (start, *profile.measurements) if each.mode not in profile.throttling_modes] or [start]
    known = [each for each in cool if each.power_w <= ceiling_w] or [min(cool, key=lambda each: each.power_w)]
    time_ms, power_w = np.array([(each.time_ms, each.power_w) for each in known]).T
    excess = _guarded_excess(objective, known)
    best = known[_best(objective, time_ms, power_w, excess)]
    return Selection(best.mode, objective, best.time_ms, best.power_w, start, measured=best)


def _best(objective: Objective, time_ms: FloatArray, power_w: FloatArray, excess: FloatArray) -> int:
    # Where nothing meets the budget, the least excess itself becomes the bound.
    candidates = np.flatnonzero(excess <= excess.min())
    times, powers = time_ms[candidates], power_w[candidates]
    order = np.lexsort((times * powers, objective.cost(times, powers)))
    return int(candidates[order[0]])


def _guarded_excess(objective: Objective, known: Sequence[Measurement]) -> FloatArray:
    rows = [(each.time_ms, each.power_w, math.hypot(each.time_noise, TIME_NOISE), each.power_noise) for each in known]
    return guarded_excess(objective, *np.array(rows).T)


def excess_of(objective: Objective, time_ms: float, power_w: float) -> float:
    """How far one mode is beyond the budget, in the objective's unit; 0 when it is met."""
    return float(objective.excess(np.array([time_ms]), np.array([power_w]))[0])
