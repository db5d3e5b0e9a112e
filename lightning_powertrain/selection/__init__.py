"""Which mode is best: what a budget means, the Pareto front, the choice."""

from lightning_powertrain.selection.budget import (
    Budget,
    FixedBudget,
    JobBudget,
    JobDeadline,
    JobEnergy,
    JobTime,
    MinibatchBudget,
    StartBudget,
)
from lightning_powertrain.selection.grammar import BUDGET_FORMS, BudgetLike, parse_budget
from lightning_powertrain.selection.improvement import expected_improvement
from lightning_powertrain.selection.objective import TIME_NOISE, Objective
from lightning_powertrain.selection.objectives import (
    EnergyBudget,
    LeastEnergy,
    LeastEnergyDelay,
    LeastEnergyWithin,
    NoWorse,
    PaceBudget,
    PowerBudget,
    PricedTime,
    Slower,
    TimeBudget,
)
from lightning_powertrain.selection.pareto import pareto_front
from lightning_powertrain.selection.schedule import ChangingBudget, Schedule
from lightning_powertrain.selection.selection import (
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
    "Budget",
    "BudgetLike",
    "ChangingBudget",
    "EnergyBudget",
    "FixedBudget",
    "JobBudget",
    "JobDeadline",
    "JobEnergy",
    "JobTime",
    "LeastEnergy",
    "LeastEnergyDelay",
    "LeastEnergyWithin",
    "MinibatchBudget",
    "NoWorse",
    "Objective",
    "PaceBudget",
    "PowerBudget",
    "PricedTime",
    "Schedule",
    "Selection",
    "Slower",
    "StartBudget",
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
