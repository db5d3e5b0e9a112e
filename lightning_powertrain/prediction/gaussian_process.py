"""Gaussian process regression of what a physical model leaves over, averaged over its hyperparameters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightning_powertrain.prediction.hyperparameters import JITTER, HyperparameterPosterior
from lightning_powertrain.prediction.kernel import FloatArray, KernelPrior, Levels, covariance

_COMPONENTS = 5
# With more points than this the posterior of the hyperparameters is narrow: it is computed from a part of the points,
# and only its mode is used.
_MANY_POINTS = 128
_OUTLIER = 2.5
_BLOCK = 2048


@dataclass(frozen=True, eq=False)
class _Component:
    """A process with given hyperparameters: its weight in the average, and what prediction needs."""

    hyperparameters: FloatArray
    weight: float
    whitening: FloatArray
    dual_coefficients: FloatArray


class GaussianProcess:
    """Matern-3/2 kernels of each knob, multiplied and added, a linear kernel on given features, and noise.

    The hyperparameters are not optimised but averaged over: a few sets near the mode of their posterior are weighted by
    their posterior density. With few points that predicts better, and its intervals are better calibrated. In a second
    fit, outliers (more than 2.5 standard deviations from what all other values predict) get smaller weights.

    Args:
        inputs: Logarithms of the knobs, shape ``(n, knobs)``.
        features: Each times a weight of prior ``N(0, 1)``, shape ``(n, k)``.
        values: Zero-mean values, shape ``(n,)``.
        prior: Of the hyperparameters.
        seed: Of the draws.
    """

    def __init__(
        self, inputs: FloatArray, features: FloatArray, values: FloatArray, prior: KernelPrior, seed: int
    ) -> None:
        self._inputs, self._features, self._values = inputs, features, values
        self._linear = features @ features.T
        self._weights = np.ones(len(values))
        rng = np.random.default_rng(seed)
        self._average(prior, rng)
        deviations = np.abs(self.left_out_z)
        if (deviations > _OUTLIER).any():
            self._weights = np.minimum(1.0, (_OUTLIER / np.maximum(deviations, _OUTLIER)) ** 2)
            self._average(prior, rng, start=self.hyperparameters)

    @property
    def left_out_residuals(self) -> FloatArray:
        """Each value less what all others predict for it, in closed form, shape ``(n,)``."""
        return np.asarray(self._left_out[0], dtype=np.float64)

    @property
    def left_out_z(self) -> FloatArray:
        """The same over the standard deviations that go with it, of a measurement of full weight."""
        residuals, spread = self._left_out
        return np.asarray(residuals / spread, dtype=np.float64)

    @property
    def left_out_log_density(self) -> float:
        """Logarithm of how probable each value is, given all others: the mean, up to a constant."""
        _, spread = self._left_out
        return float(np.mean(-0.5 * self.left_out_z**2 - np.log(spread)))

    @property
    def hyperparameters(self) -> FloatArray:
        """Logarithms of the most probable hyperparameters: a length scale for each knob, the amplitude, the noise."""
        return self._components[0].hyperparameters

    @property
    def weight_covariance(self) -> FloatArray:
        """Covariance of the features' weights after the measurements, shape ``(k, k)``."""
        whitened = self._components[0].whitening @ self._features
        return np.asarray(np.eye(whitened.shape[1]) - whitened.T @ whitened, dtype=np.float64)

    @property
    def inputs(self) -> FloatArray:
        """The points that it was fitted to, shape ``(n, knobs)``."""
        return self._inputs

    @property
    def dual_coefficients(self) -> FloatArray:
        """Weights of the kernels of those points in the mean, at the mode of the hyperparameters, shape ``(n,)``."""
        return self._components[0].dual_coefficients

    @property
    def feature_weights(self) -> FloatArray:
        """Weights of the features in the mean, at the mode of the hyperparameters, shape ``(k,)``."""
        return np.asarray(self._features.T @ self.dual_coefficients, dtype=np.float64)

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
        for component in self._components:
            kernel = linear + levels.covariance(self._inputs, component.hyperparameters)
            predicted = kernel @ component.dual_coefficients
            explained = ((kernel @ component.whitening.T) ** 2).sum(axis=1)
            amplitude, noise = np.exp(2 * component.hyperparameters[-2:])
            variance = np.maximum(own + amplitude - explained, 0.0) + noise
            mean += component.weight * predicted
            square += component.weight * (variance + predicted**2)
        return mean, np.maximum(square - mean**2, 1e-12)

    def _average(self, prior: KernelPrior, rng: np.random.Generator, start: FloatArray | None = None) -> None:
        count = len(self._values)
        some = np.arange(count) if count <= _MANY_POINTS else rng.permutation(count)[:_MANY_POINTS]
        posterior = HyperparameterPosterior(
            self._inputs[some], self._linear[np.ix_(some, some)], self._values[some], self._weights[some], prior
        )
        kept, weights = posterior.near_mode(_COMPONENTS if count <= _MANY_POINTS else 1, rng, start)
        self._components = [
            self._component(hyperparameters, weight) for hyperparameters, weight in zip(kept, weights.tolist())
        ]
        best = self._components[0]
        inverse_diagonal = (best.whitening**2).sum(axis=0)
        noise = np.exp(2 * best.hyperparameters[-1])
        variance = 1 / inverse_diagonal - noise / self._weights + noise
        self._left_out = (best.dual_coefficients / inverse_diagonal, np.sqrt(variance))

    def _component(self, hyperparameters: FloatArray, weight: float) -> _Component:
        noise = np.exp(2 * hyperparameters[-1]) / self._weights + JITTER
        total = self._linear + covariance(self._inputs, self._inputs, hyperparameters) + np.diag(noise)
        whitening = np.linalg.inv(np.linalg.cholesky(total))
        return _Component(hyperparameters, weight, whitening, whitening.T @ (whitening @ self._values))
