"""What a measurement window makes of its intervals and power samples."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lightning_powertrain.devices import Interval, PowerPoller
from lightning_powertrain.errors import DeviceError
from lightning_powertrain.profiling.confidence import power_half_width, time_half_width

FloatArray = npt.NDArray[np.float64]

# Shorter than this share of the median, the first intervals of a window are those of a host that runs ahead.
_RUNS_AHEAD = 0.9

# A longest interval matters if more than so large a share of the window is due to it.
_PAUSE_SHARE = 0.01

# Readings of more or less than the median by this factor are no readings: a filtered sensor cannot move so fast.
_FAR_OFF = 10.0

# Scatter of minibatches, relative to the mean, where a window has too few intervals to show it.
_TYPICAL_SPREAD = 0.025
_FEW_INTERVALS = 4


def is_precise(intervals: Sequence[Interval], seconds: float, power: PowerPoller, tolerance: float) -> bool:
    """Whether mean time and mean power of clean intervals are known as well as ``tolerance`` asks for.

    Args:
        intervals: The intervals, at least one.
        seconds: Their length in all.
        power: Sampled the power meanwhile.
        tolerance: Half-width of a 95 % confidence interval, relative to the mean.
    """
    if time_half_width(_settled(times_ms(intervals))) > tolerance:
        return False
    watts = _watts_inside(intervals, *power.between(intervals[0].start_s, intervals[-1].end_s))
    return power_half_width(watts, seconds) <= tolerance


def spread_of_minibatches(times: FloatArray, counts: npt.NDArray[np.int64], mean_ms: float) -> float:
    """Standard deviation of single minibatches: a mean over a cycle of four scatters half as much as they do."""
    spread_ms = math.sqrt(float(np.mean(counts * (times - mean_ms) ** 2)))
    if len(times) < _FEW_INTERVALS and counts.max() > 1:
        return max(spread_ms, _TYPICAL_SPREAD * mean_ms)
    return spread_ms


def stretch_of(times: FloatArray) -> float:
    """How many times the median the longest time is; 1 if the mean hardly depends on it."""
    longest_ms, median_ms = float(times.max()), float(np.median(times))
    matters = longest_ms - median_ms > _PAUSE_SHARE * float(times.sum())
    return longest_ms / median_ms if matters and median_ms > 0 else 1.0


def _settled(times: FloatArray) -> FloatArray:
    """Times without the first short ones, in which the host only refills the accelerator's queue.

    The window began by emptying it. That does no harm to the mean, as the window ends in the same way, but it says
    nothing about how minibatches scatter.
    """
    return times[np.argmax(times > _RUNS_AHEAD * np.median(times)) :]


def times_ms(intervals: Sequence[Interval], tail_s: float = 0.0) -> FloatArray:
    """Time of a minibatch in each interval; the work still queued on the accelerator at the end is shared by all."""
    seconds = np.array([interval.seconds for interval in intervals])
    counts = np.array([interval.minibatches for interval in intervals])
    times: FloatArray = (seconds / counts + tail_s / counts.sum()) * 1e3
    return times


def watts_in(intervals: Sequence[Interval], power: PowerPoller, start_s: float, end_s: float) -> FloatArray:
    """The samples that fall into one of the intervals, or all if none does."""
    times_s, watts = power.between(start_s, end_s)
    if not len(watts):
        seconds = intervals[-1].end_s - intervals[0].start_s
        reason = f": {power.trouble}" if power.trouble else ": is the power sensor readable?"
        raise DeviceError(f"no power sample in a window of {seconds:.3g} s{reason}")
    inside = _watts_inside(intervals, times_s, watts)
    inside = inside if len(inside) else watts
    median_w = float(np.median(inside))
    return inside[(inside <= _FAR_OFF * median_w) & (inside >= median_w / _FAR_OFF)]


def _watts_inside(intervals: Sequence[Interval], times_s: FloatArray, watts: FloatArray) -> FloatArray:
    """The samples that fall into one of the intervals. Evenly spaced: their mean is over time."""
    inside: FloatArray = watts[is_inside(intervals, times_s)]
    return inside


def is_inside(intervals: Sequence[Interval], times_s: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Whether each time falls into one of the intervals, which are in order; at least one."""
    times_s = np.asarray(times_s, dtype=np.float64)
    starts = np.array([interval.start_s for interval in intervals])
    ends = np.array([interval.end_s for interval in intervals])
    nearest = np.searchsorted(starts, times_s, side="right") - 1
    return (nearest >= 0) & (times_s <= ends[nearest])
