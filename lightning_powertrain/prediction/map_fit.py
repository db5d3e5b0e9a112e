"""Maximum a posteriori fit of a curve with few parameters to the logarithms of what was measured.

All parameters are logarithms, or exponents, with independent normal priors. The loss is soft-L1, so that one bad
measurement cannot bend the curve; the minimum is sought by Levenberg-Marquardt steps from several starts at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Callable

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

Curve = Callable[[FloatArray], FloatArray]
"""Parameters, shape ``(..., p)``, to predicted logarithms, shape ``(..., n)``."""

_STEPS = 25
# After so many steps only so many starts go on: most end in the same minimum, and a bad one shows early.
_SURVIVORS = {4: 8, 8: 3}
_DIFFERENCE = 1e-4
_LONGEST_STEP = 1.0
# In units of a squared standard deviation: less does not matter beside the uncertainty of the parameters.
_CONVERGED = 1e-2
# Residuals beyond this many times the expected scatter count linearly, not squared.
_SOFT = 2.0


@dataclass(frozen=True, eq=False)
class Prior:
    """Independent normal priors of the parameters.

    Args:
        mean: Shape ``(p,)``.
        spread: Standard deviations, shape ``(p,)``.
        scales: Which parameters are logarithms of a time or power, shape ``(p,)``: adding a constant to all of those
            scales the curve by a factor.
    """

    mean: FloatArray
    spread: FloatArray
    scales: npt.NDArray[np.bool_]

    def centred_on(self, curve: Curve, log_values: FloatArray) -> Prior:
        """The same prior for a curve that is faster or slower by a factor, so that half of the values lie above it."""
        shift = np.median(log_values - curve(self.mean))
        return replace(self, mean=self.mean + shift * self.scales)

    def tightened(self, mean: FloatArray, factor: float) -> Prior:
        """A prior around other parameters, with its spread reduced."""
        return replace(self, mean=mean, spread=self.spread * factor)

    def joined(self, other: Prior) -> Prior:
        """A prior of these parameters and of others behind them."""
        return Prior(
            np.concatenate([self.mean, other.mean]),
            np.concatenate([self.spread, other.spread]),
            np.concatenate([self.scales, other.scales]),
        )

    def draws(self, count: int, rng: np.random.Generator) -> FloatArray:
        """Parameters drawn from it, shape ``(count, p)``."""
        return self.mean + self.spread * rng.standard_normal((count, len(self.mean)))

    def starts(self, count: int, rng: np.random.Generator) -> FloatArray:
        """The mean and some draws from near it, shape ``(count, p)``."""
        draws = rng.standard_normal((count, len(self.mean)))
        draws[0] = 0
        return self.mean + 0.7 * self.spread * draws


def with_jacobian(curve: Curve, parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The curve and its derivatives by all parameters, shapes ``(..., n)`` and ``(..., n, p)``."""
    count = parameters.shape[-1]
    steps = np.concatenate([np.zeros((1, count)), _DIFFERENCE * np.eye(count)])
    values = curve(parameters[..., None, :] + steps)
    slopes = (values[..., 1:, :] - values[..., :1, :]) / _DIFFERENCE
    return values[..., 0, :], np.moveaxis(slopes, -2, -1)


def slope_along(curve: Curve, parameters: FloatArray, direction: FloatArray) -> FloatArray:
    """Derivative of the curve in one direction, shape ``(n,)``: two evaluations instead of one for each parameter."""
    return np.asarray((curve(parameters + _DIFFERENCE * direction) - curve(parameters)) / _DIFFERENCE, dtype=np.float64)


