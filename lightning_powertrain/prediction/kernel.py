"""A kernel of several knobs: Matern-3/2 kernels of each, multiplied and added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

# Share of the variance of the additive part, in which each knob acts by itself: it takes fewer points to learn.
_ADDITIVE_SHARE = 0.25


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
        """Means of the logarithms of all hyperparameters: a length scale for each knob, the amplitude, the noise."""
        return np.log([*np.broadcast_to(self.lengths[0], knobs), self.amplitude[0], self.noise[0]])

    def spread(self, knobs: int) -> FloatArray:
        """Their standard deviations."""
        return np.array([*[self.lengths[1]] * knobs, self.amplitude[1], self.noise[1]])

    def tightened(self, hyperparameters: FloatArray, factor: float) -> KernelPrior:
        """A prior around the hyperparameters of another process, with its spread reduced."""
        amplitude, noise = np.exp(hyperparameters[-2:]).tolist()
        return KernelPrior(
            (np.exp(hyperparameters[:-2]), factor * self.lengths[1]),
            (amplitude, factor * self.amplitude[1]),
            (noise, factor * self.noise[1]),
        )

    def towards(self, other: KernelPrior, share: float) -> KernelPrior:
        """A prior between this one, with a share of 0, and another, with a share of 1."""

        def between(one: tuple[Any, float], two: tuple[Any, float]) -> tuple[Any, float]:
            median, spread = [
                np.exp((1 - share) * np.log(left) + share * np.log(right)) for left, right in zip(one, two)
            ]
            return median, float(spread)

        return KernelPrior(
            between(self.lengths, other.lengths),
            between(self.amplitude, other.amplitude),
            between(self.noise, other.noise),
        )


class Levels:
    """Points that take few different values on each knob, so that a kernel is computed once for each value.

    Args:
        points: Logarithms of the knobs, shape ``(m, knobs)``.
    """

    def __init__(self, points: FloatArray) -> None:
        self._count = len(points)
        self._columns = [np.unique(column, return_inverse=True) for column in points.T]

    def __len__(self) -> int:
        return self._count

    def covariance(self, others: FloatArray, hyperparameters: FloatArray) -> FloatArray:
        """Covariance with other points, shape ``(m, n)``.

        Args:
            others: The other points, shape ``(n, knobs)``.
            hyperparameters: Logarithms of a length scale for each knob, of the amplitude, and of the noise, not
                used here.
        """
        lengths = np.exp(hyperparameters[:-2, None])
        knobs = zip(self._columns, others.T, lengths)
        each = [_matern(values[:, None] - other, length)[rows] for (values, rows), other, length in knobs]
        return _combined(each, hyperparameters[-2])


def covariance(left: FloatArray, right: FloatArray, hyperparameters: FloatArray) -> FloatArray:
    """Covariance between points, shape ``(m, n)``: of effects of all knobs together, and of each knob alone."""
    return Levels(left).covariance(right, hyperparameters)


def pairwise(distances: FloatArray, hyperparameters: FloatArray) -> FloatArray:
    """Covariance of pairs of points for many hyperparameters at once, shape ``(s, pairs)``.

    Args:
        distances: Between the points of each pair, knob by knob, shape ``(knobs, pairs)``.
        hyperparameters: As for :meth:`Levels.covariance`, shape ``(s, knobs + 2)``.
    """
    lengths = np.exp(hyperparameters[:, :-2])
    each = [_matern(distance, length[:, None]) for distance, length in zip(distances, lengths.T)]
    return _combined(each, hyperparameters[:, -2, None])


def _matern(difference: FloatArray, length: FloatArray) -> FloatArray:
    distance = np.abs(difference) * (np.sqrt(3) / length)
    return np.asarray((1 + distance) * np.exp(-distance), dtype=np.float64)


def _combined(each: Sequence[FloatArray], log_amplitude: FloatArray) -> FloatArray:
    product, additive = each[0].copy(), each[0].copy()
    for of_knob in each[1:]:
        product *= of_knob
        additive += of_knob
    variance = np.exp(2 * log_amplitude)
    product *= variance * (1 - _ADDITIVE_SHARE)
    additive *= variance * (_ADDITIVE_SHARE / len(each))
    return np.asarray(np.add(product, additive, out=product), dtype=np.float64)
