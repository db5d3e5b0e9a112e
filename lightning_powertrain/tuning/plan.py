"""How much of a job may go into profiling, and how many modes fit into that."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from lightning_powertrain.logs import warn


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
            "the job is too short to tune its power mode, which stays as it is: profiling may take %s, and the fewest "
            "useful power modes (%d) take about %.0f s. A longer job or a larger max_share makes tuning possible",
            *(share, minimum, sum(costs_s(minimum))),
            see="troubleshooting.md#short-jobs",
        )
        count = 0
    elif count < most:
        what = (
            "measuring %d power modes instead of %d makes the choice less certain: more do not fit into %s (max_share)"
        )
        warn(what, count, most, share, see="troubleshooting.md#short-jobs")
    return ProfilingPlan(costs_s(count) if count else (), allowance_s)


def _most_within(allowance: float, cost: Callable[[int], float], most: int) -> int:
    """The largest number up to ``most`` whose cost is within the allowance; a larger number never costs less."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if cost(middle) <= allowance else (low, middle - 1)
    return low
