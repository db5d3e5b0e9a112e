"""Gaussian process regression of what a physical model leaves over, averaged over its own uncertain settings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightning_powertrain.prediction.evidence import JITTER, Evidence
from lightning_powertrain.prediction.kernel import FloatArray, KernelPrior, Levels, covariance

_KEPT = 5
# With more points than this the settings are certain: they are chosen on a part of the points, and one set is kept.
_MANY = 128
_OUTLIER = 2.5
_BLOCK = 2048


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
        rng = np.random.default_rng(seed)
        self._average(prior, rng)
        surprise = np.abs(self.left_out_z)
        if (surprise > _OUTLIER).any():
            self._trust = np.minimum(1.0, (_OUTLIER / np.maximum(surprise, _OUTLIER)) ** 2)
            self._average(prior, rng, start=self.settings)

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

    @property
    def inputs(self) -> FloatArray:
        """The points that it was fitted to, shape ``(n, knobs)``."""
        return self._inputs

    @property
    def solution(self) -> FloatArray:
        """Weights of the kernels of those points in the mean, with the most probable settings, shape ``(n,)``."""
        return self._members[0].solution

    @property
    def feature_weights(self) -> FloatArray:
        """Weights of the features in the mean, with the most probable settings, shape ``(k,)``."""
        return np.asarray(self._features.T @ self.solution, dtype=np.float64)

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
        levels, linear = Levels(inputs), features @ self._features.T
        own = (features**2).sum(axis=1)
        for member in self._members:
            kernel = linear + levels.covariance(self._inputs, member.settings)
            predicted = kernel @ member.solution
            known = ((kernel @ member.whitening.T) ** 2).sum(axis=1)
            amplitude, noise = np.exp(2 * member.settings[-2:])
            variance = np.maximum(own + amplitude - known, 0.0) + noise
            mean += member.weight * predicted
            square += member.weight * (variance + predicted**2)
        return mean, np.maximum(square - mean**2, 1e-12)

    def _average(self, prior: KernelPrior, rng: np.random.Generator, start: FloatArray | None = None) -> None:
        count = len(self._values)
        some = np.arange(count) if count <= _MANY else rng.permutation(count)[:_MANY]
        evidence = Evidence(
            self._inputs[some], self._linear[np.ix_(some, some)], self._values[some], self._trust[some], prior
        )
        kept, weights = evidence.probable(_KEPT if count <= _MANY else 1, rng, start)
        self._members = [self._member(settings, weight) for settings, weight in zip(kept, weights.tolist())]
        best = self._members[0]
        inverse_diagonal = (best.whitening**2).sum(axis=0)
        noise = np.exp(2 * best.settings[-1])
        trusted = 1 / inverse_diagonal - noise / self._trust + noise
        self._left_out = (best.solution / inverse_diagonal, np.sqrt(trusted))

    def _member(self, settings: FloatArray, weight: float) -> _Member:
        noise = np.exp(2 * settings[-1]) / self._trust + JITTER
        total = self._linear + covariance(self._inputs, self._inputs, settings) + np.diag(noise)
        whitening = np.linalg.inv(np.linalg.cholesky(total))
        return _Member(settings, weight, whitening, whitening.T @ (whitening @ self._values))
