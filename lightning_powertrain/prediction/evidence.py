"""Which settings of a Gaussian process explain some data: evidence of many settings at once, and the most probable."""

from __future__ import annotations

import numpy as np

from lightning_powertrain.prediction.kernel import FloatArray, KernelPrior, pairwise

JITTER = 1e-10

_DRAWS = 96
_GENERATIONS, _OFFSPRING = 8, 8
_AROUND_BEST = 0.35
# Stands in a corner of a matrix where any number will do that is large enough to leave it positive definite.
_LARGE = 1e12


class Evidence:
    """Logarithm of how probable settings are, up to a constant.

    Args:
        inputs: Logarithms of the knobs, shape ``(n, knobs)``.
        linear: Covariance of what the features explain, shape ``(n, n)``.
        values: Zero-mean values, shape ``(n,)``.
        trust: By how much each counts: the variance of its noise is divided by this, shape ``(n,)``.
        prior: Of the settings.
    """

    def __init__(
        self, inputs: FloatArray, linear: FloatArray, values: FloatArray, trust: FloatArray, prior: KernelPrior
    ) -> None:
        self._rows, self._columns = np.tril_indices(len(values))
        self._diagonal = self._rows == self._columns
        self._distances = np.abs(inputs[self._rows] - inputs[self._columns]).T
        self._linear = linear[self._rows, self._columns]
        self._values, self._trust = values, trust
        self._mean, self._spread = prior.mean(inputs.shape[1]), prior.spread(inputs.shape[1])

    def __call__(self, settings: FloatArray) -> FloatArray:
        """Of many settings at once, shape ``(s, knobs + 2)`` to ``(s,)``."""
        count = len(self._values)
        # The last row of the root holds the values, whitened: that saves solving for them.
        augmented = np.zeros((len(settings), count + 1, count + 1))
        augmented[:, self._rows, self._columns] = self._linear + pairwise(self._distances, settings)
        augmented[:, np.arange(count), np.arange(count)] += np.exp(2 * settings[:, -1:]) / self._trust + JITTER
        augmented[:, count, :count] = self._values
        augmented[:, count, count] = _LARGE
        root = np.linalg.cholesky(augmented)
        white = root[:, count, :count]
        determinant = np.log(np.diagonal(root, axis1=1, axis2=2)[:, :count]).sum(axis=1)
        surprise = (((settings - self._mean) / self._spread) ** 2).sum(axis=1)
        return np.asarray(-0.5 * (white**2).sum(axis=1) - determinant - 0.5 * surprise, dtype=np.float64)

    def probable(
        self, count: int, rng: np.random.Generator, start: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """The most probable settings and others near them, with their weights; the best first.

        Args:
            count: How many, shape ``(count, knobs + 2)`` and ``(count,)``.
            rng: Of all draws.
            start: Where to start from, if something is known; else from draws from the prior.
        """
        best, _ = self._climbed(self._start(rng) if start is None else start, rng)
        near = best + _AROUND_BEST * self._spread * rng.standard_normal((3 * count, len(best)))
        near = np.concatenate([best[None], near])
        scores = self(near)
        kept = np.argsort(-scores, kind="stable")[:count]
        weights = np.exp(scores[kept] - scores[kept[0]])
        return near[kept], weights / weights.sum()

    def _start(self, rng: np.random.Generator) -> FloatArray:
        draws = self._mean + self._spread * rng.standard_normal((_DRAWS + 1, len(self._mean)))
        draws[0] = self._mean
        return np.asarray(draws[np.argmax(self(draws))], dtype=np.float64)

    def _climbed(self, best: FloatArray, rng: np.random.Generator) -> tuple[FloatArray, float]:
        """Random search uphill, a few coordinates at a time, with a step that adapts to success."""
        score, step = float(self(best[None])[0]), 0.5
        for _ in range(_GENERATIONS):
            changes = rng.standard_normal((_OFFSPRING, len(best))) * (rng.random((_OFFSPRING, len(best))) < 0.5)
            offspring = best + step * self._spread * changes
            scores = self(offspring)
            fittest = int(np.argmax(scores))
            if scores[fittest] > score:
                best, score, step = offspring[fittest], float(scores[fittest]), min(1.2 * step, 1.0)
            else:
                step = max(0.6 * step, 0.08)
        return best, score
