"""Gaussian process regression of what a physical model leaves over, averaged over its own uncertain settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_DRAWS = 96
_CLIMBS = 60
_KEPT = 5
# With more points than this the settings are certain: they are chosen on a part of the points, and one set is kept.
_MANY = 128
_AROUND_BEST = 0.35
_OUTLIER = 2.5
# Share of the variance that goes with each knob by itself, whatever the others are: few points tell more of that.
_ALONE = 0.25
_BLOCK = 2048
_JITTER = 1e-10


@dataclass(frozen=True, eq=False)
class KernelPrior:
    """Log-normal priors: medians, and standard deviations of logarithms.

    Args:
        lengths: Of the distance, in log units of a knob, over which residuals are alike; its median may be one
            for each knob, shape ``(knobs,)``.
        amplitude: Of the residuals.
        noise: Of the measurements, and of what varies from mode to mode without any pattern.
    """

    lengths: tuple[float | FloatArray, float] = (0.8, 0.6)
    amplitude: tuple[float, float] = (0.08, 0.6)
    noise: tuple[float, float] = (0.016, 0.5)

    def mean(self, knobs: int) -> FloatArray:
        """Means of the logarithms of all settings: a length for each knob, the amplitude, the noise."""
        return np.log([*np.broadcast_to(self.lengths[0], knobs), self.amplitude[0], self.noise[0]])

    def spread(self, knobs: int) -> FloatArray:
        """Their standard deviations."""
        return np.array([*[self.lengths[1]] * knobs, self.amplitude[1], self.noise[1]])

    def tightened(self, settings: FloatArray, factor: float) -> KernelPrior:
        """A prior around the settings of another process, with its spread reduced."""
        amplitude, noise = np.exp(settings[-2:]).tolist()
        return KernelPrior(
            (np.exp(settings[:-2]), factor * self.lengths[1]),
            (amplitude, factor * self.amplitude[1]),
            (noise, factor * self.noise[1]),
        )


@dataclass(frozen=True, eq=False)
class _Member:
    """A process with certain settings: its weight in the average, and what prediction needs."""

    settings: FloatArray
    weight: float
    whitening: FloatArray
    solution: FloatArray


class GaussianProcess:
    """Matern-3/2 kernels of each knob, multiplied and added, a linear kernel on given features, and noise.

    The settings are not optimised but averaged over: a few draws about the most probable ones count by how well they
    explain the data. With few points that predicts better, and with honest intervals. Measurements far from what the
    others say (more than 2.5 standard deviations) count less in a second fit.

    Args:
        inputs: Logarithms of the knobs, shape ``(n, knobs)``.
        features: Each times a weight of prior ``N(0, 1)``, shape ``(n, k)``.
        values: Zero-mean values, shape ``(n,)``.
        prior: Of the settings.
        seed: Of the draws.
    """

    def __init__(
        self, inputs: FloatArray, features: FloatArray, values: FloatArray, prior: KernelPrior, seed: int
    ) -> None:
        self._inputs, self._features, self._values = inputs, features, values
        self._linear = features @ features.T
        self._trust = np.ones(len(values))
        self._average(prior, seed)
        surprise = np.abs(self.left_out_z)
        if (surprise > _OUTLIER).any():
            self._trust = np.minimum(1.0, (_OUTLIER / np.maximum(surprise, _OUTLIER)) ** 2)
            self._average(prior, seed)

    @property
    def left_out_residuals(self) -> FloatArray:
        """Each value less what all others predict for it, in closed form, shape ``(n,)``."""
        return np.asarray(self._left_out[0], dtype=np.float64)

    @property
    def left_out_z(self) -> FloatArray:
        """The same over the standard deviations that go with it, of a measurement that is trusted."""
        residuals, spread = self._left_out
        return np.asarray(residuals / spread, dtype=np.float64)

    @property
    def settings(self) -> FloatArray:
        """Logarithms of the most probable settings: a length for each knob, the amplitude, the noise."""
        return self._members[0].settings

    @property
    def weight_covariance(self) -> FloatArray:
        """Covariance of the features' weights after the measurements, shape ``(k, k)``."""
        known = self._members[0].whitening @ self._features
        return np.asarray(np.eye(known.shape[1]) - known.T @ known, dtype=np.float64)

    def mean(self, inputs: FloatArray, features: FloatArray) -> FloatArray:
        """Means alone, which cost much less than variances, shape ``(m,)``."""
        total = np.zeros(len(inputs))
        for start in range(0, len(inputs), _BLOCK):
            block = slice(start, start + _BLOCK)
            linear = features[block] @ self._features.T
            for member in self._members:
                kernel = linear + covariance(inputs[block], self._inputs, member.settings)
                total[block] += member.weight * (kernel @ member.solution)
        return total

    def predict(self, inputs: FloatArray, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Means and variances (noise included) for other points, shape ``(m,)`` each."""
        blocks = [
            self._predict_block(inputs[start : start + _BLOCK], features[start : start + _BLOCK])
            for start in range(0, len(inputs), _BLOCK)
        ]
        if not blocks:
            return np.empty(0), np.empty(0)
        means, variances = zip(*blocks)
        return np.concatenate(means), np.concatenate(variances)

    def _predict_block(self, inputs: FloatArray, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        mean, square = np.zeros(len(inputs)), np.zeros(len(inputs))
        linear = features @ self._features.T
        own = (features**2).sum(axis=1)
        for member in self._members:
            kernel = linear + covariance(inputs, self._inputs, member.settings)
            predicted = kernel @ member.solution
            known = ((kernel @ member.whitening.T) ** 2).sum(axis=1)
            amplitude, noise = np.exp(2 * member.settings[-2:])
            variance = np.maximum(own + amplitude - known, 0.0) + noise
            mean += member.weight * predicted
            square += member.weight * (variance + predicted**2)
        return mean, np.maximum(square - mean**2, 1e-12)

    def _average(self, prior: KernelPrior, seed: int) -> None:
        rng = np.random.default_rng(seed)
        mean, spread = prior.mean(self._inputs.shape[1]), prior.spread(self._inputs.shape[1])

        count = len(self._values)
        some = np.arange(count) if count <= _MANY else rng.permutation(count)[:_MANY]
        kept_at_most = _KEPT if count <= _MANY else 1

        def evidence(settings: FloatArray) -> float:
            return self._log_likelihood(settings, some) - 0.5 * float((((settings - mean) / spread) ** 2).sum())

        draws = mean + spread * np.concatenate([np.zeros((1, len(mean))), rng.standard_normal((_DRAWS, len(mean)))])
        best = max(draws, key=evidence)
        best = _climb(evidence, best, spread, rng)
        near = [best, *(best + _AROUND_BEST * spread * rng.standard_normal((3 * _KEPT, len(mean))))]
        scores = np.array([evidence(settings) for settings in near])
        kept = np.argsort(-scores)[:kept_at_most]
        weights = np.exp(scores[kept] - scores[kept[0]])
        self._members = [
            self._member(near[index], float(weight)) for index, weight in zip(kept, weights / weights.sum())
        ]
        inverse_diagonal = (self._members[0].whitening ** 2).sum(axis=0)
        noise = np.exp(2 * self._members[0].settings[-1])
        trusted = 1 / inverse_diagonal - noise / self._trust + noise
        self._left_out = (self._members[0].solution / inverse_diagonal, np.sqrt(trusted))

    def _covariance(self, settings: FloatArray, points: IntArray) -> FloatArray:
        inputs = self._inputs[points]
        noise = np.exp(2 * settings[-1]) / self._trust[points] + _JITTER
        linear = self._linear[np.ix_(points, points)]
        return np.asarray(linear + covariance(inputs, inputs, settings) + np.diag(noise), dtype=np.float64)

    def _log_likelihood(self, settings: FloatArray, points: IntArray) -> float:
        root = np.linalg.cholesky(self._covariance(settings, points))
        white = np.linalg.solve(root, self._values[points])
        return float(-0.5 * white @ white - np.log(np.diag(root)).sum())

    def _member(self, settings: FloatArray, weight: float) -> _Member:
        whitening = np.linalg.inv(np.linalg.cholesky(self._covariance(settings, np.arange(len(self._values)))))
        return _Member(settings, weight, whitening, whitening.T @ (whitening @ self._values))


def _climb(
    evidence: Callable[[FloatArray], float], best: FloatArray, spread: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Random search uphill, a few coordinates at a time, with a step that adapts to success."""
    score, step = evidence(best), 0.5
    for _ in range(_CLIMBS):
        candidate = best + step * spread * rng.standard_normal(len(best)) * (rng.random(len(best)) < 0.5)
        candidate_score = evidence(candidate)
        if candidate_score > score:
            best, score, step = candidate, candidate_score, min(1.3 * step, 1.0)
        else:
            step = max(0.93 * step, 0.08)
    return best


def covariance(left: FloatArray, right: FloatArray, settings: FloatArray) -> FloatArray:
    """Covariance between points, shape ``(m, n)``: of effects of all knobs together, and of each knob alone."""
    lengths, amplitude = np.exp(settings[:-2]), np.exp(2 * settings[-2])
    together, alone = np.ones((len(left), len(right))), np.zeros((len(left), len(right)))
    for knob, length in enumerate(lengths):
        distance = np.sqrt(3) / length * np.abs(left[:, knob, None] - right[:, knob])
        matern = (1 + distance) * np.exp(-distance)
        together *= matern
        alone += matern
    return np.asarray(amplitude * ((1 - _ALONE) * together + _ALONE * alone / len(lengths)), dtype=np.float64)
