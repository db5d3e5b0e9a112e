"""Which signals to believe: one that contradicts everything else is left out.

A counter may show something else than its name says. Then no likely parameters fit it together with time, power and the
other signals, and without it the fit is much better.
"""

from __future__ import annotations

import numpy as np

from lightning_powertrain.boards import IntArray
from lightning_powertrain.prediction.map_fit import Curve, FloatArray, Prior, fit_map, losses_of

TOTAL = -1
"""The kind of the values that are never doubted: time, or power."""

# Losses are about the square of a deviation in standard deviations: 1 a value where everything fits.
_SUSPICIOUS = 2.0
# A kind is left out if the loss falls by more than so much for each value, and for the kind: for the first one, and for
# others, as where one counter is wrong another probably is, too.
_GAIN_OF_VALUE, _GAIN_OF_FIRST, _GAIN_OF_OTHER = 2.0, 16.0, 6.0
# One wild reading does not make a counter wrong.
_LARGEST_LOSS = 16.0


def fit_believing(
    curve: Curve, log_values: FloatArray, prior: Prior, starts: FloatArray, scatter: FloatArray, kinds: IntArray
) -> tuple[FloatArray, FloatArray]:
    """The most probable parameters, shape ``(p,)``, and the scatter, infinite for what is left out.

    Parameters far from their prior speak against a signal as well, but less than in the fit, as under a Cauchy prior: a
    workload that hardly loads data is rare, and no contradiction.

    Args:
        curve: What to fit.
        log_values: Logarithms of what was measured, shape ``(n,)``.
        prior: Of the parameters.
        starts: Where to start from, shape ``(s, p)``.
        scatter: Relative scatter of each value to expect, shape ``(n,)``.
        kinds: What shows each value: :data:`TOTAL`, or the number of a signal, shape ``(n,)``.
    """

    def fitted(expected: FloatArray) -> tuple[FloatArray, float]:
        parameters = fit_map(curve, log_values, prior, starts, expected)
        losses = np.minimum(losses_of(log_values - curve(parameters), expected), _LARGEST_LOSS)
        squares = ((parameters - prior.mean) / prior.spread) ** 2
        return parameters, float(losses.sum() + 2 * np.log1p(squares).sum())

    parameters, loss = fitted(scatter)
    while loss > _SUSPICIOUS * np.isfinite(scatter).sum():
        best, most, of_kind = None, 1.0, _GAIN_OF_FIRST if np.isfinite(scatter).all() else _GAIN_OF_OTHER
        for kind in np.unique(kinds[np.isfinite(scatter) & (kinds != TOTAL)]):
            without = np.where(kinds == kind, np.inf, scatter)
            fit, left = fitted(without)
            gain = (loss - left) / (of_kind + _GAIN_OF_VALUE * (kinds == kind).sum())
            if gain > most:
                best, most = (fit, left, without), gain
        if best is None:
            break
        parameters, loss, scatter = best
    return parameters, scatter
