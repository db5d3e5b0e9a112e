"""Power modes as a grey box needs them: curves of time and power in them, and what else is known or uncertain."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from lightning_powertrain.boards import IntArray
from lightning_powertrain.prediction.knob_layout import FloatArray, KnobLayout
from lightning_powertrain.prediction.map_fit import Curve
from lightning_powertrain.prediction.power_model import PowerModel
from lightning_powertrain.prediction.time_model import TimeModel

# By how many standard deviations to change times' parameters, to see what power does.
_STEP = 1e-2


class Points(NamedTuple):
    """Some modes as a grey box needs them.

    Args:
        curve: Logarithm of the target in these modes as a function of the parameters.
        inputs: Logarithms of the knobs, shape ``(n, knobs)``.
        reference_residual: What the physical curve leaves over in the reference workload, shape ``(n,)``; None without
            one.
        nuisance_slopes: Parameters to slopes by what else is uncertain, each in its standard deviations, shape
            ``(n, k)``; None if nothing is.
        groups: Parameters that may be far from the most probable ones together, 1 or 0, shape ``(g, p)``; None if the
            curvature there describes all that is uncertain.
    """

    curve: Curve
    inputs: FloatArray
    reference_residual: FloatArray | None = None
    nuisance_slopes: Callable[[FloatArray], FloatArray] | None = None
    groups: FloatArray | None = None


def time_points(layout: KnobLayout, modes: IntArray, reference_residual: FloatArray | None = None) -> Points:
    """Modes whose time is to be learned or predicted."""
    model = TimeModel(layout)
    return Points(model.curve(modes), layout.logs(modes), reference_residual, groups=model.groups)


def power_points(
    layout: KnobLayout,
    modes: IntArray,
    time_parameters: FloatArray,
    posterior_root: FloatArray,
    log_time: FloatArray,
    reference_residual: FloatArray | None = None,
) -> Points:
    """Modes whose time is known, measured or predicted: which stage it is spent in stays uncertain.

    Args:
        layout: What the columns of ``modes`` act on.
        modes: Shape ``(n, knobs)``.
        time_parameters: Of the curve of the time, shape ``(p,)``.
        posterior_root: Square root of the posterior covariance of these, shape ``(p, p)``: turns independent standard
            normal numbers into deviations of them.
        log_time: Logarithms of the times, shape ``(n,)``.
        reference_residual: What the curve of the power leaves over in the reference workload.
    """
    time_model, power_model = TimeModel(layout), PowerModel(layout)

    def curve_for(parameters: FloatArray) -> Curve:
        return power_model.curve(modes, time_model.activity(modes, parameters, log_time))

    curve = curve_for(time_parameters)

    def nuisance_slopes(parameters: FloatArray) -> FloatArray:
        deviations = curve_for(time_parameters + _STEP * posterior_root.T)(parameters)
        return np.asarray((deviations - curve(parameters)).T / _STEP, dtype=np.float64)

    return Points(curve, layout.logs(modes), reference_residual, nuisance_slopes)
