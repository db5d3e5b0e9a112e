"""How one power mode is measured: wait until the board has settled, then average over a window of minibatches."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

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


def measure(
    device: Device, samplers: Samplers, mode: PowerMode, plan: WindowPlan, synchronize: Callable[[], None]
) -> Generator[None, Interval, Measurement]:
    """Measure the mode that was just set. Send it every interval as it ends; it returns when the window is over.

    It is over when it is precise or full. That is decided by the ends of minibatches and by power samples alone.

    Args:
        device: The board.
        samplers: Sample its power and its health; must be running.
        mode: The mode that the board read back.
        plan: How long to wait and how long to measure.
        synchronize: Waits for the accelerator; called at both ends of the window, never inside.

    Returns:
        The measurement.

    Raises:
        DeviceError: If the board gave no power sample in the window.
    """
    switched_s = device.clock.now()
    discarded = 0
    while discarded < plan.discard or device.clock.now() - switched_s < plan.settle_s:
        discarded += (yield).minibatches
    synchronize()
    start_s = device.clock.now()
    samplers.health.sample()
    clean: list[Interval] = []
    interrupted: list[Interval] = []
    precise = False
    while not (precise or _is_full(clean, plan) or _minibatches(interrupted) >= _PATIENCE * plan.minibatches):
        interval = yield
        (clean if interval.clean else interrupted).append(interval)
        precise = _is_precise(clean, plan, samplers.power)
    samplers.health.sample()
    end_s = device.clock.now()
    synchronize()
    # Where every interval is interrupted, interruptions are how this job runs.
    kept = clean or interrupted
    left_out = interrupted if clean else []
    times_ms = _times_ms(kept, tail_s=device.clock.now() - end_s)
    watts = _watts(kept, *samplers.power.between(start_s, end_s))
    return Measurement(
        mode=mode,
        time_ms=float(np.average(times_ms, weights=[interval.minibatches for interval in kept])),
        power_w=float(watts.mean()),
        time_std_ms=float(times_ms.std()),
        power_std_w=float(watts.std()),
        minibatches=_minibatches(kept),
        power_samples=len(watts),
        discarded_minibatches=discarded + _minibatches(left_out),
        settle_s=start_s - switched_s,
        throttled_by="+".join(samplers.health.throttled_by(start_s, end_s)),
        capped=plan.precision is not None and not precise,
    )


def _minibatches(intervals: Sequence[Interval]) -> int:
    return sum(interval.minibatches for interval in intervals)


def _seconds(intervals: Sequence[Interval]) -> float:
    return sum(interval.seconds for interval in intervals)


def _is_full(clean: Sequence[Interval], plan: WindowPlan) -> bool:
    return _minibatches(clean) >= plan.minibatches and _seconds(clean) >= plan.minimum_s


def _is_precise(clean: Sequence[Interval], plan: WindowPlan, power: PowerSampler) -> bool:
    """Whether mean time and mean power are known as well as the plan asks for."""
    if plan.precision is None or _minibatches(clean) < max(plan.least, plan.discard):
        return False
    if _seconds(clean) < plan.minimum_s or time_half_width(_settled(_times_ms(clean))) > plan.precision:
        return False
    watts = _watts_inside(clean, *power.between(clean[0].start_s, clean[-1].end_s))
    return power_half_width(watts, _seconds(clean)) <= plan.precision


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


def _watts(intervals: Sequence[Interval], times_s: FloatArray, watts: FloatArray) -> FloatArray:
    """The samples that fall into one of the intervals, or all if none does."""
    if not len(watts):
        seconds = intervals[-1].end_s - intervals[0].start_s
        raise DeviceError(f"no power sample in a window of {seconds:.3g} s: is the power sensor readable?")
    inside = _watts_inside(intervals, times_s, watts)
    return inside if len(inside) else watts


def _watts_inside(intervals: Sequence[Interval], times_s: FloatArray, watts: FloatArray) -> FloatArray:
    """The samples that fall into one of the intervals. Evenly spaced: their mean is over time."""
    starts = np.array([interval.start_s for interval in intervals])
    ends = np.array([interval.end_s for interval in intervals])
    nearest = np.searchsorted(starts, times_s, side="right") - 1
    inside: FloatArray = watts[(nearest >= 0) & (times_s <= ends[nearest])]
    return inside