def fit_map(
    curve: Curve, log_values: FloatArray, prior: Prior, starts: FloatArray, scatter: float | FloatArray
) -> FloatArray:
    """The most probable parameters, shape ``(p,)``.

    Values of several kinds can be fitted together: a curve that gives them one after the other, and a scatter of each.

    Args:
        curve: What to fit.
        log_values: Logarithms of what was measured, shape ``(n,)``.
        prior: Of the parameters.
        starts: Where to start from, shape ``(s, p)``; the best end wins.
        scatter: Relative scatter of the measured values about the curve to expect; one, or shape ``(n,)``.
    """
    parameters, damping = starts.copy(), np.full(len(starts), 1e-2)
    values, slopes = with_jacobian(curve, parameters)
    losses = posterior_loss(parameters, values, log_values, prior, scatter)
    for done in range(_STEPS):
        if done in _SURVIVORS:
            best = np.argsort(losses, kind="stable")[: _SURVIVORS[done]]
            parameters, damping, values, slopes, losses = (
                each[best] for each in (parameters, damping, values, slopes, losses)
            )
        step = newton_step(parameters, values, slopes, log_values, prior, scatter, damping[:, None])
        candidates = parameters + np.clip(step, -_LONGEST_STEP, _LONGEST_STEP)
        candidate_values, candidate_slopes = with_jacobian(curve, candidates)
        candidate_losses = posterior_loss(candidates, candidate_values, log_values, prior, scatter)
        better = candidate_losses < losses
        gain = np.where(better, losses - candidate_losses, 0.0)
        parameters = np.where(better[:, None], candidates, parameters)
        values = np.where(better[:, None], candidate_values, values)
        slopes = np.where(better[:, None, None], candidate_slopes, slopes)
        losses = np.where(better, candidate_losses, losses)
        damping = np.where(better, np.maximum(0.3 * damping, 1e-6), 4 * damping)
        if better.any() and gain.max() < _CONVERGED:
            break
    return np.asarray(parameters[np.argmin(losses)], dtype=np.float64)


def newton_step(
    parameters: FloatArray,
    values: FloatArray,
    slopes: FloatArray,
    log_values: FloatArray,
    prior: Prior,
    scatter: float | FloatArray,
    damping: FloatArray,
) -> FloatArray:
    """Damped Gauss-Newton steps towards the most probable parameters, shape ``(s, p)``.

    Args:
        parameters: Where to start from, shape ``(s, p)``.
        values: The curve there, shape ``(s, n)``.
        slopes: Its derivatives there, shape ``(s, n, p)``.
        log_values: Logarithms of what was measured, shape ``(n,)``.
        prior: Of the parameters.
        scatter: Relative scatter of the measured values to expect.
        damping: By what share to raise the curvature, shape ``(s, 1)``, or ``(s, p)`` for each parameter.
    """
    residuals = log_values - values
    pull = np.einsum("snp,sn->sp", slopes, weights_of(residuals, scatter) * residuals)
    descent = pull - (parameters - prior.mean) / prior.spread**2
    curvature = curvature_of(values, slopes, log_values, prior, scatter)
    damped = curvature * (1 + damping[..., None] * np.eye(parameters.shape[1]))
    return np.asarray(np.linalg.solve(damped, descent[..., None])[..., 0], dtype=np.float64)


def curvature_of(
    values: FloatArray, slopes: FloatArray, log_values: FloatArray, prior: Prior, scatter: float | FloatArray
) -> FloatArray:
    """Inverse covariance of the parameters by the curve and its derivatives in one place, shape ``(..., p, p)``."""
    weighted = slopes * weights_of(log_values - values, scatter)[..., None]
    return np.asarray(np.swapaxes(slopes, -1, -2) @ weighted + np.diag(1 / prior.spread**2), dtype=np.float64)


def parameter_variances(
    curve: Curve, log_values: FloatArray, prior: Prior, parameters: FloatArray, scatter: float | FloatArray
) -> FloatArray:
    """Variances of the most probable parameters by the curvature there (Laplace's approximation), shape ``(p,)``."""
    values, slopes = with_jacobian(curve, parameters)
    curvature = curvature_of(values, slopes, log_values, prior, scatter)
    return np.asarray(np.diag(np.linalg.inv(curvature)), dtype=np.float64)


def losses_of(residuals: FloatArray, scatter: float | FloatArray) -> FloatArray:
    """Twice the negative logarithm of the likelihood of each value: about z squared, or 4 z where z is large."""
    return np.asarray(2 * _SOFT**2 * (np.sqrt(1 + (residuals / (_SOFT * scatter)) ** 2) - 1), dtype=np.float64)


def weights_of(residuals: FloatArray, scatter: float | FloatArray) -> FloatArray:
    """Inverse variances of values, smaller for those that are far from the curve."""
    return np.asarray(1 / np.sqrt(1 + (residuals / (_SOFT * scatter)) ** 2) / scatter**2, dtype=np.float64)


def posterior_loss(
    parameters: FloatArray, values: FloatArray, log_values: FloatArray, prior: Prior, scatter: float | FloatArray
) -> FloatArray:
    """Twice the negative logarithm of the posterior density, up to a constant, shape ``(...)``."""
    penalty = ((parameters - prior.mean) / prior.spread) ** 2
    return np.asarray(losses_of(log_values - values, scatter).sum(axis=-1) + penalty.sum(axis=-1), dtype=np.float64)
