"""How much better than the best measured mode each other one may be expected to turn out."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from lightning_powertrain.prediction import Prediction
from lightning_powertrain.profiling import sensor_noise
from lightning_powertrain.selection.objective import TIME_NOISE, Objective
from lightning_powertrain.selection.selection import guarded_excess

FloatArray = npt.NDArray[np.float64]

# Midpoints of equally probable slices of a normal distribution: what a time or a power may turn out to be.
_QUANTILES = np.array([NormalDist().inv_cdf((slice_ + 0.5) / 8) for slice_ in range(8)])


def expected_improvement(objective: Objective, prediction: Prediction, incumbent: float) -> FloatArray:
    """Constrained expected improvement (Gardner et al., ICML 2014) of each mode, relative to the cost to beat.

    Time and power are independent and log-normal, with the spread that the predictor gives them. A mode improves on the
    incumbent if it costs less and meets the budget by more than the noise of a measurement.

    Args:
        objective: What to make small, within what.
        prediction: Of all modes, shape ``(n,)``.
        incumbent: The cost to beat, above 0.

    Returns:
        Shares of the incumbent's cost, from 0 to 1, shape ``(n,)``.
    """
    improvement = np.zeros(len(prediction.time_ms))
    time_spread, power_spread = prediction.time_spread, prediction.power_spread
    times_ms = [prediction.time_ms * np.exp(quantile * time_spread) for quantile in _QUANTILES]
    for quantile in _QUANTILES:
        power_w = prediction.power_w * np.exp(quantile * power_spread)
        noise = sensor_noise(power_w)
        for time_ms in times_ms:
            gain = np.maximum(incumbent - objective.cost(time_ms, power_w), 0.0)
            improvement += gain * (guarded_excess(objective, time_ms, power_w, TIME_NOISE, noise) <= 0)
    return improvement / (len(_QUANTILES) ** 2 * incumbent)
