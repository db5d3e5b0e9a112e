"""How far to trust a reference: the spread of the prior around it is learned from the measurements.

Each parameter deviates from the reference's by a normal variable, whose variance is that of the parameter's prior times
two unknown factors: one that all parameters have in common, and one of its own. Both have inverse gamma priors around
1. So a parameter that differs is let go (a Student prior, with heavy tails), and where many differ, all are. Both
factors and the parameters are found in turns, by expectation maximisation.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lightning_powertrain.prediction.map_fit import Curve, FloatArray, Prior, fit_map, parameter_variances

_ROUNDS = 2
# How many parameters the priors of the common factor, and of that of each parameter, weigh as much as.
_COMMON, _OWN = 8.0, 3.0


def fit_trusting(
    curve: Curve, log_values: FloatArray, reference: Prior, parameters: FloatArray, scatter: float | FloatArray
) -> tuple[FloatArray, Prior]:
    """The most probable parameters, shape ``(p,)``, and the prior with the spreads that go with them.

    Args:
        curve: What to fit.
        log_values: Logarithms of what was measured, shape ``(n,)``.
        reference: A prior around a reference.
        parameters: The most probable parameters under that prior, shape ``(p,)``.
        scatter: Relative scatter of the measured values about the curve to expect.
    """
    prior = reference
    for _ in range(_ROUNDS):
        variances = parameter_variances(curve, log_values, prior, parameters, scatter)
        squares = ((parameters - reference.mean) ** 2 + variances) / reference.spread**2
        common = (_COMMON + squares.sum()) / (_COMMON + len(squares))
        own = (_OWN * common + squares) / (_OWN + 1)
        prior = replace(reference, spread=reference.spread * np.sqrt(own))
        parameters = fit_map(curve, log_values, prior, parameters[None], scatter)
    return parameters, prior
