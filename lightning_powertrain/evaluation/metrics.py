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


@dataclass(frozen=True, eq=False)
class Decisions:
    """What the choices for some power limits cost.

    Args:
        limits_w: The limits, rising, shape ``(n,)``.
        penalties: How much slower each choice is than the true optimum, in per cent; one above the limit may be faster,
            which counts as it is.
        excesses_w: How far each choice truly draws more than its limit; 0 where it does not.
    """

    limits_w: FloatArray
    penalties: FloatArray
    excesses_w: FloatArray

    @property
    def penalty(self) -> float:
        """Mean penalty, in per cent."""
        return float(self.penalties.mean())

    @property
    def above(self) -> float:
        """Share of choices that truly draw more than the limit, in per cent."""
        return _percent(self.excesses_w > 0)

    @property
    def above_half_w(self) -> float:
        """Share of choices more than 0.5 W above it, in per cent."""
        return _percent(self.excesses_w > 0.5)

    @property
    def above_1_w(self) -> float:
        """Share of choices more than 1 W above it, in per cent."""
        return _percent(self.excesses_w > 1.0)

    @property
    def mean_excess_w(self) -> float:
        """Mean excess over all choices."""
        return float(self.excesses_w.mean())

    @property
    def largest_excess_w(self) -> float:
        """Largest excess."""
        return float(self.excesses_w.max())

    def record(self) -> dict[str, float]:
        """The figures over all limits, by name."""
        names = ("penalty", "above", "above_half_w", "above_1_w", "mean_excess_w", "largest_excess_w")
        return {name: getattr(self, name) for name in names}


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


def possible_limits_w(limits_w: FloatArray, truth: Costs) -> FloatArray:
    """The limits that some mode truly meets: the others decide nothing."""
    return np.asarray(limits_w[limits_w >= truth.power_w.min()], dtype=np.float64)


def decisions_of(estimated: Costs, actual: Costs, truth: Costs, limits_w: FloatArray) -> Decisions | None:
    """Choices of the fastest mode within each power limit; None if no limit can be met at all.

    Args:
        estimated: What the method holds for true of its candidates.
        actual: What these candidates truly cost.
        truth: What all modes truly cost: the optimum is among them.
        limits_w: The limits.
    """
    possible_w = possible_limits_w(limits_w, truth)
    rows = [best_index(PowerBudget(limit_w), estimated.time_ms, estimated.power_w) for limit_w in possible_w.tolist()]
    return judge(Costs(actual.time_ms[rows], actual.power_w[rows]), truth, possible_w)


def judge(chosen: Costs, truth: Costs, limits_w: FloatArray) -> Decisions | None:
    """What choices cost; None if there are none.

    Args:
        chosen: What the choice for each limit truly costs, shape ``(n,)`` each.
        truth: What all modes truly cost.
        limits_w: The limits, each of which some mode truly meets, shape ``(n,)``.
    """
    if not len(limits_w):
        return None
    optima_ms = np.array([truth.time_ms[truth.power_w <= limit_w].min() for limit_w in limits_w])
    return Decisions(
        limits_w=limits_w,
        penalties=100 * (chosen.time_ms / optima_ms - 1),
        excesses_w=np.maximum(0.0, chosen.power_w - limits_w),
    )


def _percent(shares: FloatArray | BoolArray) -> float:
    return 100 * float(np.mean(shares)) if len(shares) else float("nan")


def _held(low: FloatArray | None, high: FloatArray | None, truth: FloatArray) -> float:
    if low is None or high is None or not (np.isfinite(low).all() and np.isfinite(truth).all()):
        return float("nan")
    return _percent((low <= truth) & (truth <= high))
