"""A grey box: a physical curve, and a Gaussian process for what it leaves over.

Physics extrapolates from few points but is never quite right; a Gaussian process is right near points but knows nothing
far from them. Together they beat either where data are scarce (arXiv 2307.02229). The curve is linearised about its
fit, so that the uncertainty of its parameters is part of the process and not thought to be settled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lightning_powertrain.prediction.gaussian_process import GaussianProcess
from lightning_powertrain.prediction.kernel import FloatArray, KernelPrior, covariance
from lightning_powertrain.prediction.map_fit import Prior, fit_map, with_jacobian
from lightning_powertrain.prediction.points import Points
from lightning_powertrain.prediction.reference_model import Learned

# How much of the reference's residual to expect here: mean and standard deviation.
_BORROWED = (0.3, 0.3)
# The spread of intervals is scaled by how far left-out measurements were off. This many are added to them that are off
# by so many standard deviations: more than one, as all settings were chosen with the measurements that are left out.
_TYPICAL, _TYPICAL_Z = 10, 1.2
# Workloads that stand for all that there may be, before anything is measured.
_WORKLOADS = 200


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

    def tightened(self, other: Learned, factor: float) -> Target:
        """The same for a process that is like another, with the spread of its prior reduced."""
        return replace(self, kernel=self.kernel.tightened(other.hyperparameters, factor))


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

    def __init__(self, points: Points, log_values: FloatArray, prior: Prior, target: Target, seed: int) -> None:
        self._prior = prior
        starts = prior.starts(target.starts, np.random.default_rng(seed))
        self.parameters = fit_map(points.curve, log_values, prior, starts, target.scatter)
        base, features = self._linearised(points)
        self._process = GaussianProcess(points.inputs, features, log_values - base, target.kernel, seed)
        squares = self._process.left_out_z**2
        self._widening = float(np.sqrt((_TYPICAL * _TYPICAL_Z**2 + squares.sum()) / (_TYPICAL + len(squares))))

    @property
    def error(self) -> float:
        """Mean relative error of each measurement as predicted from all others."""
        return float(np.mean(np.abs(np.expm1(self._process.left_out_residuals))))

    @cached_property
    def doubt(self) -> FloatArray:
        """What turns independent standard normal numbers into deviations of the parameters, shape ``(p, p)``."""
        count = len(self.parameters)
        values, vectors = np.linalg.eigh(self._process.weight_covariance[:count, :count])
        return np.asarray(self._prior.spread[:, None] * vectors * np.sqrt(np.maximum(values, 0.0)), dtype=np.float64)

    def predict(self, points: Points) -> tuple[FloatArray, FloatArray]:
        """Expected logarithms and their standard deviations, noise of a measurement included; shape ``(n,)`` each."""
        base, features = self._linearised(points)
        mean, variance = self._process.predict(points.inputs, features)
        return base + mean, self._widening * np.sqrt(variance)

    def learned(self) -> Learned:
        """What another workload may start from; for a box that borrowed nothing itself."""
        count, process = len(self.parameters), self._process
        weights = process.feature_weights
        shift = self._prior.mean - self.parameters + self._prior.spread * weights[:count]
        kernel = process.settings, process.inputs, process.solution
        return Learned(self.parameters, shift, self.doubt, *kernel, weights[count:])

    def _linearised(self, points: Points) -> tuple[FloatArray, FloatArray]:
        """Expected logarithms before any measurement, and features whose weights are N(0, 1) then."""
        values, slopes = with_jacobian(points.curve, self.parameters)
        base = values + slopes @ (self._prior.mean - self.parameters)
        features = [slopes * self._prior.spread]
        if points.unsure is not None:
            features.append(points.unsure(self.parameters))
        if points.borrowed is not None:
            share, spread = _BORROWED
            base = base + share * points.borrowed
            features.append(spread * points.borrowed[:, None])
        return base, np.concatenate(features, axis=1)


def before_measuring(points: Points, prior: Prior, target: Target, seed: int) -> tuple[FloatArray, float]:
    """Covariance of the logarithms in some modes, shape ``(n, n)``, and the variance of a measurement.

    Of workloads drawn from the prior: the slopes of the curve at its mean would tell of workloads like that one alone,
    and a mode that says much of them may say nothing of one in which another stage is the slowest.
    """
    values = points.curve(prior.draws(_WORKLOADS, np.random.default_rng(seed)))
    features = (values - values.mean(axis=0)).T / np.sqrt(_WORKLOADS)
    settings = target.kernel.mean(points.inputs.shape[1])
    total = features @ features.T + covariance(points.inputs, points.inputs, settings)
    if points.borrowed is not None:
        borrowed = _BORROWED[1] * points.borrowed
        total += np.outer(borrowed, borrowed)
    return total, float(np.exp(2 * settings[-1]))
