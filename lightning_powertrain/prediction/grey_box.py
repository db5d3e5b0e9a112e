"""A grey box: a physical curve, and a Gaussian process for what it leaves over.

A physical model extrapolates from few points but has systematic errors; a Gaussian process has none near the points but
returns to its prior far from them. Together they predict better than either where data are scarce (arXiv 2307.02229).
The curve is linearised about its fit, so that the uncertainty of its parameters is part of the process.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lightning_powertrain.prediction.alternatives import alternatives
from lightning_powertrain.prediction.doubt import TOTAL, fit_believing
from lightning_powertrain.prediction.evidence import Evidence, conditioned
from lightning_powertrain.prediction.gaussian_process import GaussianProcess
from lightning_powertrain.prediction.kernel import FloatArray, KernelPrior, covariance
from lightning_powertrain.prediction.map_fit import Prior, with_jacobian
from lightning_powertrain.prediction.points import Points
from lightning_powertrain.prediction.reference_model import ReferenceGreyBox
from lightning_powertrain.prediction.trust import fit_trusting

# Prior of the share of the reference's residual that another workload has: mean and standard deviation.
_RESIDUAL_SHARE = (0.3, 0.3)
# The width of intervals is scaled by the errors of left-out measurements, in standard deviations. As a prior, this many
# errors of this size are added. The size is more than one, as left-out measurements helped to choose hyperparameters.
_PRIOR_COUNT, _PRIOR_Z = 10, 1.2
# With this factor of the parameters' variance, about that of workloads on the reference's own board, the reference is
# trusted fully, and with one more not at all.
_FULL_TRUST = 0.8
# Workloads that stand for all that there may be, before anything is measured.
_WORKLOADS = 200


@dataclass(frozen=True)
class Target:
    """What to expect of a target.

    Args:
        scatter: Relative scatter about the physical curve.
        starts: From how many points to start its fit: a wrong stage may take the blame in a local minimum.
        kernel: Prior of the process.
        freed: The same for a reference that is not trusted; None if the kernel does not come from a reference.
    """

    scatter: float
    starts: int
    kernel: KernelPrior
    freed: KernelPrior | None = None

    def tightened(self, other: ReferenceGreyBox, factor: float) -> Target:
        """The same for a process that is like another, with the spread of its prior reduced."""
        own, kernel = self.kernel, self.kernel.tightened(other.hyperparameters, factor)
        # In doubt it leaves more over, never less: of two pairs, the one with the larger median.
        amplitude, noise = max(own.amplitude, kernel.amplitude), max(own.noise, kernel.noise)
        freed = replace(kernel, amplitude=amplitude, noise=noise)
        return replace(self, kernel=kernel, freed=freed)

    def kernel_for(self, doubt: float) -> KernelPrior:
        """Prior of the process, where the variance of the parameters about the reference's has such a factor.

        Where physics has to be let go, what it leaves over is like that of the reference no more.
        """
        share = min(max(doubt - _FULL_TRUST, 0.0), 1.0)
        return self.kernel if self.freed is None else self.kernel.towards(self.freed, share)


TIME = Target(0.03, 12, KernelPrior(amplitude=(0.08, 0.6), noise=(0.016, 0.5)))
POWER = Target(0.02, 1, KernelPrior(amplitude=(0.05, 0.8), noise=(0.012, 0.5)))


class GreyBox:
    """Fitted to the logarithms of what was measured in some modes.

    Args:
        points: The modes.
        log_values: Logarithms of the measured values, shape ``(n,)``.
        prior: Of the parameters of the curve.
        target: What to expect.
        seed: Of all draws.
        has_reference: Whether the prior comes from a reference, which may not fit: how far to trust it is learned.
        evidence: What free signals say of the parameters; None without any.
    """

    def __init__(
        self,
        points: Points,
        log_values: FloatArray,
        prior: Prior,
        target: Target,
        seed: int,
        has_reference: bool,
        evidence: Evidence | None = None,
    ) -> None:
        rng, count = np.random.default_rng(seed), len(prior.mean)
        curve, values, scatter = points.curve, log_values, np.full(len(log_values), target.scatter)
        kinds = np.full(len(log_values), TOTAL)
        if evidence is not None:
            curve, prior = evidence.curve, prior.joined(evidence.own)
            values = np.concatenate([log_values, evidence.log_signals])
            scatter = np.concatenate([scatter, evidence.scatter])
            kinds = np.concatenate([kinds, evidence.kinds])
        parameters, scatter = fit_believing(curve, values, prior, prior.starts(target.starts, rng), scatter, kinds)
        kernel = target.kernel
        if has_reference:
            tight = prior.spread
            parameters, prior = fit_trusting(curve, values, prior, parameters, scatter)
            kernel = target.kernel_for(float(np.exp(2 * np.mean(np.log(prior.spread / tight)))))
        self._alternatives, self._weights = np.empty((0, count)), np.empty(0)
        if points.groups is not None:
            groups = np.pad(points.groups, ((0, 0), (0, len(parameters) - count)))
            others, self._weights = alternatives(curve, values, prior, parameters, scatter, groups)
            self._alternatives = others[:, :count]
        self.parameters, self._mean, self._root = parameters[:count], prior.mean, np.diag(prior.spread)
        if evidence is not None:
            self._mean, self._root = conditioned(prior, evidence, parameters, scatter[len(log_values) :])
        base, features = self._linearised(points)
        self._process = GaussianProcess(points.inputs, features, log_values - base, kernel, seed)
        squares = self._process.left_out_z**2
        self._interval_scale = float(
            np.sqrt((_PRIOR_COUNT * _PRIOR_Z**2 + squares.sum()) / (_PRIOR_COUNT + len(squares)))
        )

    @property
    def error(self) -> float:
        """Mean relative error of each measurement as predicted from all others."""
        return float(np.mean(np.abs(np.expm1(self._process.left_out_residuals))))

    @property
    def log_score(self) -> float:
        """Mean log density of each measurement as predicted from all others, up to a constant: larger is better."""
        return self._process.left_out_log_density

    @cached_property
    def posterior_root(self) -> FloatArray:
        """Square root of the posterior covariance of the parameters, shape ``(p, p)``.

        It turns independent standard normal numbers into deviations of the parameters.
        """
        count = len(self.parameters)
        values, vectors = np.linalg.eigh(self._process.weight_covariance[:count, :count])
        return np.asarray(self._root @ vectors * np.sqrt(np.maximum(values, 0.0)), dtype=np.float64)

    def predict(self, points: Points) -> tuple[FloatArray, FloatArray]:
        """Expected logarithms and their standard deviations, noise of a measurement included; shape ``(n,)`` each."""
        base, features = self._linearised(points)
        mean, variance = self._process.predict(points.inputs, features)
        return base + mean, np.hypot(self._interval_scale * np.sqrt(variance), self._ambiguity(points))

    def _ambiguity(self, points: Points) -> FloatArray:
        """Standard deviations for what other parameters predict that fit about as well, shape ``(n,)``.

        Several of them can differ in the same way: the largest change counts.
        """
        if not len(self._weights):
            return np.zeros(len(points.inputs))
        changes = points.curve(self._alternatives) - points.curve(self.parameters)
        return np.asarray((np.sqrt(self._weights)[:, None] * np.abs(changes)).max(axis=0), dtype=np.float64)

    def as_reference(self) -> ReferenceGreyBox:
        """What another workload may start from; for a box that was fitted without a reference."""
        count, process = len(self.parameters), self._process
        weights = process.feature_weights
        shift = self._mean - self.parameters + self._root @ weights[:count]
        kernel = process.hyperparameters, process.inputs, process.dual_coefficients
        return ReferenceGreyBox(self.parameters, shift, self.posterior_root, *kernel, weights[count:])

    def _linearised(self, points: Points) -> tuple[FloatArray, FloatArray]:
        """Expected logarithms before any measurement, and features whose weights are N(0, 1) then."""
        values, slopes = with_jacobian(points.curve, self.parameters)
        base = values + slopes @ (self._mean - self.parameters)
        features = [slopes @ self._root]
        if points.nuisance_slopes is not None:
            features.append(points.nuisance_slopes(self.parameters))
        if points.reference_residual is not None:
            share, spread = _RESIDUAL_SHARE
            base = base + share * points.reference_residual
            features.append(spread * points.reference_residual[:, None])
        return base, np.concatenate(features, axis=1)


def prior_covariance(points: Points, prior: Prior, target: Target, seed: int) -> tuple[FloatArray, float]:
    """Covariance of the logarithms in some modes, shape ``(n, n)``, and the variance of a measurement.

    The covariance is estimated from workloads drawn from the prior. The slopes of the curve at the mean of the prior
    would describe only workloads whose slowest stage is the same.
    """
    values = points.curve(prior.draws(_WORKLOADS, np.random.default_rng(seed)))
    features = (values - values.mean(axis=0)).T / np.sqrt(_WORKLOADS)
    hyperparameters = target.kernel.mean(points.inputs.shape[1])
    total = features @ features.T + covariance(points.inputs, points.inputs, hyperparameters)
    if points.reference_residual is not None:
        deviation = _RESIDUAL_SHARE[1] * points.reference_residual
        total += np.outer(deviation, deviation)
    return total, float(np.exp(2 * hyperparameters[-1]))
