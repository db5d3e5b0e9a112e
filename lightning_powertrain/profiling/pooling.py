"""Several windows of one mode as one measurement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.profiling.profile import Measurement, Profile


def pooled(windows: Sequence[Measurement]) -> Measurement:
    """The mean of several windows of one mode: of all their minibatches, and over all their time.

    Args:
        windows: At least one, none of which the board throttled in; the last one's signals and settings are kept.

    >>> mode = PowerMode(cores=4)
    >>> each = pooled([Measurement(mode, 100.0, 20.0, minibatches=10), Measurement(mode, 110.0, 30.0, minibatches=30)])
    >>> round(each.time_ms, 3), round(each.power_w, 3), each.minibatches
    (107.5, 27.674, 40)
    """
    counts = np.array([each.minibatches for each in windows], dtype=np.float64)
    times_ms = np.array([each.time_ms for each in windows])
    powers_w = np.array([each.power_w for each in windows])
    warm = [each.temperature_c for each in windows if each.temperature_c is not None]
    time_ms, power_w = np.average(times_ms, weights=counts), np.average(powers_w, weights=counts * times_ms)
    times_var = [each.time_std_ms**2 for each in windows] + (times_ms - time_ms) ** 2
    powers_var = [each.power_std_w**2 for each in windows] + (powers_w - power_w) ** 2
    return replace(
        windows[-1],
        time_ms=float(time_ms),
        power_w=float(power_w),
        time_std_ms=math.sqrt(np.average(times_var, weights=counts)),
        power_std_w=math.sqrt(np.average(powers_var, weights=counts * times_ms)),
        minibatches=int(counts.sum()),
        power_samples=sum(each.power_samples for each in windows),
        discarded_minibatches=sum(each.discarded_minibatches for each in windows),
        temperature_c=float(np.mean(warm)) if len(warm) == len(windows) else None,
    )


def with_pooled(profile: Profile, mode: PowerMode) -> tuple[Profile, Measurement]:
    """The same profile with one measurement of a mode, where its first window stood, and that measurement.

    Args:
        profile: What was measured, this mode at least once without throttling.
        mode: The mode.
    """
    windows = [each for each in profile.measurements if each.mode == mode]
    mean = pooled(windows)
    first = profile.measurements.index(windows[0])
    others = [each for each in profile.measurements if each.mode != mode]
    return replace(profile, measurements=(*others[:first], mean, *others[first:])), mean
