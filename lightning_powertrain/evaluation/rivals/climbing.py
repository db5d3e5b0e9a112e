"""Hill climbing over one knob at a time, as greentorch 0.0.7 does for the clocks of GPUs, with restarts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lightning_powertrain.evaluation.rivals.trial import Trial

# Of a knob's table. Of 1/8, 1/4 and 1/2 the best.
_FIRST_STEP = 0.125


def hill_climbing(trial: Trial) -> None:
    """Move to the first neighbour that is better; halve the steps where none is, and start anew where none is left."""
    at, share = trial.rows[0], _FIRST_STEP
    while not trial.is_over:
        for neighbour in _neighbours(trial, at, share):
            trial.measure(neighbour)
            if neighbour in trial.rows and trial.score(neighbour) < trial.score(at):
                at = neighbour
                break
        else:
            if (share * trial.tops > 1).any():
                share /= 2
            else:
                at, share = int(trial.random.integers(len(trial.levels))), _FIRST_STEP
                trial.measure(at)
                if at not in trial.rows:
                    return


def _neighbours(trial: Trial, at: int, share: float) -> Iterator[int]:
    """Modes one step away, in random order."""
    steps = np.maximum(1, np.round(share * trial.tops)).astype(np.int64)
    moves = [
        sign * steps[knob] * np.eye(len(steps), dtype=np.int64)[knob] for knob in range(len(steps)) for sign in (1, -1)
    ]
    for index in trial.random.permutation(len(moves)):
        levels = np.clip(trial.levels[at] + moves[index], 0, trial.tops)
        neighbour = trial.nearest(levels)
        if neighbour != at:
            yield neighbour
