"""A search by slopes with 15 modes, after GMD of Fulcrum (arXiv 2509.20205), whose details we only know in outline.

What is public: it starts in the middle, measures the slopes of time and power along each knob, moves along the best
one, halves what is left of its table, and discards modes that a measured one rules out.
"""

from __future__ import annotations

import numpy as np

from lightning_powertrain.evaluation.rivals.attempt import Attempt, FloatArray, LevelArray

MODES = 15
"""Modes that it measures: the number of its authors."""

# A slope that is not above 0 is noise: a clock that hardly matters.
_LEAST = 1e-4


def slope_search(attempt: Attempt) -> None:
    """Within the limit, raise the knob that gains most speed per power; above it, lower the one that loses least.

    Where nothing is left of the tables, it starts anew from the best mode, with whole tables.
    """
    before = 0
    while before < len(attempt.rows) and not attempt.is_over:
        before = len(attempt.rows)
        _follow(attempt, attempt.best)


def _follow(attempt: Attempt, at: int) -> None:
    """Move along the best knob until there is no room."""
    low, high = np.zeros_like(attempt.tops), attempt.tops.copy()
    slopes = np.array([_slope(attempt, at, _moved(attempt, at, knob, low, high)) for knob in range(len(low))])
    while not attempt.is_over:
        is_within = attempt.measure(at)
        level = attempt.levels[at]
        knob = _best_knob(slopes, high - level if is_within else level - low, is_within)
        if knob is None:
            return
        other = _moved(attempt, at, knob, low, high)
        if other == at:  # The board lacks the modes in between.
            return
        slopes[knob] = _slope(attempt, at, other)
        # What a measured mode rules out: more of a knob than what was too much, less of it than what was within.
        if is_within and not attempt.measure(other):
            high[knob] = attempt.levels[other][knob] - 1
        else:
            bound = low if is_within else high
            bound[knob] = attempt.levels[other][knob]
            at = other


def _moved(attempt: Attempt, at: int, knob: int, low: LevelArray, high: LevelArray) -> int:
    """The mode with one knob halfway to its bound: the upper one within the limit, else the lower one."""
    levels = attempt.levels[at].copy()
    is_within = attempt.measure(at)
    bound = high[knob] if is_within else low[knob]
    distance = int(bound - levels[knob])
    levels[knob] += int(np.sign(distance)) * -(-abs(distance) // 2)
    return attempt.nearest(levels)


def _slope(attempt: Attempt, at: int, other: int) -> FloatArray:
    """By how much the logarithms of speed and of power grow from the lower to the higher one of two modes."""
    attempt.measure(other)
    if other == at or other not in attempt.rows:
        return np.array([_LEAST, _LEAST])
    (time_ms, power_w), (other_ms, other_w) = attempt.cost(at), attempt.cost(other)
    sign = 1 if attempt.levels[other].sum() > attempt.levels[at].sum() else -1
    growth = sign * np.array([np.log(time_ms / other_ms), np.log(other_w / power_w)])
    return np.asarray(np.maximum(growth, _LEAST), dtype=np.float64)


def _best_knob(slopes: FloatArray, room: LevelArray, is_within: bool) -> int | None:
    """The knob to move: most speed per power within the limit, least above it; None if none has room."""
    if not (room > 0).any():
        return None
    speed_per_power = slopes[:, 0] / slopes[:, 1]
    value = np.where(room > 0, speed_per_power if is_within else -speed_per_power, -np.inf)
    return int(value.argmax())
