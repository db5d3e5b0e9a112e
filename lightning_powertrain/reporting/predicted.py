"""Some of the predicted modes, few enough for a small file: the Pareto front, and others to show where it lies."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lightning_powertrain.boards import IntArray
from lightning_powertrain.prediction import Prediction
from lightning_powertrain.reporting.comparison import Range, ranges_at
from lightning_powertrain.selection import pareto_front
from lightning_powertrain.tuning import Outcome

_FRONT, _OTHERS = 60, 400


def predicted_modes(outcome: Outcome, slowest_ms: float) -> dict[str, Any]:
    """Plain JSON values, figures to four digits.

    ``modes`` and ``front_modes`` count all modes and those of the front. Of those that are not too slow for the plot,
    ``front`` lists the front by rising power, at most 60 modes of it, evenly spaced, and ``others`` is a random sample
    of at most 400 modes. ``fitted`` says for each measurement of the profile, in its order, what the predictor makes of
    it after it has learned from all of them.

    Args:
        outcome: What tuning found out.
        slowest_ms: Time of a minibatch in the slowest mode that the plot shows.
    """
    prediction = outcome.forecast.prediction
    # A network may predict a negative time or power far from what it has seen.
    real = np.flatnonzero((prediction.time_ms > 0) & (prediction.power_w > 0))
    front = real[pareto_front(prediction.time_ms[real], prediction.power_w[real])]
    is_shown = prediction.time_ms <= slowest_ms
    shown, shown_front = real[is_shown[real]], front[is_shown[front]]
    others = np.sort(np.random.default_rng(0).choice(shown, min(_OTHERS, len(shown)), replace=False))
    fitted = outcome.forecast.of(each.mode for each in outcome.profile.measurements)
    return {
        "modes": len(outcome.modes),
        "front_modes": len(front),
        "front": [_record(outcome, int(row)) for row in _thinned(shown_front, _FRONT)],
        "others": _columns(prediction, others),
        "fitted": _columns(fitted, np.arange(len(outcome.profile))),
    }


def _record(outcome: Outcome, index: int) -> dict[str, Any]:
    forecast = outcome.forecast
    time_range, power_range = ranges_at(forecast.prediction, index)
    return {
        "mode": dict(outcome.modes.mode(int(forecast.rows[index]))),
        "time_ms": rounded(forecast.prediction.time_ms[index]),
        "power_w": rounded(forecast.prediction.power_w[index]),
        "time_range_ms": rounded_range(time_range),
        "power_range_w": rounded_range(power_range),
    }


def _columns(prediction: Prediction, indices: IntArray) -> dict[str, list[float | None]]:
    return {
        "time_ms": [rounded(each) for each in prediction.time_ms[indices].tolist()],
        "power_w": [rounded(each) for each in prediction.power_w[indices].tolist()],
    }


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
