"""How one power mode is measured: wait until the board has settled, then average over a window of minibatches."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import Device, PowerSampler, Samplers
from lightning_powertrain.errors import DeviceError
from lightning_powertrain.profiling.confidence import expected_half_width, power_half_width, time_half_width
from lightning_powertrain.profiling.profile import Measurement

FloatArray = npt.NDArray[np.float64]

# Some jobs interrupt every interval (epochs of one minibatch, validation after each). After this many times the wanted
# minibatches were interrupted, the window closes with what it has, so that no job can stall it.
_PATIENCE = 4

# Mean length of the windows of simulated boards over the shortest that would do: hiccups prolong some of them.
_LONGER_BY_CHANCE = 1.15

# Shorter than this share of the median, the first intervals of a window are those of a host that runs ahead.
_RUNS_AHEAD = 0.9

# An interval is a pause if it is so many times as long as the median of its window, and more than so large a share of
# the window is due to that: a suspended process, a disk that stalls.
_PAUSE = 4.0
_PAUSE_SHARE = 0.01

# Readings of more or less than the median by this factor are no readings: a filtered sensor cannot move so fast.
_FAR_OFF = 10.0

# Scatter of minibatches, relative to the mean, where a window has too few intervals to show it.
_TYPICAL_SPREAD = 0.025
_FEW_INTERVALS = 4


@dataclass(frozen=True)
class Interval:
    """The time between two ends of a minibatch, or of an accumulation cycle of several.

    Args:
        start_s: When the one before ended.
        end_s: When this one ended.
        minibatches: Minibatches in between.
        clean: False if something else happened too: validation, a checkpoint, an epoch edge, a short last minibatch.
    """

    start_s: float
    end_s: float
    minibatches: int = 1
    clean: bool = True

    @property
    def seconds(self) -> float:
        """Length of the interval."""
        return self.end_s - self.start_s


@dataclass(frozen=True)
class WindowPlan:
    """How long to wait and how long to measure.

    Args:
        discard: Minibatches to leave out after a switch, at least what the data loader made under the mode before.
        settle_s: Seconds to leave out after a switch, until the power sensor's filter has forgotten the mode before.
        minibatches: Minibatches to average over at the most; the paper's number (arXiv 2407.13944).
        minimum_s: Seconds to average over at the least, so that fast minibatches leave time for power samples.
        precision: A window ends before that once the 95 % confidence intervals of its mean time and mean power are
            no wider, to either side, than this share of the mean; None for windows of a fixed length, as the paper's.
        least: Minibatches that such a window has at the least, and as many as ``discard``: a round of the data loader.
    """

    discard: int
    settle_s: float
    minibatches: int = 40
    minimum_s: float = 1.0
    precision: float | None = 0.02
    least: int = 12

    def seconds(self, time_ms: float) -> float:
        """Seconds that a mode may be expected to take whose minibatches take ``time_ms``."""
        settle_s = max(self.settle_s, self.discard * time_ms / 1e3)
        return settle_s + max(self.minimum_s, self._expected(time_ms) * time_ms / 1e3)

    def _expected(self, time_ms: float) -> int:
        """Minibatches that a window takes if they scatter as usual."""
        if self.precision is None:
            return self.minibatches
        for count in range(max(self.least, self.discard), self.minibatches):
            seconds = count * time_ms / 1e3
            if seconds >= self.minimum_s and expected_half_width(count, seconds) <= self.precision:
                return min(self.minibatches, round(_LONGER_BY_CHANCE * count))
        return self.minibatches


class Rhythm:
    """How much longer than the median an interval of a job may be: some jobs pause again and again by themselves."""

    def __init__(self) -> None:
        self._usual = _PAUSE / 2

    def is_broken_by(self, stretch: float) -> bool:
        """Whether an interval so many times the median is a pause that does not belong to the job."""
        return stretch > 2 * self._usual

    def learn(self, stretch: float) -> None:
        """Take note that intervals so many times the median are how this job runs."""
        self._usual = max(self._usual, stretch)


class _Tally:
    """Intervals, and running sums over them: what a minibatch costs must not grow with those before."""

    def __init__(self) -> None:
        self.intervals: list[Interval] = []
        self.minibatches = 0
        self.seconds = 0.0

    def add(self, interval: Interval) -> None:
        self.intervals.append(interval)
        self.minibatches += interval.minibatches
        self.seconds += interval.seconds

    def is_full(self, plan: WindowPlan) -> bool:
        enough = self.minibatches >= plan.minibatches and self.seconds >= plan.minimum_s
        # The spread over accumulation cycles cannot be seen in one of them.
        return enough and (len(self.intervals) > 1 or self.intervals[0].minibatches == 1)


def measure(
    device: Device,
    samplers: Samplers,
    mode: PowerMode,
    plan: WindowPlan,
    synchronize: Callable[[], None],
    rhythm: Rhythm | None = None,
) -> Generator[None, Interval, Measurement]:
    """Measure the mode that was just set. Send it every interval as it ends; it returns when the window is over.

    It is over when it is precise or full. That is decided by the ends of minibatches and by power samples alone. A
    window with a pause in it is measured again, once: if there is one again, that is how the job runs.

    Args:
        device: The board.
        samplers: Sample its power and its health; must be running.
        mode: The mode that the board read back.
        plan: How long to wait and how long to measure.
        synchronize: Waits for the accelerator; called at both ends of the window, never inside.
        rhythm: What is known of the pauses of the job; learns more of them.

    Returns:
        The measurement.

    Raises:
        DeviceError: If the board gave no power sample in the window.
    """
    rhythm = rhythm or Rhythm()
    measurement, stretch = yield from _measure_once(device, samplers, mode, plan, synchronize)
    if rhythm.is_broken_by(stretch):
        wasted = measurement.minibatches + measurement.discarded_minibatches
        measurement, stretch = yield from _measure_once(device, samplers, mode, plan, synchronize)
        rhythm.learn(stretch)
        measurement = replace(measurement, discarded_minibatches=measurement.discarded_minibatches + wasted)
    return measurement


def _measure_once(
    device: Device, samplers: Samplers, mode: PowerMode, plan: WindowPlan, synchronize: Callable[[], None]
) -> Generator[None, Interval, tuple[Measurement, float]]:
    """One window: the measurement, and how many times the median its longest interval is (1 if that changes little)."""
    switched_s = device.clock.now()
    discarded = 0
    while discarded < plan.discard or device.clock.now() - switched_s < plan.settle_s:
        discarded += (yield).minibatches
    synchronize()
    start_s = device.clock.now()
    samplers.health.sample()
    clean, interrupted = _Tally(), _Tally()
    precise = False
    while not (precise or clean.is_full(plan) or interrupted.minibatches >= _PATIENCE * plan.minibatches):
        interval = yield
        (clean if interval.clean else interrupted).add(interval)
        precise = _is_precise(clean, plan, samplers.power)
    samplers.health.sample()
    end_s = device.clock.now()
    synchronize()
    # Where every interval is interrupted, interruptions are how this job runs.
    kept, left_out = (clean, interrupted.minibatches) if clean.intervals else (interrupted, 0)
    times_ms = _times_ms(kept.intervals, tail_s=device.clock.now() - end_s)
    counts = np.array([interval.minibatches for interval in kept.intervals])
    time_ms = float(np.average(times_ms, weights=counts))
    watts = _watts(kept.intervals, samplers.power, start_s, end_s)
    measurement = Measurement(
        mode=mode,
        time_ms=time_ms,
        power_w=float(watts.mean()),
        time_std_ms=_spread_of_minibatches(times_ms, counts, time_ms),
        power_std_w=float(watts.std()),
        minibatches=kept.minibatches,
        power_samples=len(watts),
        discarded_minibatches=discarded + left_out,
        settle_s=start_s - switched_s,
        throttled_by="+".join(samplers.health.throttled_by(start_s, end_s)),
        capped=plan.precision is not None and not precise,
    )
    return measurement, _stretch(times_ms * counts)


def _is_precise(clean: _Tally, plan: WindowPlan, power: PowerSampler) -> bool:
    """Whether mean time and mean power are known as well as the plan asks for."""
    if plan.precision is None or clean.minibatches < max(plan.least, plan.discard) or clean.seconds < plan.minimum_s:
        return False
    intervals = clean.intervals
    if time_half_width(_settled(_times_ms(intervals))) > plan.precision:
        return False
    watts = _watts_inside(intervals, *power.between(intervals[0].start_s, intervals[-1].end_s))
    return power_half_width(watts, clean.seconds) <= plan.precision


def _spread_of_minibatches(times_ms: FloatArray, counts: npt.NDArray[np.int64], time_ms: float) -> float:
    """Standard deviation of single minibatches: a mean over a cycle of four scatters half as much as they do."""
    spread_ms = math.sqrt(float(np.mean(counts * (times_ms - time_ms) ** 2)))
    if len(times_ms) < _FEW_INTERVALS and counts.max() > 1:
        return max(spread_ms, _TYPICAL_SPREAD * time_ms)
    return spread_ms


def _stretch(times_ms: FloatArray) -> float:
    """How many times the median the longest time is; 1 if the mean hardly depends on it."""
    longest_ms, median_ms = float(times_ms.max()), float(np.median(times_ms))
    matters = longest_ms - median_ms > _PAUSE_SHARE * float(times_ms.sum())
    return longest_ms / median_ms if matters and median_ms > 0 else 1.0


def _settled(times_ms: FloatArray) -> FloatArray:
    """Times without the first short ones, in which the host only refills the accelerator's queue.

    The window began by emptying it. That does no harm to the mean, as the window ends in the same way, but it says
    nothing about how minibatches scatter.
    """
    return times_ms[np.argmax(times_ms > _RUNS_AHEAD * np.median(times_ms)) :]


def _times_ms(intervals: Sequence[Interval], tail_s: float = 0.0) -> FloatArray:
    """Time of a minibatch in each interval; the work still queued on the accelerator at the end is shared by all."""
    seconds = np.array([interval.seconds for interval in intervals])
    counts = np.array([interval.minibatches for interval in intervals])
    times_ms: FloatArray = (seconds / counts + tail_s / counts.sum()) * 1e3
    return times_ms


def _watts(intervals: Sequence[Interval], power: PowerSampler, start_s: float, end_s: float) -> FloatArray:
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
    starts = np.array([interval.start_s for interval in intervals])
    ends = np.array([interval.end_s for interval in intervals])
    nearest = np.searchsorted(starts, times_s, side="right") - 1
    inside: FloatArray = watts[(nearest >= 0) & (times_s <= ends[nearest])]
    return inside
