"""How much of a job may go into profiling, and how many modes fit into that."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.errors import ArgumentError

_log = logging.getLogger("lightning_powertrain")


@dataclass(frozen=True)
class ProfilingPlan:
    """The modes to measure, in order, and what they are expected to cost.

    Args:
        modes: The modes.
        costs_s: Seconds that each is expected to take, window and settling included.
        allowance_s: Seconds that profiling may take in all; infinite for a job of unknown length.
    """

    modes: Sequence[PowerMode]
    costs_s: Sequence[float]
    allowance_s: float = float("inf")

    def with_again(self, mode: PowerMode, cost_s: float) -> ProfilingPlan:
        """This plan, and at its end a mode once more."""
        return replace(self, modes=(*self.modes, mode), costs_s=(*self.costs_s, cost_s))

    def seconds_left(self, done: int, spent_s: float) -> float:
        """Seconds that the modes after the first ``done`` will take, if they deviate from the plan as those did."""
        planned_s = sum(self.costs_s[:done])
        return sum(self.costs_s[done:]) * (spent_s / planned_s if planned_s and spent_s else 1.0)


def plan_within_share(
    modes: Sequence[PowerMode], costs_s: Sequence[float], job_s: float, max_share: float, minimum: int
) -> ProfilingPlan:
    """As many of the first modes as a share of the job can pay for, and a warning if those are not all.

    Args:
        modes: The modes to measure, in order.
        costs_s: Seconds that each is expected to take.
        job_s: Seconds that the job would take in the mode that it started in.
        max_share: Share of that which may go into profiling.
        minimum: The fewest modes that are of use; with fewer the plan is empty.
    """
    allowance_s = max_share * job_s
    count = sum(spent_s <= allowance_s for spent_s in accumulate(costs_s))
    share = f"{max_share:.0%} of this job ({allowance_s:.0f} s of {job_s:.0f} s)"
    if count < minimum:
        _log.warning(
            "The power mode is left alone: %s would pay for measuring %d power modes, and fewer than %d tell too "
            "little. All %d would take about %.0f s. A longer job or a larger max_share makes tuning possible.",
            *(share, count, minimum, len(modes), sum(costs_s)),
        )
        count = 0
    elif count < len(modes):
        _log.warning("Measuring %d power modes instead of %d: %s.", count, len(modes), share)
    return ProfilingPlan(modes[:count], costs_s[:count], allowance_s)


def check_modes(modes: int, minimum: int, available: int | None) -> None:
    """Refuse a number of modes that a predictor cannot use or a board does not have.

    Args:
        modes: Modes to sample.
        minimum: The fewest that the predictor can use.
        available: Modes of the board; None if not known yet.

    Raises:
        ArgumentError: If ``modes`` is not a whole number in between.
    """
    is_whole = isinstance(modes, int) and not isinstance(modes, bool)
    if not is_whole or modes < minimum or (available is not None and modes > available):
        most = f"to {available}, the modes of this board" if available is not None else "up"
        raise ArgumentError.of("modes", modes, f"a whole number from {minimum}, what the predictor needs, {most}")


def check_share(max_share: float) -> None:
    """Refuse a share of the job's time that is no share.

    Raises:
        ArgumentError: If ``max_share`` is not above 0 and at most 1.
    """
    if isinstance(max_share, bool) or not isinstance(max_share, (int, float)) or not 0.0 < max_share <= 1.0:
        raise ArgumentError.of(
            "max_share", max_share, "a number above 0 and up to 1, such as 0.1 for a tenth of the job"
        )


def check_precision(precision: float | None) -> None:
    """Refuse a precision that is none.

    Raises:
        ArgumentError: If ``precision`` is neither None nor between 0 and 1.
    """
    is_number = isinstance(precision, (int, float)) and not isinstance(precision, bool)
    if precision is not None and not (is_number and 0.0 < precision < 1.0):
        raise ArgumentError.of(
            "precision", precision, "a number above 0 and below 1, such as 0.02 for 2 %, or None for 40 minibatches"
        )
