"""An online search without reference in which distance correlation picks the knob, after CORAL (arXiv 2603.14577).

What is public: distance covariance between settings and figures tells which knob matters for throughput and which for
power; that one is moved, and both targets are met together. The moves below are our own reading of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lightning_powertrain.evaluation.rivals.attempt import Attempt, FloatArray, LevelArray
from lightning_powertrain.profiling import latin_hypercube_rows

# Modes before the first correlation, the first step as a share of a table, and how many knobs are moved: of 5 and 8, of
# 1/4 and 1/2, and of 2 and 3 the best.
_FIRST_MODES = 5
_FIRST_STEP = 0.25
_MOVED = 3


def correlation_search(attempt: Attempt) -> None:
    """From the best mode so far, raise the knob that speed depends on, or lower the one that power depends on."""
    for row in latin_hypercube_rows(attempt.levels, _FIRST_MODES, int(attempt.random.integers(1 << 31))).tolist():
        attempt.measure(row)
    share = _FIRST_STEP
    while not attempt.is_over:
        row = next((row for row in _candidates(attempt, share) if row not in attempt.rows), None)
        if row is not None:
            attempt.measure(row)
        elif (share * attempt.tops > 1).any():
            share /= 2
        else:
            return


def _candidates(attempt: Attempt, share: float) -> Iterator[int]:
    """Modes near the best one, the most promising first."""
    shares, best = attempt.shares[attempt.rows], attempt.best
    speed, power = (
        np.array([distance_correlation(column, np.log(values)) for column in shares.T])
        for values in (attempt.time_ms, attempt.power_w)
    )
    unit = np.diag(np.maximum(1, np.round(share * attempt.tops)).astype(np.int64))
    rising = np.argsort(power - speed, kind="stable").tolist()[:_MOVED]
    falling = np.argsort(speed - power, kind="stable").tolist()[:_MOVED]
    if attempt.cost(best)[1] > attempt.limit_w:
        moves = [-unit[knob] for knob in falling]
    else:
        moves = [unit[knob] for knob in rising]
        moves += [unit[up] - unit[down] for up in rising for down in falling if up != down]
    yield from (_moved(attempt, best, move) for move in moves)


def _moved(attempt: Attempt, row: int, move: LevelArray) -> int:
    return attempt.nearest(np.clip(attempt.levels[row] + move, 0, attempt.tops))


def distance_correlation(first: FloatArray, second: FloatArray) -> float:
    """Distance correlation of two samples of equal length (Szekely, Rizzo and Bakirov 2007).

    >>> round(distance_correlation(np.arange(9.0), np.arange(9.0) * 2), 3)
    1.0
    """
    centred = [_centred(np.abs(values[:, None] - values[None])) for values in (first, second)]
    own = [float((each * each).mean()) for each in centred]
    shared = float((centred[0] * centred[1]).mean())
    return float(np.sqrt(max(shared, 0.0) / np.sqrt(own[0] * own[1]))) if min(own) > 0 else 0.0


def _centred(distances: FloatArray) -> FloatArray:
    return np.asarray(distances - distances.mean(axis=0) - distances.mean(axis=1)[:, None] + distances.mean())
