"""What a characterization waits for besides measurement windows: a warm board, and one that is not hot."""

from __future__ import annotations

import time

from lightning_powertrain.devices import BaseDevice, Clock, HealthPoller, Interval, VirtualClock

# Twice the time constant of an Orin NX with its fan (75 s; ark_jetson_kernel, docs/power.md), and cuDNN's autotuning.
_WARM_UP_S, _WARM_UP_MINIBATCHES = 150.0, 10
# Boards throttle from 86 C (Xavier) or 99 C (Orin) on; leakage makes figures useless before that.
_HOT_C, _COOL_C = 85.0, 70.0
_LATELY_S = 5.0
# A board in a hot room never gets cool: it is measured as warm as it is.
_LONGEST_PAUSE_S = 300.0
_STEP_S = 1.0


class BoardWarmUp:
    """Trains until the board is about as warm as it will be from then on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._end_s = clock.now() + _WARM_UP_S
        self._minibatches = 0

    def add(self, interval: Interval) -> bool:
        """Take an interval as it ends; returns whether the wait is over."""
        self._minibatches += interval.minibatches
        return self._minibatches >= _WARM_UP_MINIBATCHES and self._clock.now() >= self._end_s


def is_hot(clock: Clock, health: HealthPoller, limit_c: float = _HOT_C) -> bool:
    """Whether something throttled the board lately, or its die is warmer than ``limit_c``."""
    health.poll()
    now_s = clock.now()
    celsius = health.mean_c(now_s - _LATELY_S, now_s)
    return bool(health.throttled_by(now_s - _LATELY_S, now_s)) or (celsius is not None and celsius > limit_c)


def cool_down(device: BaseDevice, health: HealthPoller) -> float:
    """Train nothing until the board is cool, for five minutes at the longest; returns for how many seconds."""
    start_s = device.clock.now()
    while is_hot(device.clock, health, _COOL_C) and device.clock.now() < start_s + _LONGEST_PAUSE_S:
        _rest(device, _STEP_S)
    return device.clock.now() - start_s


def _rest(device: BaseDevice, seconds: float) -> None:
    if isinstance(device.clock, VirtualClock):
        device.wait(seconds)
    else:
        time.sleep(seconds)
