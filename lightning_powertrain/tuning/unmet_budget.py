"""Budgets that are out of reach: a typing error must not make a job many times slower."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards import ModeSpace
from lightning_powertrain.errors import BudgetError
from lightning_powertrain.logs import warn
from lightning_powertrain.profiling import Measurement, Profile
from lightning_powertrain.selection import Objective, Selection
from lightning_powertrain.tuning.config import TuningConfig
from lightning_powertrain.tuning.forecast import Forecast
from lightning_powertrain.tuning.job_length import JobLength
from lightning_powertrain.tuning.outcome import Outcome

# A mode that misses a limit by no more than this is used all the same.
_SMALL_MISS = 0.05


def is_far_off(selection: Selection) -> bool:
    """Whether the best mode that was measured misses a limit by more than 5 % of it."""
    objective = selection.objective
    limit = 100.0 if objective.unit == "%" else objective.limit
    return limit is not None and (selection.measured_excess or 0.0) > _SMALL_MISS * limit


def staying(outcome: Outcome) -> Outcome:
    """The same outcome, with the mode that the job started in as the choice."""
    start, objective = outcome.selection.start, outcome.selection.objective
    chosen = Selection(start.mode, objective, start.time_ms, start.power_w, start, measured=start)
    return replace(outcome, selection=chosen)


def staying_in_lowest(
    lowest: Measurement,
    modes: ModeSpace,
    profile: Profile,
    config: TuningConfig,
    job: JobLength,
    error: BudgetError,
) -> Outcome:
    """The outcome where not even the lowest mode keeps a hard limit: no other mode draws less.

    Args:
        lowest: The lowest mode, as measured.
        modes: The modes of the board.
        profile: What was measured.
        config: What the user decided.
        job: How long the job is.
        error: Why the limit is not kept.

    Raises:
        BudgetError: ``error``, under ``strict``.
    """
    if config.strict:
        raise error
    warn("%s. The board stays in that mode", error, see="budgets.md#a-hard-limit")
    objective = config.objective_from(lowest)
    chosen = Selection(lowest.mode, objective, lowest.time_ms, lowest.power_w, lowest, measured=lowest)
    forecast = Forecast(modes, config.predictor, profile)
    length, rates = job.known_minibatches, config.options.rates
    return Outcome(modes, profile, forecast, chosen, 0.0, minibatches=length, rates=rates)


def report_unmet(outcome: Outcome, *, hard_limit: bool, strict: bool) -> None:
    """Warn that the choice misses the budget.

    Raises:
        BudgetError: Instead of the warning, under ``strict``.
    """
    selection, excess = outcome.selection, outcome.selection.measured_excess or 0.0
    if is_far_off(selection) and not hard_limit:
        message = f"no power mode meets the budget ({selection.objective}): this board and job reach "
        message += achievable(outcome)
        stays = ". The job stays in the power mode that it started in. Give a budget within this range"
    else:
        message = (
            f"no power mode was found that meets the budget ({selection.objective}): the nearest one misses it by "
            f"{excess:.3g} {selection.objective.unit} ({selection.mode})"
        )
        message, stays = message + _larger(selection.objective, excess), ". The job uses that power mode"
    if strict:
        raise BudgetError(message)
    warn("%s%s", message, stays, see="budgets.md#how-a-budget-is-met")


def achievable(outcome: Outcome) -> str:
    """Which powers and times this board has for this job, as measured and predicted.

    Returns:
        Such as ``"7.6 to 59 W and 64 to 5,800 ms a minibatch"``.
    """
    predicted, profile = outcome.forecast.prediction, outcome.profile
    powers = _range(np.append(predicted.power_w, profile.power_w))
    times = _range(np.append(predicted.time_ms, profile.time_ms))
    return f"{powers} W and {times} ms a minibatch"


def _range(values: npt.NDArray[np.float64]) -> str:
    low, high = (float(f"{value:.2g}") for value in (values.min(), values.max()))
    return f"{low:,g} to {high:,g}"


def _larger(objective: Objective, excess: float) -> str:
    """A larger budget that would have been met; empty for a budget without a figure."""
    if objective.limit is None:
        return ""
    return f"; a budget of more than {objective.limit + excess:.4g} {objective.unit} would be met"
