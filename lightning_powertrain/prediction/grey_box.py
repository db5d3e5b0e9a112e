"""A grey box: a physical curve, and a Gaussian process for what it leaves over.

Physics extrapolates from few points but is never quite right; a Gaussian process is right near points but knows nothing
far from them. Together they beat either where data are scarce (arXiv 2307.02229). The curve is linearised about its
fit, so that the uncertainty of its parameters is part of the process and not thought to be settled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lightning_powertrain.prediction.gaussian_process import FloatArray, GaussianProcess, KernelPrior
from lightning_powertrain.prediction.map_fit import Curve, Prior, fit_map, with_jacobian

# How much of the reference's residual to expect here: mean and standard deviation.
_BORROWED = (0.6, 0.3)
# The spread of intervals is scaled by how far left-out measurements were off; this many typical ones are added to them.
_TYPICAL = 10


class Points(NamedTuple):
    """Some modes as a grey box needs them.

    Args:
        curve: Logarithm of the target in these modes as a function of the parameters.
        inputs: Logarithms of the knobs, shape ``(n, knobs)``.
        borrowed: What the physical curve leaves over in the reference workload, shape ``(n,)``; None without one.
    """

    curve: Curve
    inputs: FloatArray
    borrowed: FloatArray | None = None
    unsure: Callable[[FloatArray], FloatArray] | None = None


@dataclass(frozen=True)
class Target:
    """What to expect of a target.

    Args:
        scatter: Relative scatter about the physical curve.
        starts: From how many points to start its fit: a wrong stage may take the blame in a local minimum.
        kernel: Prior of the process.
    """

    scatter: float
    starts: int
    kernel: KernelPrior


TIME = Target(0.03, 24, KernelPrior(amplitude=(0.08, 0.6), noise=(0.016, 0.5)))
POWER = Target(0.02, 1, KernelPrior(amplitude=(0.05, 0.8), noise=(0.012, 0.5)))


class GreyBox:
    """Fitted to the logarithms of what was measured in some modes.

    Args:
        points: The modes.
        log_values: Logarithms of the measured values, shape ``(n,)``.
        prior: Of the parameters of the curve.
        target: What to expect.
        seed: Of all draws.
    """

    def __init__(self, points: Points, log_values: FloatArray, prior: Prior, target: Target, seed: int, like: GreyBox | None = None) -> None:
        self._prior = prior
        starts = prior.starts(target.starts, np.random.default_rng(seed))
        self.parameters = fit_map(points.curve, log_values, prior, starts, target.scatter)
        base, features = self._linearised(points)
        kernel = target.kernel
        if like is not None:
            kernel = replace(kernel, like=tuple(like._process.settings))
        self._process = GaussianProcess(points.inputs, features, log_values - base, kernel, seed)
        squares = self._process.left_out_z**2
        self._widening = float(np.sqrt((_TYPICAL + squares.sum()) / (_TYPICAL + len(squares))))

    @property
    def error(self) -> float:
        """Mean relative error of each measurement as predicted from all others."""
        return float(np.mean(np.abs(np.expm1(self._process.left_out_residuals))))

    @property
    def root(self) -> FloatArray:
        """How parameters vary about the fit: this matrix times independent standard normal numbers, shape ``(p, p)``."""
        count = len(self.parameters)
        covariance = self._process.weights[1][:count, :count]
        values, vectors = np.linalg.eigh(covariance)
        return self._prior.spread[:, None] * vectors * np.sqrt(np.maximum(values, 0.0))

    def predict(self, points: Points) -> tuple[FloatArray, FloatArray]:
        """Expected logarithms and their standard deviations, noise of a measurement included; shape ``(n,)`` each."""
        base, features = self._linearised(points)
        mean, variance = self._process.predict(points.inputs, features)
        return base + mean, self._widening * np.sqrt(variance)

    def residual(self, points: Points) -> FloatArray:
        """What the physical curve leaves over, as far as known, shape ``(n,)``."""
        base, features = self._linearised(points)
        return base + self._process.mean(points.inputs, features) - points.curve(self.parameters)

    def _linearised(self, points: Points) -> tuple[FloatArray, FloatArray]:
        """Expected logarithms before any measurement, and features whose weights are N(0, 1) then."""
        values, slopes = with_jacobian(points.curve, self.parameters)
        base = values + slopes @ (self._prior.mean - self.parameters)
        features = slopes * self._prior.spread
        if points.unsure is not None:
            features = np.column_stack([features, points.unsure(self.parameters)])
        if points.borrowed is None:
            return base, features
        share, spread = _BORROWED
        return base + share * points.borrowed, np.column_stack([features, spread * points.borrowed])
