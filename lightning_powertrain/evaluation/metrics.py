"""How wrong a prediction is, and what its choices cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lightning_powertrain.prediction import Prediction
from lightning_powertrain.profiling import Profile
from lightning_powertrain.selection import PowerBudget, best_index

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_NEAR_FRONT = 1.1


class Costs(NamedTuple):
    """Time (ms) and power (W) of some modes, shape ``(n,)`` each."""

    time_ms: FloatArray
    power_w: FloatArray


@dataclass(frozen=True)
class Errors:
    """Mean absolute percentage errors, in per cent, and the share of 90 % intervals that hold, in per cent.

    Args:
        time: Of the time, over all modes.
        power: Of the power, over all modes.
        time_unmeasured: Of the time, over the modes that were not measured.
        power_unmeasured: Of the power, over these.
        time_front: Of the time, over the modes near the true Pareto front.
        power_front: Of the power, over these.
        time_held: Share of the intervals of time that hold; NaN if the method gives none.
        power_held: Share of those of power.
    """

    time: float
    power: float
    time_unmeasured: float
    power_unmeasured: float
    time_front: float
    power_front: float
    time_held: float
    power_held: float


@dataclass(frozen=True)
class Decisions:
    """What the choices for some power limits cost.

    Args:
        penalty: Mean over limits of how much slower the choice is than the true optimum, in per cent; a choice above
            the limit may be faster, which counts as it is.
        above: Share of choices that truly draw more than the limit, in per cent.
        above_half_w: Share of choices more than 0.5 W above it.
        above_1_w: Share of choices more than 1 W above it.
        mean_excess_w: Mean excess over all choices.
        largest_excess_w: Largest excess.
    """

    penalty: float
    above: float
    above_half_w: float
    above_1_w: float
    mean_excess_w: float
    largest_excess_w: float


def errors_of(prediction: Prediction, truth: Profile, measured: BoolArray) -> Errors:
    """Errors of the prediction of all modes.

    Args:
        prediction: In the order of ``truth``.
        truth: What is true.
        measured: Which modes were measured, shape ``(n,)``.
    """
    costs = Costs(truth.time_ms, truth.power_w)
    time_off = np.abs(prediction.time_ms / costs.time_ms - 1)
    power_off = np.abs(prediction.power_w / costs.power_w - 1)
    front = near_front(costs) if np.isfinite(costs.power_w).all() else np.zeros(len(truth), dtype=np.bool_)
    return Errors(
        time=_percent(time_off),
        power=_percent(power_off),
        time_unmeasured=_percent(time_off[~measured]),
        power_unmeasured=_percent(power_off[~measured]),
        time_front=_percent(time_off[front]),
        power_front=_percent(power_off[front]),
        time_held=_held(prediction.time_low_ms, prediction.time_high_ms, costs.time_ms),
        power_held=_held(prediction.power_low_w, prediction.power_high_w, costs.power_w),
    )


def near_front(costs: Costs) -> BoolArray:
    """Modes at most 10 % slower than the fastest that draws no more than they do.

    >>> near_front(Costs(np.array([10.0, 10.5, 20.0]), np.array([5.0, 6.0, 7.0]))).tolist()
    [True, True, False]
    """
    order = np.lexsort((costs.time_ms, costs.power_w))
    best = np.minimum.accumulate(costs.time_ms[order])
    near = np.empty(len(order), dtype=np.bool_)
    near[order] = costs.time_ms[order] <= _NEAR_FRONT * best
    return near


def decisions_of(believed: Costs, actual: Costs, truth: Costs, limits_w: FloatArray) -> Decisions | None:
    """Choices of the fastest mode within each power limit; None if no limit can be met at all.

    Args:
        believed: What the method holds for true of its candidates.
        actual: What these candidates truly cost.
        truth: What all modes truly cost: the optimum is among them. Limits that no mode meets are left out.
        limits_w: The limits.
    """
    penalties, excesses = [], []
    for limit_w in limits_w[limits_w >= truth.power_w.min()]:
        chosen = best_index(PowerBudget(float(limit_w)), believed.time_ms, believed.power_w)
        optimum_ms = truth.time_ms[truth.power_w <= limit_w].min()
        penalties.append(100 * (actual.time_ms[chosen] / optimum_ms - 1))
        excesses.append(max(0.0, actual.power_w[chosen] - limit_w))
    if not penalties:
        return None
    excess_w = np.array(excesses)
    return Decisions(
        penalty=float(np.mean(penalties)),
        above=_percent(excess_w > 0),
        above_half_w=_percent(excess_w > 0.5),
        above_1_w=_percent(excess_w > 1.0),
        mean_excess_w=float(excess_w.mean()),
        largest_excess_w=float(excess_w.max()),
    )


def _percent(shares: FloatArray | BoolArray) -> float:
    return 100 * float(np.mean(shares)) if len(shares) else float("nan")


def _held(low: FloatArray | None, high: FloatArray | None, truth: FloatArray) -> float:
    if low is None or high is None or not (np.isfinite(low).all() and np.isfinite(truth).all()):
        return float("nan")
    return _percent((low <= truth) & (truth <= high))
