"""Where time comes from: the system, or a virtual clock that only moves when told to."""

from __future__ import annotations

import logging
import threading
import time
from typing import Callable, Protocol

Cancel = Callable[[], None]

_log = logging.getLogger(__name__)

# A call that takes longer hangs in the kernel, and may do so for ever: nobody waits for it, least of all training.
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
