"""Choices that are measured before they are kept, as a tuned job does it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from lightning_powertrain.boards import IntArray
from lightning_powertrain.evaluation.metrics import Costs
from lightning_powertrain.prediction import Predictor
from lightning_powertrain.profiling import Profile
from lightning_powertrain.selection import Objective
from lightning_powertrain.selection.selection import best_index

MOST_TRIALS = 5
"""As in a tuned job, which keeps the best measured mode after that many."""

# How much less, as a share of the cost, a mode must promise to take than the best that was measured, as in a tuned job.
_WORTH_A_TRIAL = 0.01


@dataclass(frozen=True)
class Choice:
    """The mode in which a job stays.

    Args:
        row: Its row.
        tried: Rows that were measured on the way, beyond those of the sample.
    """

    row: int
    tried: tuple[int, ...]


def verified_choices(
    measured: Profile,
    predictor: Predictor,
    rows: IntArray,
    objectives: Iterable[Objective],
    most_trials: int = MOST_TRIALS,
) -> Iterator[Choice]:
    """For each objective: choose, measure the choice, learn from it, choose again; keep the best that was measured.

    The loop sees what measuring would give, never the truth. Each objective starts from the sample alone; fits that
    several objectives need are made once.

    Args:
        measured: What measuring each mode would give, row by row.
        predictor: Is fitted again after each trial.
        rows: The sample, which is measured at the start.
        objectives: What to choose for.
        most_trials: After so many trials the best of the measured modes is kept.
    """
    actual = Costs(measured.time_ms, measured.power_w)
    modes = measured.modes

    @cache
    def believed(tried: tuple[int, ...]) -> Costs:
        known = [*rows.tolist(), *tried]
        predictor.fit(replace(measured, measurements=tuple(measured.measurements[row] for row in known)))
        prediction = predictor.predict(modes)
        costs = Costs(prediction.time_ms.copy(), prediction.power_w.copy())
        costs.time_ms[known], costs.power_w[known] = actual.time_ms[known], actual.power_w[known]
        return costs

    for objective in objectives:
        yield _settle(actual, believed, rows, objective, most_trials)


def _settle(
    actual: Costs,
    believed: Callable[[tuple[int, ...]], Costs],
    rows: IntArray,
    objective: Objective,
    most_trials: int,
) -> Choice:
    tried: tuple[int, ...] = ()
    while True:
        known = np.array([*rows, *tried])
        best = int(known[best_index(objective, actual.time_ms[known], actual.power_w[known])])
        if len(tried) == most_trials:
            return Choice(best, tried)
        costs = believed(tried)
        row = best_index(objective, costs.time_ms, costs.power_w)
        if row in known or not _is_worth_a_trial(objective, costs, row, best):
            return Choice(best, tried)
        tried = (*tried, row)


def _is_worth_a_trial(objective: Objective, costs: Costs, row: int, best: int) -> bool:
    """Whether a mode promises enough more than the best of those that were measured."""
    pair = np.array([row, best])
    times, powers = costs.time_ms[pair], costs.power_w[pair]
    excess, cost = objective.excess(times, powers), objective.cost(times, powers)
    return bool(excess[0] < excess[1] or cost[0] < (1 - _WORTH_A_TRIAL) * cost[1])
