"""Constrained Bayesian optimisation without physics (Gardner et al. 2014), as PolyThrottle does (arXiv 2310.19991).

Two Gaussian processes over the levels of the knobs, one for the logarithm of the time and one for that of the power.
Next comes the mode of the largest expected improvement within the limit.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from lightning_powertrain.errors import MissingPackageError
from lightning_powertrain.evaluation.rivals.attempt import Attempt, FloatArray
from lightning_powertrain.prediction import Prediction
from lightning_powertrain.profiling import latin_hypercube_rows
from lightning_powertrain.selection import PowerBudget, expected_improvement

# Modes of a Latin hypercube before the first fit: of 5, 8 and 12 the best, with 20 modes in all.
_FIRST_MODES = 5
# Hyperparameters are fitted anew once the sample has grown by this factor, and in between only the data.
_GROWTH = 1.3
_WIDTH_OF_90_PERCENT = 1.6449


def constrained_bayesian(attempt: Attempt) -> None:
    """Measure a Latin hypercube, then the mode of the largest constrained expected improvement, again and again.

    Raises:
        MissingPackageError: If scikit-learn is not installed.
    """
    for row in latin_hypercube_rows(attempt.levels, _FIRST_MODES, int(attempt.random.integers(1 << 31))).tolist():
        attempt.measure(row)
    time, power, fitted = _Process(), _Process(), 0
    while not attempt.is_over:
        learn = len(attempt.rows) >= _GROWTH * fitted
        fitted = len(attempt.rows) if learn else fitted
        time_low, time_ms, time_high = time.interval(attempt, np.log(attempt.time_ms), learn=learn)
        power_low, power_w, power_high = power.interval(attempt, np.log(attempt.power_w), learn=learn)
        predicted = Prediction(
            time_ms,
            power_w,
            time_low_ms=time_low,
            time_high_ms=time_high,
            power_low_w=power_low,
            power_high_w=power_high,
        )
        within = attempt.power_w <= attempt.limit_w
        to_beat = float(attempt.time_ms[within].min() if within.any() else 2 * time_ms.max())
        value = expected_improvement(PowerBudget(attempt.limit_w), predicted, to_beat)
        value[attempt.rows] = -1.0
        attempt.measure(int(value.argmax()))


class _Process:
    """A Gaussian process of one figure."""

    def __init__(self) -> None:
        try:
            from sklearn.gaussian_process import GaussianProcessRegressor, kernels
        except ModuleNotFoundError as missing:
            raise MissingPackageError.of("scikit-learn", "evaluation") from missing
        self._regressor = GaussianProcessRegressor
        self._kernels = kernels
        self._kernel: Any = None

    def interval(
        self, attempt: Attempt, values: FloatArray, *, learn: bool
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Lower end of the 90 % interval, middle and upper end in all modes, from logarithms in the measured ones."""
        if learn:
            knobs = attempt.shares.shape[1]
            smooth = self._kernels.Matern(np.full(knobs, 0.5), (0.05, 20.0), nu=2.5)
            self._kernel = self._kernels.ConstantKernel(1.0, (0.01, 100.0)) * smooth
            self._kernel += self._kernels.WhiteKernel(1e-3, (1e-6, 0.1))
        process = self._regressor(self._kernel, normalize_y=True, optimizer="fmin_l_bfgs_b" if learn else None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # A knob without an effect has a length scale at its bound.
            process.fit(attempt.shares[attempt.rows], values)
        self._kernel = process.kernel_
        mean, spread = process.predict(attempt.shares, return_std=True)
        low, middle, high = (np.exp(mean + side * _WIDTH_OF_90_PERCENT * spread) for side in (-1, 0, 1))
        return low, middle, high
