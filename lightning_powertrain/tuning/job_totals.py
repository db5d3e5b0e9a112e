"""What a whole job takes as it is tuned, and what it would have taken in one mode from beginning to end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lightning_powertrain.tuning.job_ledger import Spent

if TYPE_CHECKING:
    from lightning_powertrain.tuning.outcome import Outcome


@dataclass(frozen=True)
class JobTotals:
    """Time and energy of a whole job.

    Args:
        minibatches: Its length; of a resumed job the length of this run.
        chosen: As it is tuned, profiling included; with a budget for the whole of it, as the newest plan expects it.
        start: In the mode that it started in, without profiling.
    """

    minibatches: int
    chosen: Spent
    start: Spent


def job_totals(outcome: Outcome) -> JobTotals | None:
    """Time and energy of the whole job; None where its length is not known, and before the first plan."""
    course, start = outcome.course, outcome.selection.start
    kept = outcome.selection.measured or outcome.selection
    in_start = job_in(outcome, start.time_ms, start.power_w)
    if in_start is None:
        return None
    if course is not None:
        return JobTotals(course.minibatches, course.now.total, in_start)
    assert outcome.minibatches is not None
    tuned = _in_mode(outcome.minibatches, kept.time_ms, kept.power_w)
    return JobTotals(outcome.minibatches, tuned + profiling_extra(outcome, kept.time_ms, kept.power_w), in_start)


def job_in(outcome: Outcome, time_ms: float, power_w: float) -> Spent | None:
    """Time and energy of the whole job in one mode, without profiling; None where its length is not known.

    With a budget for the whole job, what is no minibatch counts too, and what earlier runs of a resumed job took.

    Args:
        outcome: The outcome.
        time_ms: Time of a minibatch in the mode.
        power_w: Power of the mode.
    """
    if outcome.course is not None:
        return _in_mode(outcome.course.minibatches, time_ms, power_w) + outcome.course.now.besides
    return None if outcome.minibatches is None else _in_mode(outcome.minibatches, time_ms, power_w)


def profiling_extra(outcome: Outcome, time_ms: float, power_w: float) -> Spent:
    """Time and energy that profiling took more than the same minibatches in another mode.

    Args:
        outcome: The outcome.
        time_ms: Time of a minibatch in that mode.
        power_w: Power of that mode.
    """
    start = outcome.selection.start
    throttled = (each for each in outcome.profile.throttled if each != start and each.mode not in outcome.reused)
    sampled = (*outcome.measured_now, *throttled)
    trained = [each.minibatches + each.discarded_minibatches for each in sampled]
    spent_mj = sum(count * each.energy_mj for count, each in zip(trained, sampled))
    return Spent(outcome.profiling_s, spent_mj / 1e3) - _in_mode(sum(trained), time_ms, power_w)


def _in_mode(count: int, time_ms: float, power_w: float) -> Spent:
    """Time and energy of so many minibatches in a mode."""
    return Spent(count * time_ms / 1e3, count * time_ms * power_w / 1e3)
