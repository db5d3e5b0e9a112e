"""What a job has spent so far, in seconds and joules, and how much of that was no minibatch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lightning_powertrain.devices import EnergyMeter, Interval, PowerSource, Stopwatch
from lightning_powertrain.errors import DeviceError
from lightning_powertrain.logs import log_swallowed
from lightning_powertrain.profiling import Measurement

# Power is sampled as often as in a locked mode.
_PERIOD_S = 1.0
# Of an interval between two interruptions, which need not be whole.
_TINY = 1e-6


@dataclass(frozen=True)
class Spent:
    """Time and energy.

    Args:
        seconds: Of a job, without the time between two runs of it.
        joules: What the board drew meanwhile.
    """

    seconds: float = 0.0
    joules: float = 0.0

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.seconds + other.seconds, self.joules + other.joules)

    def __sub__(self, other: Spent) -> Spent:
        return Spent(self.seconds - other.seconds, self.joules - other.joules)

    def __mul__(self, factor: float) -> Spent:
        return Spent(self.seconds * factor, self.joules * factor)

    def __str__(self) -> str:
        """Hours and watt-hours.

        >>> print(Spent(5400.0, 180_000.0))
        1.5 h and 50 Wh
        """
        return f"{self.seconds / 3600:.3g} h and {self.joules / 3600:.3g} Wh"


@dataclass(frozen=True)
class Steady:
    """Minibatches in one mode that nothing interrupted, and what they took."""

    minibatches: int = 0
    spent: Spent = Spent()


class JobLedger:
    """Counts what a job spends, from its first minibatch on, profiling and interruptions included.

    Args:
        source: Whose energy counts.
        stopwatch: Counts minibatches and interruptions of the job.
    """

    def __init__(self, source: PowerSource, stopwatch: Stopwatch) -> None:
        self.before = Spent()
        """What earlier runs of a resumed job have spent."""
        self._meter = EnergyMeter(source, _PERIOD_S)
        self._stopwatch = stopwatch
        self._clock = source.clock
        self._known = self._last = Spent()
        self._steady = Steady()
        self._others = Spent()
        self._interruptions = self._last_at = 0

    def start(self) -> None:
        """Begin to count.

        Raises:
            DeviceError: If power cannot be read.
        """
        self._meter.start()

    def close(self) -> None:
        """Stop counting; idempotent."""
        self._meter.stop()

    @property
    def minibatches(self) -> int:
        """Minibatches of this run so far."""
        return self._stopwatch.minibatches

    @property
    def spent(self) -> Spent:
        """What the job has spent in all; up to the last reading if power cannot be read at this instant."""
        try:
            self._known = Spent(*self._meter.read())
        except DeviceError as error:
            log_swallowed("reading the energy of the job", error)
        return self.before + self._known

    @property
    def steady(self) -> Steady:
        """What was not interrupted since :meth:`switched`."""
        return self._steady

    def locked(self, start: Measurement) -> None:
        """Profiling has ended: what interrupted it took as much as minibatches in the start mode would not have."""
        watch = self._stopwatch
        seconds = max(0.0, watch.interrupted_s - watch.interrupted_minibatches * start.time_ms / 1e3)
        # The first minibatch counts as interrupted too, since nobody knows when it began.
        self._learn(Spent(seconds, seconds * start.power_w), max(0, watch.interruptions - 1))
        self.switched()

    @property
    def interruptions(self) -> Spent:
        """What validation, checkpoints and epoch edges of this run have taken so far."""
        return self._others

    def switched(self) -> None:
        """Another mode was set."""
        self._steady = Steady()
        self._last = self.spent

    def add(self, interval: Interval, minibatch: Spent) -> None:
        """Take an interval as it ends, of a job in which a minibatch costs so much by itself."""
        now = self.spent
        if interval.clean and interval.end_s < self._clock.now():
            # An interruption has ended since, and what it took is part of the reading.
            self._last += Spent(interval.seconds, minibatch.joules * interval.minibatches)
            return
        taken, self._last = now - self._last, now
        if interval.clean:
            self._steady = Steady(self._steady.minibatches + interval.minibatches, self._steady.spent + taken)
        else:
            more = taken - minibatch * interval.minibatches
            self._learn(Spent(max(0.0, more.seconds), max(0.0, more.joules)))

    def others(self, minibatches: int) -> Spent:
        """What validation, checkpoints and epoch edges will take in so many further minibatches.

        They come as often as so far, and once more after the last minibatch.
        """
        if not self._interruptions:
            return Spent()
        every = self._last_at / self._interruptions
        return self._others * (math.ceil(minibatches / every - _TINY) / self._interruptions)

    def _learn(self, interruption: Spent, count: int = 1) -> None:
        self._others += interruption
        self._interruptions += count
        self._last_at = self.minibatches
