"""How long profiling will yet take: how many modes the search has still to measure, and how long each of them takes.

Neither is known before the search has ended. The constants are those with which most simulated jobs keep the estimates
to within a quarter of what profiling takes in all (benchmarks/time_left.py).
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from lightning_powertrain.profiling import Measurement, WindowPlan
from lightning_powertrain.selection import Objective
from lightning_powertrain.tuning.plan import ProfilingPlan

FloatArray = npt.NDArray[np.float64]

# How many modes a search measures until none is expected to improve on the best, where it may go on for so long; fewer
# where it ends once the choice is settled.
_ENOUGH = 42
_ENOUGH_TO_SETTLE = 16
# A search that is cut far short tries up to five modes more; so many are at most a quarter off in all of ten.
_VERIFICATIONS = 2.2
_FAR_SHORT = 18
# Hardly any search for so few modes ends before it has measured them; longer ones do, and it is not known when.
_SURE = 30
# Windows of which every tenth whole search of them takes more are this much longer.
_MARGIN = 1.1
# Each window rules out other modes too: of n that may improve on the best about sqrt(n) to 2.6 sqrt(n) are measured.
_LEAST_PER_ROOT = 1.0
_PER_ROOT = 2.6
# So many of those with the largest values are measured next.
_NEXT = 8

# The best mode within a power limit is slower than the start by this power of how much more that draws; and of the
# modes that are measured few are much faster than the start.
_TIME_OVER_POWER = 0.7
_FASTEST = 0.7
# Seconds of computing for a window, on a simulated board, until it is known what it takes here.
_COMPUTING_S = 0.1


class Remaining:
    """Estimates how many modes a search has yet to measure, and how long their minibatches take.

    Args:
        objective: What it looks for.
        start: The mode that the job started in, as measured.
        most: Modes to know in the end, if the search does not end before.
        others: Modes of the board besides the start.
        until_settled: Whether it ends as soon as the choice is settled.
    """

    def __init__(
        self, objective: Objective, start: Measurement, most: int, others: int, until_settled: bool = False
    ) -> None:
        self._most = most
        self._enough = min(others, _ENOUGH_TO_SETTLE if until_settled else _ENOUGH)
        self._seen_end: float | None = None
        self.time_ms = time_of_best_ms(objective, start)
        """Mean time of a minibatch in the modes that the search chooses."""

    def looked(self, done: int, value: FloatArray, time_ms: FloatArray) -> None:
        """Take note of what a decision saw.

        Args:
            done: Modes known by then.
            value: Expected improvements of those modes for which it is large enough to be measured, shape ``(n,)``.
            time_ms: Predicted times of a minibatch in these.
        """
        count, root = len(value), math.sqrt(len(value))
        usual = min(_PER_ROOT * root, self._enough - done)
        self._seen_end = done + min(count, max(usual, _LEAST_PER_ROOT * root))
        if count:
            self.time_ms = float(time_ms[np.argsort(-value, kind="stable")[:_NEXT]].mean())

    @property
    def _end(self) -> float:
        """Modes that are known when the search ends: as the last decision has seen it, or as usual before the first."""
        return self._enough if self._seen_end is None else self._seen_end

    def windows(self, done: int) -> float:
        """Modes that are yet to be measured, verifications included, once ``done`` are known; need not be whole."""
        verifications = min(_VERIFICATIONS, _VERIFICATIONS / _FAR_SHORT * max(0.0, self._end - self._most))
        return max(0.0, min(self._end, self._most + verifications) - done)

    def most_windows(self, done: int) -> float | None:
        """As :meth:`windows`, if the search goes on to the end; None if it is known well enough when it ends.

        Before the first decision of a long search nobody knows.
        """
        has_looked = self._seen_end is not None
        return None if self._most <= _SURE or has_looked else _MARGIN * max(self.windows(done), self._most - done)


class TimeLeft:
    """Estimates how long profiling will yet take.

    Args:
        window: How long a mode is measured.
        plan: What the modes that are measured first are expected to cost.
        first: How many of the plan these are.
    """

    def __init__(self, window: WindowPlan, plan: ProfilingPlan, first: int) -> None:
        self._window = window
        self._first_s = list(plan.costs_s[:first])
        self._expected_s = 0.0

    def measured(self, measurement: Measurement) -> None:
        """Take note of a mode that was measured."""
        self._first_s = self._first_s[1:]
        self._expected_s += self._window.seconds(measurement.time_ms)

    def seconds(self, windows: float, time_ms: float, spent_s: float) -> float:
        """Seconds that are left, if all windows deviate from what their minibatches let expect as those before did.

        Args:
            windows: How many windows are left; need not be whole.
            time_ms: Time of a minibatch in those that the search has yet to choose.
            spent_s: Seconds spent so far, with what was computed meanwhile.
        """
        first_s = self._first_s[: int(windows)]
        left_s = sum(first_s) + (windows - len(first_s)) * self._window.seconds(time_ms)
        if not self._expected_s:
            return left_s + windows * _COMPUTING_S
        return left_s * spent_s / self._expected_s


def time_of_best_ms(objective: Objective, start: Measurement) -> float:
    """Rough time of a minibatch in the best mode, from a budget and the start mode."""
    if objective.is_relative:
        return start.time_ms
    if objective.power_limit_w is not None:
        time_ms = start.time_ms * float((start.power_w / objective.power_limit_w) ** _TIME_OVER_POWER)
    elif objective.time_limit_ms is not None:
        time_ms = objective.time_limit_ms
    else:
        return start.time_ms
    return max(time_ms, _FASTEST * start.time_ms)
