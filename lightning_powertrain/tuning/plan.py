"""How much of a job may go into profiling, and how many modes fit into that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.logs import warn
from lightning_powertrain.selection import Objective


@dataclass(frozen=True)
class ProfilingPlan:
    """How many modes to measure, and what they are expected to cost.

    Args:
        costs_s: Seconds that each is expected to take, window and settling included, in order.
        allowance_s: Seconds that profiling may take in all; infinite for a job of unknown length.
    """

    costs_s: Sequence[float]
    allowance_s: float = float("inf")

    def __len__(self) -> int:
        return len(self.costs_s)

    def with_one_more(self) -> ProfilingPlan:
        """This plan, and at its end a mode that has to be measured again."""
        return replace(self, costs_s=(*self.costs_s, sum(self.costs_s) / len(self)))


def plan_within_share(
    costs_s: Callable[[int], Sequence[float]], most: int, job_s: float, max_share: float, minimum: int
) -> ProfilingPlan:
    """As many modes as a share of the job can pay for, and a warning if those are not all.

    Args:
        costs_s: Gives the seconds that each of so many modes is expected to take.
        most: Modes to measure in a job that is long enough.
        job_s: Seconds that the job would take in the mode that it started in.
        max_share: Share of that which may go into profiling.
        minimum: The fewest modes that are of use; with fewer the plan is empty.
    """
    allowance_s = max_share * job_s
    count = _most_within(allowance_s, lambda modes: sum(costs_s(modes)), most)
    share = f"{max_share:.0%} of this job ({allowance_s:.0f} s of {job_s:.0f} s)"
    if count < minimum:
        warn(
            "the power mode is left alone: %s would pay for measuring %d power modes, and fewer than %d tell too "
            "little. All %d would take about %.0f s. A longer job or a larger max_share makes tuning possible",
            *(share, count, minimum, most, sum(costs_s(most))),
            see="troubleshooting.md#short-jobs",
        )
        count = 0
    elif count < most:
        what = "measuring %d power modes instead of %d: the others do not fit into %s; max_share sets that limit"
        warn(what, count, most, share, see="troubleshooting.md#short-jobs")
    return ProfilingPlan(costs_s(count) if count else (), allowance_s)


def check_modes(modes: int | str | None, minimum: int, available: int | None) -> None:
    """Refuse a number of modes that a predictor cannot use or a board does not have.

    Args:
        modes: Modes to sample, or ``"auto"``, or None for the default, which suits every board.
        minimum: The fewest that the predictor can use.
        available: Modes of the board; None if not known yet.

    Raises:
        ArgumentError: If ``modes`` is neither a whole number in between nor ``"auto"``.
    """
    if modes is None or modes == "auto":
        return
    is_whole = isinstance(modes, int) and not isinstance(modes, bool)
    if not is_whole or int(modes) < minimum or (available is not None and int(modes) > available):
        most = f"to {available}, the modes of this board" if available is not None else "up"
        needed = f"a whole number from {minimum}, what the predictor needs, {most}"
        raise ArgumentError.of("modes", modes, f'{needed}; or "auto", as many as it takes to settle the choice')


def check_hard(hard: bool, objective: Objective | None) -> None:
    """Refuse a hard limit on anything but power.

    Raises:
        ArgumentError: If ``hard`` is true and the objective is no power budget.
    """
    if hard and (objective is None or not objective.limits_only_power):
        raise ArgumentError.of("hard", hard, f'True only with a power budget, such as budget="30 W"; here {objective}')


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


def _most_within(allowance: float, cost: Callable[[int], float], most: int) -> int:
    """The largest number up to ``most`` whose cost is within the allowance; a larger number never costs less."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if cost(middle) <= allowance else (low, middle - 1)
    return low
