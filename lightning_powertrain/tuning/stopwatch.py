"""Turns the ends of minibatches into intervals."""

from __future__ import annotations

from collections.abc import Sequence

from lightning_powertrain.devices import Clock
from lightning_powertrain.profiling import Interval


class Stopwatch:
    """Takes the time of gradient-accumulation cycles, or of whole stretches of them.

    Args:
        clock: The device's clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.restart()
        self._clean = False  # Nobody knows when the first minibatch began.

    def restart(self) -> None:
        """The next minibatch begins now."""
        self._start_s = self._stretch_end_s = self._clock.now()
        self._minibatches = self._stretch = 0
        self._clean = True

    def interrupt(self) -> None:
        """What goes on until the next minibatch ends is no measure of a minibatch."""
        self._clean = False

    def minibatch_ended(self, *, cycle_complete: bool, at_least_s: float) -> Sequence[Interval]:
        """The intervals that end with this minibatch; :meth:`restart` once they are dealt with.

        Args:
            cycle_complete: False for all but the last minibatch of a cycle, with which no interval ends.
            at_least_s: Cycles that are not interrupted make up one interval until it is as long as this.
        """
        self._minibatches += 1
        if not cycle_complete:
            return ()
        now_s = self._clock.now()
        if self._clean:
            if now_s - self._start_s >= at_least_s:
                return (Interval(self._start_s, now_s, self._minibatches),)
            self._stretch, self._stretch_end_s = self._minibatches, now_s
            return ()
        # What came before the interruption counts all the same.
        interrupted = Interval(self._stretch_end_s, now_s, self._minibatches - self._stretch, clean=False)
        if not self._stretch:
            return (interrupted,)
        return Interval(self._start_s, self._stretch_end_s, self._stretch), interrupted
