"""How one power mode is measured: wait until the board has settled, then average over a window of minibatches."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace

import numpy as np

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import BaseDevice, Interval, Pollers
from lightning_powertrain.profiling.confidence import expected_half_width
from lightning_powertrain.profiling.profile import Measurement
from lightning_powertrain.profiling.window_signals import SignalCollector
from lightning_powertrain.profiling.window_statistics import (
    is_precise,
    spread_of_minibatches,
    stretch_of,
    times_ms,
    watts_in,
)

# Some jobs interrupt every interval (epochs of one minibatch, validation after each). After this many times the wanted
# minibatches were interrupted, the window closes with what it has, so that no job can stall it.
_PATIENCE = 4

# Mean length of the windows of simulated boards over the shortest that would do: hiccups prolong some of them.
_LONGER_BY_CHANCE = 1.15

# An interval is a pause (a suspended process, a disk that stalls) if it is so many times the median of its window.
_PAUSE = 4.0


@dataclass(frozen=True)
class WindowPlan:
    """How long to wait and how long to measure.

    Args:
        discard: Minibatches to leave out after a switch, at least what the data loader made under the mode before.
        settle_s: Seconds to leave out after a switch, until the power sensor's filter has forgotten the mode before.
        minibatches: Minibatches to average over at the most; the paper's number (arXiv 2407.13944).
        minimum_s: Seconds to average over at the least, so that fast minibatches leave time for power samples.
        tolerance: A window ends before that once the 95 % confidence intervals of its mean time and mean power are
            no wider, to either side, than this share of the mean; None for windows of a fixed length, as the paper's.
        least: Minibatches that such a window has at the least, and as many as ``discard``: a round of the data loader.
    """

    discard: int
    settle_s: float
    minibatches: int = 40
    minimum_s: float = 1.0
    tolerance: float | None = 0.02
    least: int = 12

    def seconds(self, time_ms: float) -> float:
        """Seconds that a mode may be expected to take whose minibatches take ``time_ms``."""
        settle_s = max(self.settle_s, self.discard * time_ms / 1e3)
        return settle_s + max(self.minimum_s, self._expected(time_ms) * time_ms / 1e3)

    def _expected(self, time_ms: float) -> int:
        """Minibatches that a window takes if they scatter as usual."""
        if self.tolerance is None:
            return self.minibatches
        for count in range(max(self.least, self.discard), self.minibatches):
            seconds = count * time_ms / 1e3
            if seconds >= self.minimum_s and expected_half_width(count, seconds) <= self.tolerance:
                return min(self.minibatches, round(_LONGER_BY_CHANCE * count))
        return self.minibatches


class UsualPauses:
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


class Window:
    """One measurement of the mode that was just set: settling first, then intervals until their mean is precise.

    Whether it is over is decided by the ends of minibatches and by power samples alone.

    Args:
        device: The board.
        pollers: Sample its power and its health; must be running.
        mode: The mode that the board read back.
        plan: How long to wait and how long to measure.
        synchronize: Waits for the accelerator; called at both ends of the window, never inside.
    """

    def __init__(
        self, device: BaseDevice, pollers: Pollers, mode: PowerMode, plan: WindowPlan, synchronize: Callable[[], None]
    ) -> None:
        self._device = device
        self._clock = device.clock
        self._pollers = pollers
        self._mode = mode
        self._plan = plan
        self._synchronize = synchronize
        self._switched_s = self._clock.now()
        self._start_s: float | None = None
        self._discarded = 0
        self._clean, self._interrupted = _Tally(), _Tally()
        self.stretch = 1.0
        """How many times the median its longest interval is; 1 if that changes little. Known once it is over."""
        self.measurement: Measurement
        """What was measured; set once the window is over."""
        self._open_if_settled()

    def add(self, interval: Interval) -> bool:
        """Take an interval as it ends.

        Returns:
            Whether the window is over.

        Raises:
            DeviceError: If it is, and the board gave no power sample in it.
        """
        if self._start_s is None:
            self._discarded += interval.minibatches
            self._open_if_settled()
            return False
        plan, clean, interrupted = self._plan, self._clean, self._interrupted
        (clean if interval.clean else interrupted).add(interval)
        precise = self._is_precise()
        if precise or clean.is_full(plan) or interrupted.minibatches >= _PATIENCE * plan.minibatches:
            self._close(self._start_s, precise)
            return True
        return False

    def _is_precise(self) -> bool:
        plan, clean = self._plan, self._clean
        if (
            plan.tolerance is None
            or clean.minibatches < max(plan.least, plan.discard)
            or clean.seconds < plan.minimum_s
        ):
            return False
        return is_precise(clean.intervals, clean.seconds, self._pollers.power, plan.tolerance)

    def _open_if_settled(self) -> None:
        plan = self._plan
        if self._discarded >= plan.discard and self._clock.now() - self._switched_s >= plan.settle_s:
            self._synchronize()
            self._start_s = self._clock.now()
            self._pollers.health.poll()
            self._signals = SignalCollector(self._device, self._pollers)

    def _close(self, start_s: float, precise: bool) -> None:
        power, health = self._pollers.power, self._pollers.health
        health.poll()
        end_s = self._clock.now()
        self._synchronize()
        # Where every interval is interrupted, interruptions are how this job runs.
        is_usual = not self._clean.intervals
        kept, left_out = (self._interrupted, 0) if is_usual else (self._clean, self._interrupted.minibatches)
        signals = self._signals.signals(kept.intervals, is_whole=not left_out)
        times = times_ms(kept.intervals, tail_s=self._clock.now() - end_s)
        counts = np.array([interval.minibatches for interval in kept.intervals])
        time_ms = float(np.average(times, weights=counts))
        watts = watts_in(kept.intervals, power, start_s, end_s)
        self.stretch = stretch_of(times * counts)
        self.measurement = Measurement(
            mode=self._mode,
            time_ms=time_ms,
            power_w=float(watts.mean()),
            time_std_ms=spread_of_minibatches(times, counts, time_ms),
            power_std_w=float(watts.std()),
            minibatches=kept.minibatches,
            power_samples=len(watts),
            discarded_minibatches=self._discarded + left_out,
            settle_s=start_s - self._switched_s,
            throttled_by="+".join(health.throttled_by(start_s, end_s)),
            capped=self._plan.tolerance is not None and not precise,
            temperature_c=health.mean_c(start_s, end_s),
            signals=signals,
        )


def measure(new_window: Callable[[], Window], pauses: UsualPauses) -> Generator[Window, None, Measurement]:
    """Measure the mode that was just set. Yields each window, and goes on once that is over.

    A window with a pause in it is measured again, once: if there is one again, that is how the job runs.

    Args:
        new_window: Opens a window.
        pauses: The pauses of the job that are known; learns more of them.

    Returns:
        The measurement.
    """
    window = new_window()
    yield window
    if not pauses.is_broken_by(window.stretch):
        return window.measurement
    wasted = window.measurement.minibatches + window.measurement.discarded_minibatches
    window = new_window()
    yield window
    pauses.learn(window.stretch)
    return replace(window.measurement, discarded_minibatches=window.measurement.discarded_minibatches + wasted)
