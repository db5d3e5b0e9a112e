"""Posterior of the hyperparameters of a Gaussian process: its density, and samples near its mode."""

from __future__ import annotations

import numpy as np

from lightning_powertrain.prediction.kernel import FloatArray, KernelPrior, pairwise

JITTER = 1e-10

_DRAWS = 96
_GENERATIONS, _OFFSPRING = 8, 8
_AROUND_BEST = 0.35
# Stands in a corner of a matrix where any number will do that is large enough to leave it positive definite.
_LARGE = 1e12


class HyperparameterPosterior:
    """Posterior density of the hyperparameters of a process, given some values: marginal likelihood times prior.

    Args:
        inputs: Logarithms of the knobs, shape ``(n, knobs)``.
        linear: Covariance of what the features explain, shape ``(n, n)``.
        values: Zero-mean values, shape ``(n,)``.
        weights: Weight of each value: the variance of its noise is divided by this, shape ``(n,)``.
        prior: Of the hyperparameters.
    """

    def __init__(
        self, inputs: FloatArray, linear: FloatArray, values: FloatArray, weights: FloatArray, prior: KernelPrior
    ) -> None:
        self._rows, self._columns = np.tril_indices(len(values))
        self._diagonal = self._rows == self._columns
        self._distances = np.abs(inputs[self._rows] - inputs[self._columns]).T
        self._linear = linear[self._rows, self._columns]
        self._values, self._weights = values, weights
        self._mean, self._spread = prior.mean(inputs.shape[1]), prior.spread(inputs.shape[1])

    def log_density(self, hyperparameters: FloatArray) -> FloatArray:
        """Logarithm of the density up to a constant, of many sets at once; shape ``(s, knobs + 2)`` to ``(s,)``."""
        count = len(self._values)
        # The last row of the root holds the values, whitened: that saves solving for them.
        augmented = np.zeros((len(hyperparameters), count + 1, count + 1))
        augmented[:, self._rows, self._columns] = self._linear + pairwise(self._distances, hyperparameters)
        augmented[:, np.arange(count), np.arange(count)] += np.exp(2 * hyperparameters[:, -1:]) / self._weights + JITTER
        augmented[:, count, :count] = self._values
        augmented[:, count, count] = _LARGE
        root = np.linalg.cholesky(augmented)
        white = root[:, count, :count]
        determinant = np.log(np.diagonal(root, axis1=1, axis2=2)[:, :count]).sum(axis=1)
        penalty = (((hyperparameters - self._mean) / self._spread) ** 2).sum(axis=1)
        return np.asarray(-0.5 * (white**2).sum(axis=1) - determinant - 0.5 * penalty, dtype=np.float64)

    def near_mode(
        self, count: int, rng: np.random.Generator, start: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """The most probable set of hyperparameters and others near it, with their weights; the best first.

        Args:
            count: How many, shape ``(count, knobs + 2)`` and ``(count,)``.
            rng: Of all draws.
            start: Where to start the search for the mode; None for the best of some draws from the prior.
        """
        best, _ = self._hill_climb(self._best_draw(rng) if start is None else start, rng)
        near = best + _AROUND_BEST * self._spread * rng.standard_normal((3 * count, len(best)))
        near = np.concatenate([best[None], near])
        scores = self.log_density(near)
        kept = np.argsort(-scores, kind="stable")[:count]
        weights = np.exp(scores[kept] - scores[kept[0]])
        return near[kept], weights / weights.sum()

    def _best_draw(self, rng: np.random.Generator) -> FloatArray:
        draws = self._mean + self._spread * rng.standard_normal((_DRAWS + 1, len(self._mean)))
        draws[0] = self._mean
        return np.asarray(draws[np.argmax(self.log_density(draws))], dtype=np.float64)

    def _hill_climb(self, best: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, float]:
        """Random search uphill, a few coordinates at a time, with a step that adapts to success."""
        score, step = float(self.log_density(best[None])[0]), 0.5
        for _ in range(_GENERATIONS):
            changes = rng.standard_normal((_OFFSPRING, len(best))) * (rng.random((_OFFSPRING, len(best))) < 0.5)
            offspring = best + step * self._spread * changes
            scores = self.log_density(offspring)
            fittest = int(np.argmax(scores))
            if scores[fittest] > score:
                best, score, step = offspring[fittest], float(scores[fittest]), min(1.2 * step, 1.0)
            else:
                step = max(0.6 * step, 0.08)
        return best, score
