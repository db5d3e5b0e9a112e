"""How much of a job may go into profiling, and how many modes fit into that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.errors import ArgumentError


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

    def within_allowance(self) -> ProfilingPlan:
        """As many of the first modes as the allowance can pay for."""
        count = sum(spent_s <= self.allowance_s for spent_s in accumulate(self.costs_s))
        return ProfilingPlan(self.modes[:count], self.costs_s[:count], self.allowance_s)

    def seconds_left(self, done: int, spent_s: float) -> float:
        """Seconds that the modes after the first ``done`` will take, if they deviate from the plan as those did."""
        planned_s = sum(self.costs_s[:done])
        return sum(self.costs_s[done:]) * (spent_s / planned_s if planned_s and spent_s else 1.0)


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
