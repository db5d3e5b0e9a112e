"""What free signals say about the parameters of a physical curve, before the values themselves are looked at.

A window shows more than a mean time and a mean power: how long the GPU was busy, what the workers of a data loader
computed, what single rails drew. Each says something of one stage or one domain, where the totals only say something of
their sum. The signals are fitted together with the totals. What they say becomes a tighter prior of the parameters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards import IntArray
from lightning_powertrain.prediction.knob_layout import FloatArray, KnobLayout
from lightning_powertrain.prediction.map_fit import Curve, Prior, weights_of, with_jacobian
from lightning_powertrain.prediction.power_model import PowerModel
from lightning_powertrain.prediction.time_model import Activity, TimeModel
from lightning_powertrain.profiling import Profile

# Relative scatter about the physical curve, without noise of the counter.
_GPU_SCATTER, _LOADER_SCATTER, _RAIL_SCATTER = 0.08, 0.15, 0.06
# Noise of the load of the GPU, and of a rail in watts.
_LOAD_NOISE, _RAIL_STEP_W = 0.03, 0.16
_LEAST_LOAD, _LEAST_LOADING = 0.05, 0.02
# Of a rail: what else it feeds, at rest and in step with the memory, as shares of the largest total power; a factor for
# where in the supply it is measured. Mean and spread of the logarithms.
_OTHERS_OF_RAIL = ((np.log(0.06), 1.2), (np.log(0.03), 1.2), (0.0, 0.08))


class Evidence(NamedTuple):
    """Signals as a function of the parameters of a curve, and of some of their own behind these.

    Args:
        curve: All parameters, shape ``(..., p + e)``, to logarithms of the values in the measured modes and then of the
            signals, shape ``(..., n + m)``.
        log_signals: Logarithms of the signals, shape ``(m,)``.
        scatter: Relative scatter to expect of each, shape ``(m,)``.
        kinds: Numbers of what shows each, such as a rail, from 0, shape ``(m,)``.
        own: Prior of its own parameters, ``e`` of them.
    """

    curve: Curve
    log_signals: FloatArray
    scatter: FloatArray
    kinds: IntArray
    own: Prior


def time_evidence(layout: KnobLayout, profile: Profile) -> Evidence | None:
    """What the load of the GPU and the CPU time of the workers say of the stages; None if neither was seen."""
    signals = [measurement.signals for measurement in profile.measurements]
    load = _numbers([each.gpu_load for each in signals])
    loading = _numbers([each.children_ms for each in signals])
    with_load = _moving(load, load > _LEAST_LOAD)
    with_loading = _moving(loading, loading > _LEAST_LOADING * profile.time_ms)
    if not len(with_load) + len(with_loading):
        return None
    curve = TimeModel(layout).curve_with_signals(profile.modes, with_load, with_loading)
    scatter = [np.hypot(_GPU_SCATTER, _LOAD_NOISE / load[with_load]), np.full(len(with_loading), _LOADER_SCATTER)]
    log_values = np.log(np.concatenate([load[with_load], loading[with_loading]]))
    kinds = np.repeat([0, 1], [len(with_load), len(with_loading)])
    return Evidence(curve, log_values, np.concatenate(scatter), kinds, _no_parameters())


def power_evidence(layout: KnobLayout, profile: Profile, activity: Activity) -> Evidence | None:
    """What the rails of CPU and GPU say of their domains; None if no such rail was seen in every mode."""
    rails = _rails(profile)
    if not rails:
        return None
    model, size = PowerModel(layout), len(_OTHERS_OF_RAIL)
    domains, clock = model.domains(profile.modes, activity), layout.relative_to_role(profile.modes, "emc")
    first, others = len(model.prior.mean), layout.log_others(profile.modes)

    def log_watts(parameters: FloatArray) -> FloatArray:
        drawn = domains(parameters[..., :first])
        logs = [model.log_total(parameters[..., :first], drawn, others)]
        for rail, name in enumerate(rails):
            start = first + size * rail
            at_rest, of_memory, share = np.exp(np.moveaxis(parameters[..., start : start + size, None], -2, 0))
            fed = sum(getattr(drawn, domain) for domain in fed_by(name))
            logs.append(np.log(share * (at_rest + of_memory * clock + fed)))
        return np.concatenate(logs, axis=-1)

    watts = np.concatenate(list(rails.values()))
    mean, spread = np.tile(np.array(_OTHERS_OF_RAIL), (len(rails), 1)).T
    is_power = np.tile([True, True, False], len(rails))
    own = Prior(mean + np.log(profile.power_w.max()) * is_power, spread, is_power)
    kinds = np.repeat(np.arange(len(rails)), len(profile))
    return Evidence(log_watts, np.log(watts), np.hypot(_RAIL_SCATTER, _RAIL_STEP_W / watts), kinds, own)


def conditioned(
    prior: Prior, evidence: Evidence, parameters: FloatArray, scatter: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Mean and root of the covariance of the curve's parameters, given the signals.

    Args:
        prior: Of all parameters.
        evidence: The signals.
        parameters: Where to linearise, shape ``(p + e,)``.
        scatter: Of the signals, as far as they are believed, shape ``(m,)``.
    """
    logs, derivatives = with_jacobian(evidence.curve, parameters)
    signals = slice(len(logs) - len(evidence.log_signals), None)
    values, slopes = logs[signals], derivatives[signals]
    weighted = slopes.T * weights_of(evidence.log_signals - values, scatter)
    covariance = np.linalg.inv(np.diag(1 / prior.spread**2) + weighted @ slopes)
    residuals = evidence.log_signals - values - slopes @ (prior.mean - parameters)
    mean = prior.mean + covariance @ (weighted @ residuals)
    count = len(prior.mean) - len(evidence.own.mean)
    return mean[:count], np.linalg.cholesky(covariance[:count, :count])


def fed_by(rail: str) -> tuple[str, ...]:
    """The domains that a rail feeds, by its name; empty for a rail of neither CPU nor GPU.

    >>> fed_by("VDD_CPU_GPU_CV"), fed_by("VDD_GPU_SOC"), fed_by("VDD_IN")
    (('cpu', 'gpu'), ('gpu',), ())
    """
    words = re.split("[^A-Z0-9]+", rail.upper())
    return tuple(domain for domain in ("cpu", "gpu") if domain.upper() in words)


def _rails(profile: Profile) -> dict[str, FloatArray]:
    """Watts of the rails that say something, in each mode."""
    rows = [measurement.signals.rails_w for measurement in profile.measurements]
    watts = {name: np.array([row.get(name, 0.0) for row in rows]) for name in rows[0] if fed_by(name)}
    return {
        name: values for name, values in watts.items() if len(_moving(values, values > 0, _RAIL_STEP_W)) == len(values)
    }


def _numbers(values: Sequence[float | None]) -> FloatArray:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _moving(values: FloatArray, is_shown: npt.NDArray[np.bool_], noise: float = 0.0) -> IntArray:
    """Where a counter shows something; nowhere if that differs by its noise at most: then it is stuck."""
    is_stuck = not is_shown.any() or np.ptp(values[is_shown]) <= 2 * noise
    return np.flatnonzero(is_shown & (not is_stuck))


def _no_parameters() -> Prior:
    return Prior(np.empty(0), np.empty(0), np.empty(0, dtype=np.bool_))
