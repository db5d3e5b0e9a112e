"""Some of the predicted modes, few enough for a small file: the Pareto front, and others to show where it lies."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lightning_powertrain.boards import IntArray
from lightning_powertrain.reporting.comparison import Range, ranges_at
from lightning_powertrain.selection import pareto_front
from lightning_powertrain.tuning.events import Outcome

_FRONT, _OTHERS = 60, 400


def predicted_modes(outcome: Outcome) -> dict[str, Any]:
    """Plain JSON values, figures to four digits.

    ``modes`` and ``front_modes`` count all modes and those of the front; ``front`` lists the front by rising power, at
    most 60 modes of it, evenly spaced; ``others`` is a random sample of at most 400 modes; ``fitted`` says for each
    measurement of the profile, in its order, what the predictor makes of it after it has learned from all of them.
    """
    prediction = outcome.prediction
    # A network may predict a negative time or power far from what it has seen.
    real = np.flatnonzero((prediction.time_ms > 0) & (prediction.power_w > 0))
    front = real[pareto_front(prediction.time_ms[real], prediction.power_w[real])]
    rng = np.random.default_rng(0)
    others = np.sort(rng.choice(real, min(_OTHERS, len(real)), replace=False))
    return {
        "modes": len(outcome.modes),
        "front_modes": len(front),
        "front": [_record(outcome, int(row)) for row in _thinned(front, _FRONT)],
        "others": _columns(outcome, others.tolist()),
        "fitted": _columns(outcome, [_row(outcome, each.mode) for each in outcome.profile.measurements]),
    }


def _record(outcome: Outcome, row: int) -> dict[str, Any]:
    prediction = outcome.prediction
    time_range, power_range = ranges_at(prediction, row)
    return {
        "mode": dict(outcome.modes.mode(row)),
        "time_ms": rounded(prediction.time_ms[row]),
        "power_w": rounded(prediction.power_w[row]),
        "time_range_ms": rounded_range(time_range),
        "power_range_w": rounded_range(power_range),
    }


def _columns(outcome: Outcome, rows: list[int | None]) -> dict[str, list[float | None]]:
    prediction = outcome.prediction
    return {
        "time_ms": [None if row is None else rounded(prediction.time_ms[row]) for row in rows],
        "power_w": [None if row is None else rounded(prediction.power_w[row]) for row in rows],
    }


def _row(outcome: Outcome, mode: Any) -> int | None:
    """None for a mode between the steps of the tables, in which a board may be found."""
    return outcome.modes.index(mode) if mode in outcome.modes else None


def _thinned(rows: IntArray, most: int) -> IntArray:
    if len(rows) <= most:
        return rows
    kept: IntArray = rows[np.linspace(0, len(rows) - 1, most).round().astype(np.int64)]
    return kept


def rounded(value: float) -> float | None:
    """A figure to four digits; None if it is not one."""
    return float(f"{value:.4g}") if math.isfinite(value) else None


def rounded_range(ends: Range | None) -> list[float | None] | None:
    """Likewise of an interval."""
    return None if ends is None else [rounded(end) for end in ends]
