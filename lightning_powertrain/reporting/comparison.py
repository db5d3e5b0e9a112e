"""Modes that people know, to compare the chosen one with: the start, MAXN, the stock presets of the board."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Tuple

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards import PowerMode, Preset, board_names, load_board
from lightning_powertrain.prediction import Prediction
from lightning_powertrain.profiling import Measurement
from lightning_powertrain.selection import best_index
from lightning_powertrain.tuning import Outcome

START, MAXN = "start", "MAXN"

Range = Tuple[float, float]
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class KnownMode:
    """A mode with a name, and what it costs.

    Args:
        names: What it is called; more than one name if, say, the job started in a stock preset.
        mode: The mode.
        time_ms: Time of a minibatch.
        power_w: Power.
        is_measured: Whether both were measured in this job; otherwise they are predicted.
        time_range_ms: The 90 % interval of a predicted time; None if measured, or if the predictor has none.
        power_range_w: Likewise of a predicted power.
        not_comparable: Those of its names that are stock presets with other GPU clusters on than this job had.
    """

    names: tuple[str, ...]
    mode: PowerMode
    time_ms: float
    power_w: float
    is_measured: bool
    time_range_ms: Range | None = None
    power_range_w: Range | None = None
    not_comparable: tuple[str, ...] = ()


def known_modes(outcome: Outcome) -> list[KnownMode]:
    """The start first, then MAXN (each knob at its maximum), then the presets in the order of the catalogue."""
    named: dict[PowerMode, list[str]] = {outcome.selection.start.mode: [START]}
    for name, mode in [(MAXN, outcome.modes.highest), *_presets(outcome)]:
        names = named.setdefault(mode, [])
        if name not in names:
            names.append(name)
    others, predicted = _with_other_clusters(outcome), outcome.forecast.of(named)
    return [
        replace(
            _known(outcome, mode, tuple(names), predicted, row),
            not_comparable=tuple(name for name in names if name in others),
        )
        for row, (mode, names) in enumerate(named.items())
    ]


def _presets(outcome: Outcome) -> list[tuple[str, PowerMode]]:
    return [(preset.name, outcome.modes.at_most(preset.caps)) for preset in _stock(outcome)]


def stock_preset(outcome: Outcome, known: Sequence[KnownMode]) -> str | None:
    """Name of the stock preset that a user would have taken without tuning; None if the board has none.

    For a power budget that is the one whose name says the most watts within it, such as ``MODE_30W`` for 30 W. For any
    other, the best for the budget among those that are comparable. Ties go to the better one.
    """
    objective = outcome.selection.objective
    stock = {preset.name for preset in _stock(outcome)}
    named = [(name, each) for each in known for name in each.names if name in stock]
    candidates = [(name, each) for name, each in named if name not in each.not_comparable]
    limit_w = objective.power_limit_w
    if limit_w is not None and objective.limits_only_power:
        watts = {name: float(found[1]) for name, _ in named if (found := re.search(r"(\d+)W", name))}
        most = max((each for each in watts.values() if each <= limit_w), default=None)
        candidates = [(name, each) for name, each in named if watts.get(name, math.nan) == most] or candidates
    if not candidates:
        return None
    costs = np.array([(each.time_ms, each.power_w) for _, each in candidates])
    return candidates[best_index(objective, *costs.T)][0]


def _stock(outcome: Outcome) -> tuple[Preset, ...]:
    key = outcome.profile.provenance.board
    return load_board(key).presets if key in board_names() else ()


def _with_other_clusters(outcome: Outcome) -> set[str]:
    """Presets whose mask is not the one that the job ran with: by default the smallest, as on simulated boards."""
    masks = {preset.name: preset.tpc_pg_mask for preset in _stock(outcome) if preset.tpc_pg_mask is not None}
    said = outcome.profile.provenance.details.get("tpc_pg_mask")
    smallest = min(masks.values(), key=lambda mask: bin(mask).count("1"), default=0)
    own = int(said) if isinstance(said, str) and said.isdecimal() else smallest
    return {name for name, mask in masks.items() if mask != own}


def _known(outcome: Outcome, mode: PowerMode, names: tuple[str, ...], predicted: Prediction, row: int) -> KnownMode:
    measured = _measured(outcome, mode)
    if measured is not None:
        return KnownMode(names, mode, measured.time_ms, measured.power_w, True)
    return KnownMode(
        *(names, mode, float(predicted.time_ms[row]), float(predicted.power_w[row]), False),
        *ranges_at(predicted, row),
    )


def ranges_at(predicted: Prediction, row: int) -> tuple[Range | None, Range | None]:
    """Intervals of time and power in a row of a prediction."""
    return (
        _range(predicted.time_low_ms, predicted.time_high_ms, row),
        _range(predicted.power_low_w, predicted.power_high_w, row),
    )


def _range(low: FloatArray | None, high: FloatArray | None, row: int) -> Range | None:
    return None if low is None or high is None else (float(low[row]), float(high[row]))


def _measured(outcome: Outcome, mode: PowerMode) -> Measurement | None:
    """The last measurement of a mode that counts."""
    selection = outcome.selection
    first = (selection.start, selection.measured)
    known = [*outcome.profile.measurements, *(each for each in first if each is not None)]
    return next((each for each in reversed(known) if each.mode == mode), None)
