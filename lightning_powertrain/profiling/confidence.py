"""How well a window knows its mean: half-widths of 95 % confidence intervals, relative to the mean."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

_Z = NormalDist().inv_cdf(0.975)

# An INA3221 with NVIDIA's settings is a first-order filter: readings closer than twice this carry no new information.
_FILTER_S = 0.43

# A reading that never changes is not exact. A sensor's step of 0.4 W spreads by 0.4 W / sqrt(12), which is 1 % of 12 W.
_LEAST_POWER_SPREAD = 0.01

# What a clock and a scheduler always add. Also keeps rounding errors from passing for a trend.
_LEAST_TIME_SPREAD = 0.001

_TYPICAL_TIME_SPREAD = 0.025

# With fewer degrees of freedom a spread that is small by chance ends too many windows.
_LEAST_FREEDOM = 3.0


def student_t(freedom: float) -> float:
    """The 97.5 % quantile of Student's t: Fisher's expansion (Abramowitz and Stegun 26.7.5), 0.8 % low at worst.

    Args:
        freedom: Degrees of freedom, at least 3; need not be whole.

    >>> round(student_t(11), 3), round(student_t(1e9), 3)
    (2.201, 1.96)
    """
    z, v = _Z, freedom
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    )


def time_half_width(times_ms: FloatArray) -> float:
    """Of the mean of consecutive times; infinite if they are too few.

    Times that go along with the one before count for less: autocorrelation at lag one, as of a first-order process.
    Times that alternate, as where a data loader refills its queue in bursts, count in full and no more.

    Args:
        times_ms: Shape ``(n,)``.
    """
    off = times_ms / times_ms.mean() - 1
    variance = float(off @ off) / len(off) + _LEAST_TIME_SPREAD**2
    along = max(0.0, float(off[1:] @ off[:-1]) / len(off) / variance)
    effective = len(off) * (1 - along) / (1 + along)
    if effective - 1 < _LEAST_FREEDOM:
        return math.inf
    spread = math.sqrt(variance * effective / (effective - 1))
    return _half_width(spread, effective, effective - 1)


def power_half_width(watts: FloatArray, seconds: float) -> float:
    """Of the mean of readings of a filtered sensor; infinite if the time is too short.

    A first-order filter of time constant tau leaves ``seconds / (2 tau)`` independent readings, however many were
    taken, and their variance is known as well as from ``seconds / tau``. Readings in steps spread by no less than a
    step does.

    Args:
        watts: Readings, evenly spaced, shape ``(n,)``.
        seconds: Time in which they were taken.
    """
    effective, freedom = _independent(len(watts), seconds)
    if freedom < _LEAST_FREEDOM or not watts.any():
        return math.inf
    spread = float(watts.std() / watts.mean()) * math.sqrt(effective / (effective - 1))
    return _half_width(max(spread, _LEAST_POWER_SPREAD), effective, freedom)


def expected_half_width(minibatches: int, seconds: float) -> float:
    """The wider of both, as it may be expected of a window before it is measured.

    Args:
        minibatches: Minibatches in the window.
        seconds: Time that they take.
    """
    of_time = _half_width(_TYPICAL_TIME_SPREAD, minibatches, minibatches - 1)
    return max(of_time, _half_width(_LEAST_POWER_SPREAD, *_independent(math.inf, seconds)))


def _independent(readings: float, seconds: float) -> tuple[float, float]:
    """Effective number of readings, and degrees of freedom of their variance."""
    return min(readings, seconds / (2 * _FILTER_S)), min(readings, seconds / _FILTER_S) - 1


def _half_width(spread: float, effective: float, freedom: float) -> float:
    return student_t(freedom) * spread / math.sqrt(effective) if freedom >= _LEAST_FREEDOM else math.inf
