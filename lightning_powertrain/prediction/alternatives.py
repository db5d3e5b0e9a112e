"""Other parameters that explain the measurements about as well, far from the most probable ones.

The curvature at the most probable parameters describes only their neighbourhood. A stage that happens to be as long as
the longest one looks well determined there. But if it is much shorter, the other stages explain the measurements
without it. Then it is also shorter in modes where it was expected to be the longest. So the parameters of each stage
are moved together, and all other parameters follow.
"""

from __future__ import annotations

import numpy as np

from lightning_powertrain.prediction.map_fit import (
    Curve,
    FloatArray,
    Prior,
    curvature_of,
    newton_step,
    posterior_loss,
    with_jacobian,
)

# A stage is tried with half and twice its time.
_MOVE = np.log(2.0)
_STEPS = 4
_LONGEST_STEP = 0.5
# So large a damping holds a parameter where it is.
_HELD = 1e9
_LEAST_WEIGHT = 0.01


def alternatives(
    curve: Curve,
    log_values: FloatArray,
    prior: Prior,
    parameters: FloatArray,
    scatter: FloatArray,
    groups: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Parameters, shape ``(k, p)``, and by how much each is more probable than the curvature says, shape ``(k,)``.

    A probability is that of the surroundings of an alternative, compared with those of the most probable parameters
    (Laplace's approximation of both). Where the posterior is normal there are no alternatives.

    Args:
        curve: What was fitted.
        log_values: Logarithms of what was measured, shape ``(n,)``.
        prior: Of the parameters.
        parameters: The most probable ones, shape ``(p,)``.
        scatter: Relative scatter of each value to expect, shape ``(n,)``.
        groups: Which parameters to move together, 1 or 0, shape ``(g, p)``.
    """
    moves = np.concatenate([-_MOVE * groups, _MOVE * groups])
    found = parameters + moves
    for _ in range(_STEPS):
        values, slopes = with_jacobian(curve, found)
        step = newton_step(found, values, slopes, log_values, prior, scatter, _HELD * (moves != 0))
        found = found + np.where(moves != 0, 0.0, np.clip(step, -_LONGEST_STEP, _LONGEST_STEP))
    every = np.concatenate([parameters[None], found])
    values, slopes = with_jacobian(curve, every)
    losses = posterior_loss(every, values, log_values, prior, scatter)
    curvatures = curvature_of(values, slopes, log_values, prior, scatter)
    evidence = losses + np.linalg.slogdet(curvatures)[1]
    normal = np.exp(-0.5 * _normal_rise(curvatures[0], moves))
    weights = _share(np.exp(np.minimum(0.5 * (evidence[0] - evidence[1:]), 50.0))) - _share(normal)
    is_kept = weights > _LEAST_WEIGHT
    return found[is_kept], weights[is_kept]


def _share(ratio: FloatArray) -> FloatArray:
    return ratio / (1 + ratio)


def _normal_rise(curvature: FloatArray, moves: FloatArray) -> FloatArray:
    """By how much the loss would rise by each move if it were quadratic, and all other parameters followed."""
    covariance = np.linalg.inv(curvature)
    rises = []
    for move in moves:
        held = np.flatnonzero(move)
        rises.append(move[held] @ np.linalg.solve(covariance[np.ix_(held, held)], move[held]))
    return np.array(rises)
