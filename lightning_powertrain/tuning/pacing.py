"""Spreads profiling over a job of which nobody knows how long it is."""

from __future__ import annotations

import math

from lightning_powertrain.devices import Clock, Interval
from lightning_powertrain.tuning.config import TuningConfig
from lightning_powertrain.tuning.job_length import JobLength


class Until:
    """Waits until a time.

    Args:
        clock: The device's clock.
        end_s: The time on it.
    """

    def __init__(self, clock: Clock, end_s: float) -> None:
        self._clock = clock
        self._end_s = end_s

    @property
    def is_over(self) -> bool:
        """Whether it has come."""
        return self._clock.now() >= self._end_s

    def add(self, interval: Interval) -> bool:
        """Take an interval as it ends; returns whether the wait is over."""
        return self.is_over


class Pace:
    """Allows profiling a share of the time so far, so that it never took more, whenever the job ends.

    Args:
        clock: The device's clock. Time counts from now on.
        max_share: The share.
    """

    def __init__(self, clock: Clock, max_share: float) -> None:
        self._clock = clock
        self._share = max_share
        self._start_s = clock.now()

    def until(self, seconds: float) -> Until:
        """When profiling may have taken so many seconds."""
        return Until(self._clock, self._start_s + seconds / self._share)

    def elapsed_s(self) -> float:
        """Seconds since the start, with the training between the modes that are measured."""
        return self._clock.now() - self._start_s

    def left_s(self, seconds: float) -> float:
        """How long it yet takes until profiling has taken so many seconds."""
        return max(0.0, seconds / self._share - self.elapsed_s())


def pace_of(config: TuningConfig, job: JobLength, time_ms: float, clock: Clock) -> Pace | None:
    """The pace of profiling, where it is to be spread and nobody knows how long the job is; None elsewhere.

    Args:
        config: What the user decided.
        job: How long the job is.
        time_ms: Time of a minibatch.
        clock: The device's clock.
    """
    is_open = config.options.spread and math.isinf(job.seconds_left(time_ms))
    return Pace(clock, config.max_share) if is_open else None
