"""Clocks, of the system and virtual ones, and the stopwatch that times the minibatches of a job on them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable, Protocol

Cancel = Callable[[], None]

_log = logging.getLogger(__name__)

# A call that takes longer hangs in the kernel, and may do so for ever: no thread waits for it, least of all training.
_MOST_WAIT_S = 2.0


class Clock(Protocol):
    """A monotonic clock that can also call back at a fixed rate."""

    def now(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...

    def every(self, period_s: float, call: Callable[[], None]) -> Cancel:
        """Call ``call`` every ``period_s`` seconds until the returned function is called.

        That waits for a call that is under way, but not for ever.
        """
        ...


class SystemClock:
    """The monotonic clock of the system; callbacks run in a daemon thread of their own."""

    def now(self) -> float:
        return time.monotonic()

    def every(self, period_s: float, call: Callable[[], None]) -> Cancel:
        stopped = threading.Event()

        def run() -> None:
            while not stopped.wait(period_s):
                call()

        thread = threading.Thread(target=run, name="powertrain-clock", daemon=True)
        thread.start()

        def cancel() -> None:
            stopped.set()
            thread.join(_MOST_WAIT_S)
            if thread.is_alive():
                _log.debug("a call of %s hangs: its thread ends once it returns", call)

        return cancel


class VirtualClock:
    """A clock that stands still until :meth:`advance` moves it.

    >>> clock = VirtualClock()
    >>> ticks = []
    >>> cancel = clock.every(0.5, lambda: ticks.append(clock.now()))
    >>> clock.advance(1.2)
    >>> ticks, clock.now()
    ([0.5, 1.0], 1.2)
    """

    def __init__(self) -> None:
        self._now_s = 0.0
        self._timers: list[_Timer] = []

    def now(self) -> float:
        return self._now_s

    def every(self, period_s: float, call: Callable[[], None]) -> Cancel:
        timer = _Timer(self._now_s, period_s, call)
        self._timers.append(timer)

        def cancel() -> None:
            if timer in self._timers:
                self._timers.remove(timer)

        return cancel

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass; every callback that falls due runs at its own instant, in order."""
        end_s = self._now_s + seconds
        while self._timers and (timer := min(self._timers, key=lambda timer: timer.due_s)).due_s <= end_s:
            self._now_s = timer.due_s
            timer.fired += 1
            timer.call()
        self._now_s = end_s


class _Timer:
    """A callback of a virtual clock; due times are counted, not summed, so they do not drift."""

    def __init__(self, start_s: float, period_s: float, call: Callable[[], None]) -> None:
        self.start_s = start_s
        self.period_s = period_s
        self.call = call
        self.fired = 0

    @property
    def due_s(self) -> float:
        return self.start_s + (self.fired + 1) * self.period_s


@dataclass(frozen=True)
class Interval:
    """The time between two ends of a minibatch, or of an accumulation cycle of several.

    Args:
        start_s: When the one before ended.
        end_s: When this one ended.
        minibatches: Minibatches in between.
        clean: False if something else happened too: validation, a checkpoint, an epoch edge, a short last minibatch.
        waited_s: Seconds of it in which the loop waited for data; None if nobody reported when the data was there.
    """

    start_s: float
    end_s: float
    minibatches: int = 1
    clean: bool = True
    waited_s: float | None = None

    @property
    def seconds(self) -> float:
        """Length of the interval."""
        return self.end_s - self.start_s


class Stopwatch:
    """Takes the time of gradient-accumulation cycles, or of whole stretches of them.

    Args:
        clock: The device's clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.minibatches = 0
        """Minibatches so far."""
        self.interrupted_s = 0.0
        """Seconds of all intervals so far in which something else happened."""
        self.interruptions = 0
        """How many intervals these are."""
        self.interrupted_minibatches = 0
        """Minibatches in them."""
        self.restart()
        self._clean = False  # It is not known when the first minibatch began.

    def restart(self) -> None:
        """The next minibatch begins now."""
        self._start_s = self._stretch_end_s = self._end_s = self._clock.now()
        self._minibatches = self._stretch = self._arrivals = 0
        self._waited_s = 0.0
        self._clean = True

    def interrupt(self) -> None:
        """What goes on until the next minibatch ends is no measure of a minibatch."""
        self._clean = False

    def minibatch_started(self) -> None:
        """The loop has the data of its next minibatch, for which it has waited since the last one ended."""
        self._arrivals += 1
        self._waited_s += self._clock.now() - self._end_s

    def minibatch_ended(self, *, cycle_complete: bool, at_least_s: float) -> Sequence[Interval]:
        """The intervals that end with this minibatch; :meth:`restart` once they are dealt with.

        Args:
            cycle_complete: False for all but the last minibatch of a cycle, with which no interval ends.
            at_least_s: Cycles that are not interrupted make up one interval until it is as long as this.
        """
        self.minibatches += 1
        self._minibatches += 1
        self._end_s = now_s = self._clock.now()
        if not cycle_complete:
            return ()
        if self._clean:
            if now_s - self._start_s >= at_least_s:
                waited_s = self._waited_s if self._arrivals == self._minibatches else None
                return (Interval(self._start_s, now_s, self._minibatches, waited_s=waited_s),)
            self._stretch, self._stretch_end_s = self._minibatches, now_s
            return ()
        # What came before the interruption counts all the same.
        interrupted = Interval(self._stretch_end_s, now_s, self._minibatches - self._stretch, clean=False)
        self.interrupted_s += interrupted.seconds
        self.interruptions += 1
        self.interrupted_minibatches += interrupted.minibatches
        if not self._stretch:
            return (interrupted,)
        return Interval(self._start_s, self._stretch_end_s, self._stretch), interrupted
