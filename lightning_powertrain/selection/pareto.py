"""The Pareto front of power and time."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards import IntArray

FloatArray = npt.NDArray[np.float64]


def pareto_front(time_ms: FloatArray, power_w: FloatArray) -> IntArray:
    """Indices of the modes that no other mode beats in both time and power, by rising power.

    A mode is left out if another is at least as good in both and better in one; of equal modes the first stays.

    Args:
        time_ms: Minibatch time of each mode, shape ``(n,)``.
        power_w: Power of each mode, shape ``(n,)``.

    >>> pareto_front(np.array([10.0, 20.0, 15.0, 30.0]), np.array([30.0, 10.0, 20.0, 25.0])).tolist()
    [1, 2, 0]
    """
    order = np.lexsort((time_ms, power_w))
    times = time_ms[order]
    fastest_before = np.concatenate(([np.inf], np.minimum.accumulate(times)[:-1]))
    return order[times < fastest_before].astype(np.int64)
