"""Which mode is best: what a budget means, the Pareto front, the choice."""

from lightning_powertrain.selection.improvement import expected_improvement
from lightning_powertrain.selection.objective import (
    BUDGET_FORMS,
    LeastEnergy,
    LeastEnergyDelay,
    NoWorse,
    Objective,
    PowerBudget,
    TimeBudget,
    parse_budget,
)
from lightning_powertrain.selection.pareto import pareto_front
from lightning_powertrain.selection.selection import (
    TIME_NOISE,
    Selection,
    best_index,
    excess_of,
    guarded_excess,
    is_confirmed,
    select_measured,
)

__all__ = [
    "BUDGET_FORMS",
    "TIME_NOISE",
    "LeastEnergy",
    "LeastEnergyDelay",
    "NoWorse",
    "Objective",
    "PowerBudget",
    "Selection",
    "TimeBudget",
    "best_index",
    "excess_of",
    "expected_improvement",
    "guarded_excess",
    "is_confirmed",
    "pareto_front",
    "parse_budget",
    "select_measured",
]
