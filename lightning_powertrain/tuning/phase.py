"""The phases of a tuning session, and which may follow which."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum


class Phase(IntEnum):
    """Where a session stands. The numbers are what loggers show."""

    IDLE = 0
    """No job has started."""
    WARMING_UP = 1
    """The first minibatches of a job, which say nothing about the others, run in the start mode."""
    MEASURING_START = 2
    """The mode that the job started in is measured."""
    PROFILING = 3
    """Sampled modes are measured, one after the other."""
    DECIDING = 4
    """The predictor learns from what was measured, and the next mode is chosen."""
    VERIFYING = 5
    """A mode that is expected to be the best is measured."""
    LOCKED = 6
    """The chosen mode stays to the end of the job, or until its time or power drifts."""
    CLOSED = 7
    """The board is restored: the job has ended, tuning has failed, or it was not worth it."""


TRANSITIONS: Mapping[Phase, frozenset[Phase]] = {
    Phase.IDLE: frozenset({Phase.WARMING_UP}),
    # VERIFYING: a warm start sets the best mode of an earlier run at once.
    Phase.WARMING_UP: frozenset({Phase.MEASURING_START, Phase.VERIFYING}),
    # LOCKED: not even the lowest mode keeps a hard limit.
    Phase.MEASURING_START: frozenset({Phase.PROFILING, Phase.DECIDING, Phase.LOCKED}),
    # MEASURING_START, from here on: the measurements of an earlier run, or those before a drift, no longer hold.
    Phase.PROFILING: frozenset({Phase.DECIDING, Phase.MEASURING_START}),
    Phase.DECIDING: frozenset({Phase.PROFILING, Phase.VERIFYING, Phase.LOCKED, Phase.MEASURING_START}),
    Phase.VERIFYING: frozenset({Phase.DECIDING, Phase.PROFILING, Phase.MEASURING_START}),
    Phase.LOCKED: frozenset({Phase.DECIDING, Phase.MEASURING_START}),
    Phase.CLOSED: frozenset(),
}
"""Which phases may follow each. CLOSED may follow all others: stop, failure, end of training."""


def is_legal(before: Phase, after: Phase) -> bool:
    """Whether a session may go from one phase to another.

    >>> is_legal(Phase.PROFILING, Phase.CLOSED), is_legal(Phase.CLOSED, Phase.PROFILING)
    (True, False)
    """
    return after in TRANSITIONS[before] or (after is Phase.CLOSED and before is not Phase.CLOSED)
