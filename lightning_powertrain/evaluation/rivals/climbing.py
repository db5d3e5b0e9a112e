"""Hill climbing over one knob at a time, as greentorch 0.0.7 does for the clocks of GPUs, with restarts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lightning_powertrain.evaluation.rivals.attempt import Attempt

# Of a knob's table. Of 1/8, 1/4 and 1/2 the best.
_FIRST_STEP = 0.125


def hill_climbing(attempt: Attempt) -> None:
    """Move to the first neighbour that is better; halve the steps where none is, and start anew where none is left."""
    at, share = attempt.rows[0], _FIRST_STEP
    while not attempt.is_over:
        for neighbour in _neighbours(attempt, at, share):
            attempt.measure(neighbour)
            if neighbour in attempt.rows and attempt.score(neighbour) < attempt.score(at):
                at = neighbour
                break
        else:
            if (share * attempt.tops > 1).any():
                share /= 2
            else:
                at, share = int(attempt.random.integers(len(attempt.levels))), _FIRST_STEP
                attempt.measure(at)
                if at not in attempt.rows:
                    return


def _neighbours(attempt: Attempt, at: int, share: float) -> Iterator[int]:
    """Modes one step away, in random order."""
    steps = np.maximum(1, np.round(share * attempt.tops)).astype(np.int64)
    moves = [
        sign * steps[knob] * np.eye(len(steps), dtype=np.int64)[knob] for knob in range(len(steps)) for sign in (1, -1)
    ]
    for index in attempt.random.permutation(len(moves)):
        levels = np.clip(attempt.levels[at] + moves[index], 0, attempt.tops)
        neighbour = attempt.nearest(levels)
        if neighbour != at:
            yield neighbour
