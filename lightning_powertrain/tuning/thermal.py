"""How warm a board becomes: air, resistance and time constant, fitted to the samples of profiling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

# Time constants of a heat sink that are compared, and what is expected of them: 75 s on an Orin NX with its stock fan
# (ark_jetson_kernel, docs/power.md), longer without one.
_TIME_CONSTANTS_S = np.array([25.0, 40.0, 60.0, 90.0, 135.0, 200.0, 300.0])
_TYPICAL_S, _SPREAD = 75.0, 0.7
# Air (C), resistance from the sink to the air and from the die to the sink (C/W), with their spreads. That Orin NX
# shows 1.06 to 1.39 C/W in all; other coolers differ by about a factor of two.
_PRIOR = np.array([30.0, 1.0, 0.1])
_PRIOR_SPREAD = np.array([12.0, 0.4, 0.1])
_START_SPREAD_C = 20.0
# Of a sample a second: what a straight line through the sink leaves over lasts for some seconds.
_NOISE_C = 0.6
_FEWEST = 20
_MOST = 400
# A sensor that moves by less during profiling is stuck, or the board has settled. Both ways nothing can be fitted.
_STILL_C = 0.5


@dataclass(frozen=True)
class Thermal:
    """The temperature that a board settles at: a straight line in its power.

    Args:
        air_c: Temperature without power, in degrees Celsius.
        c_per_w: Rise per watt.
    """

    air_c: float
    c_per_w: float

    def settled_c(self, power_w: float) -> float:
        """Temperature of the die once a power has lasted for long, in degrees Celsius."""
        return self.air_c + self.c_per_w * power_w


def fit_thermal(times_s: FloatArray, celsius: FloatArray, power_s: FloatArray, watts: FloatArray) -> Thermal | None:
    """Fit how a board warms: a sink that follows the power with one time constant, and a die that follows at once.

    For each time constant the rest is linear, with a Gaussian prior; they count by how well they explain the samples.

    Args:
        times_s: Times of temperatures, ascending, shape ``(n,)``.
        celsius: Temperatures of the die, shape ``(n,)``.
        power_s: Times of powers, ascending, shape ``(m,)``.
        watts: Powers, shape ``(m,)``.

    Returns:
        None where there are too few samples, or the temperature stands still.
    """
    thin = slice(None, None, 1 + len(times_s) // _MOST)
    times_s, celsius = times_s[thin], celsius[thin]
    if len(times_s) < _FEWEST or len(power_s) < 2 or np.ptp(celsius) < _STILL_C:
        return None
    means_w = _means(times_s, power_s, watts)
    terms = _terms(times_s, means_w)
    mean = np.append(_PRIOR, celsius[0])
    precision = np.diag(np.append(_PRIOR_SPREAD, _START_SPREAD_C) ** -2.0)
    noise = _NOISE_C**2 / np.median(np.diff(times_s))  # Samples further apart are more informative.
    off = celsius - terms @ mean
    matrix = np.swapaxes(terms, 1, 2) @ terms / noise + precision
    moved = np.linalg.solve(matrix, (np.swapaxes(terms, 1, 2) @ off[..., None]) / noise)[..., 0]
    explained = (moved[:, None] @ matrix @ moved[..., None])[:, 0, 0] - (off**2).sum(axis=1) / noise
    surprise = (np.log(_TIME_CONSTANTS_S / _TYPICAL_S) / _SPREAD) ** 2
    score = 0.5 * (explained - np.linalg.slogdet(matrix)[1] - surprise)
    weights = np.exp(score - score.max())
    air_c, sink, die, _ = weights / weights.sum() @ (mean + moved)
    return Thermal(float(air_c), float(max(0.0, sink + die)))


def _means(times_s: FloatArray, power_s: FloatArray, watts: FloatArray) -> FloatArray:
    """Mean power up to each temperature from the one before."""
    steps_s = np.diff(power_s)
    energy_j = np.concatenate([[0.0], np.cumsum(0.5 * (watts[1:] + watts[:-1]) * steps_s)])
    at_s = np.concatenate([[times_s[0] - 1.0], times_s])
    inside_j = np.interp(at_s, power_s, energy_j)
    before_j = np.minimum(at_s - power_s[0], 0.0) * watts[0]
    after_j = np.maximum(at_s - power_s[-1], 0.0) * watts[-1]
    return np.asarray(np.diff(inside_j + before_j + after_j) / np.maximum(np.diff(at_s), 1e-9), dtype=np.float64)


def _terms(times_s: FloatArray, means_w: FloatArray) -> FloatArray:
    """What multiplies air, sink, die and the sink's first temperature: shape ``(time constants, n, 4)``."""
    decays = np.exp(-np.diff(times_s, prepend=times_s[0])[:, None] / _TIME_CONSTANTS_S)
    filtered = np.zeros_like(decays)
    for row in range(1, len(times_s)):
        filtered[row] = decays[row] * filtered[row - 1] + (1 - decays[row]) * means_w[row]
    left = np.cumprod(decays, axis=0)
    now = np.broadcast_to(means_w[:, None], left.shape)
    terms = np.stack([1 - left, filtered, now, left], axis=-1)
    return np.asarray(terms.swapaxes(0, 1), dtype=np.float64)
