"""Which points to measure so that all others are known best: a greedy I-optimal design."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def greedy_design(covariance: FloatArray, noise: float, first: int, count: int) -> IntArray:
    """Points to measure, one after the other, each the one that takes most off the variance of all points together.

    What a measurement takes off does not depend on what it shows, so all are chosen before the first is made (Cohn
    1996). Fewer points are always the beginning of more.

    Args:
        covariance: Of all points before any is measured, shape ``(n, n)``.
        noise: Variance of a measurement.
        first: The point to begin with.
        count: How many, at most ``n``.

    Returns:
        Different points, shape ``(count,)``.

    Two points that go together tell less than one of them and one that stands alone.

    >>> covariance = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 0.5]])
    >>> greedy_design(covariance, 0.01, first=0, count=2).tolist()
    [0, 2]
    """
    remaining, chosen = covariance.copy(), np.empty(count, dtype=np.int64)
    is_free = np.ones(len(covariance), dtype=np.bool_)
    for index in range(count):
        variances = np.diag(remaining) + noise
        gains = np.einsum("ij,ij->j", remaining, remaining) / variances
        point = int(np.argmax(np.where(is_free, gains, -np.inf))) if index else first
        remaining -= np.outer(remaining[point], remaining[point]) / variances[point]
        chosen[index], is_free[point] = point, False
    return chosen
