"""Sets the modes of a board, and measures them into one profile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Generator, Protocol

import torch

from lightning_powertrain.boards import Knob, PowerMode
from lightning_powertrain.devices import BaseDevice, Clock, HealthPoller, Interval, Pollers, core_speed
from lightning_powertrain.errors import DeviceError
from lightning_powertrain.logs import warn
from lightning_powertrain.profiling import (
    Measurement,
    Profile,
    UsualPauses,
    Window,
    WindowPlan,
    measure,
)
from lightning_powertrain.selection import Objective, is_confirmed
from lightning_powertrain.tuning.config import TuningConfig
from lightning_powertrain.tuning.history import WarmStart, check_measured
from lightning_powertrain.tuning.threads import BlasThreads, TorchThreads

# A board that was heated by the mode before gets so long to cool before a mode counts as one that throttles; it has
# cooled once nothing held it back lately.
_COOLING_S = 120.0
_LATELY_S = 5.0

# Cores that run at less than this share of the clock that they may have are worth a switch before a longer computation.
_SLOW = 0.5

# A knob that reads back as something else so many times does not move.
_REFUSALS = 2
# A sensor that shows one and the same figure in so many modes, one after the other, shows nothing, if the clock of the
# GPU differs by this factor. What other knobs change may be less than a step of the sensor.
_STUCK, _DIFFERENT = 4, 1.2
_EXACTLY = 1e-9

# Minibatches at the start of a job that are no measure of the rest: cuDNN's autotuning, compilation, cold caches.
_WARM_UP_MINIBATCHES = 10


class Awaited(Protocol):
    """What a step of a session waits for, such as a measurement window."""

    def add(self, interval: Interval) -> bool:
        """Take an interval as it ends; returns whether the wait is over."""
        ...


Waiting = Generator[Awaited, None, None]
"""A step of a session: yields what it waits for, and goes on once that is over."""

Measuring = Generator[Awaited, None, Measurement]
"""The same, and returns a measurement."""


class ClosedError(Exception):
    """The session was closed in the middle of a step: no mode may be set any more."""


class WarmUp:
    """Waits for the first minibatches of a job."""

    def __init__(self) -> None:
        self._minibatches = 0

    def add(self, interval: Interval) -> bool:
        """Take an interval as it ends; returns whether the wait is over."""
        self._minibatches += interval.minibatches
        return self._minibatches >= _WARM_UP_MINIBATCHES


class Cooling:
    """Waits until nothing has throttled the board for some seconds, for two minutes at the longest."""

    def __init__(self, clock: Clock, health: HealthPoller) -> None:
        self._clock = clock
        self._health = health
        self._start_s = clock.now()
        health.poll()

    @property
    def is_over(self) -> bool:
        """Whether the board has cooled, or time is up."""
        now_s = self._clock.now()
        return now_s >= self._start_s + _COOLING_S or not self._health.throttled_by(now_s - _LATELY_S, now_s)

    def add(self, interval: Interval) -> bool:
        """Take an interval as it ends; returns whether the wait is over."""
        return self.is_over


class ModeRunner:
    """Sets modes and measures them.

    Args:
        device: The board; its state is remembered already.
        pollers: Sample its power and its health.
        config: What the user decided.
        window: How long a mode is measured.
        profile: Empty, with the provenance of what will be measured.
    """

    def __init__(
        self, device: BaseDevice, pollers: Pollers, config: TuningConfig, window: WindowPlan, profile: Profile
    ) -> None:
        self.device = device
        self.pollers = pollers
        self.window = window
        self.profile = profile
        """All measurements so far, those of a warm start included."""
        self.warm = WarmStart()
        """Which of them an earlier run made."""
        self.start_mode: PowerMode
        """The mode in which measuring begins: the mode of the board before the job; under a hard limit the lowest."""
        self.space = device.modes
        """The modes of the board, without those that differ in a knob that does not move."""
        self.is_closed = False
        """Whether no mode may be set any more."""
        self.is_switching = False
        """Whether a switch of modes is in progress, during which the board must not be restored."""
        self._minimum_modes = config.predictor.minimum_modes
        self._refusals: Counter[str] = Counter()
        self._hard_limit = config.hard_limit
        self._threads = TorchThreads(device.modes.knobs, config.options.match_threads)
        self._blas = BlasThreads()
        # Both are part of every minibatch, and do nothing on most boards.
        kind = type(device)
        self.charged = device.computing if kind.computing is not BaseDevice.computing else nullcontext
        """A context that charges computing to the clock of a simulated device."""
        self.advance_clock = device.minibatch_ended if kind.minibatch_ended is not BaseDevice.minibatch_ended else None
        """Advances a virtual clock by one minibatch; None on other boards."""
        starts = kind.minibatch_started is not BaseDevice.minibatch_started
        self.advance_to_data = device.minibatch_started if starts else None
        """Advances a virtual clock by the wait for data; None on other boards."""
        self._pauses = UsualPauses()
        self._still: list[Measurement] = []

    def start(self) -> None:
        """Start sampling, in the mode in which measuring begins."""
        self.start_mode = self.apply(self.device.modes.lowest) if self._hard_limit else self.device.current_mode()
        self.pollers.start()

    def close(self) -> None:
        """Stop sampling and restore the threads of this process; no mode can be set any more."""
        self.is_closed = True
        self._threads.restore()
        self.pollers.stop()

    def check_open(self) -> None:
        """Call after whatever may have closed the session.

        Raises:
            ClosedError: If it did.
        """
        if self.is_closed:
            raise ClosedError

    def start_over(self) -> None:
        """Drop all measurements, but not in which modes the board throttled."""
        self.profile = replace(self.warm.dropped(self.profile), measurements=())

    def apply(self, mode: PowerMode) -> PowerMode:
        """Set a mode; returns it as read back.

        Raises:
            ClosedError: If the session was closed, before or meanwhile.
            DeviceError: If the board refused, or too few knobs of it move.
        """
        with self._switching():
            read = self.device.apply(mode)
            self._threads.match(read)
        self._compare(mode, read)
        return read

    def keep(self, mode: PowerMode) -> None:
        """Set the mode that stays."""
        if mode == self.start_mode and not self._hard_limit:
            # The state before the job may be more than a power mode: clocks that a governor moves between two limits.
            with self._switching():
                self.device.restore()
                self.device.snapshot()
                self._threads.restore()
        elif mode != self.device.current_mode():
            self.apply(mode)

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Training waits while the body computes, so it computes in one thread, and simulated clocks are charged."""
        with self.charged(), self._blas.only_one():
            yield

    def leave_slow_mode(self, objective: Objective) -> None:
        """Before a longer computation: if the CPU is slow, set the mode with the fastest one known to be good enough.

        Training waits for one core meanwhile, so that the clock of the CPU is all that counts. Good enough are modes
        that were measured in this job and are within the budget; without a hard one also the mode that it started in.
        """
        known = [each for each in self.profile.measurements if each.mode not in self.warm.modes]
        within = [each.mode for each in known if is_confirmed(objective, each)]
        modes = within or ([] if self._hard_limit else [self.start_mode])
        speeds = {mode: core_speed(self.device.modes, mode) for mode in modes}
        fastest = max(speeds, key=lambda mode: speeds[mode], default=None)
        if fastest and core_speed(self.device.modes, self.device.current_mode()) < _SLOW * speeds[fastest]:
            # The start mode may lie outside the tables, as where somebody set a clock by hand.
            self.apply(fastest) if fastest in self.device.modes else self.keep(fastest)

    def measured(self, mode: PowerMode, window: WindowPlan | None = None) -> Measuring:
        """Measure the mode that is set, for as long as usual or as ``window`` says.

        Raises:
            ContradictionError: If it is not what was measured before this job.
            DeviceError: If the power sensor shows nothing, or always the same.
        """
        measurement = yield from measure(
            lambda: Window(self.device, self.pollers, mode, window or self.window, _synchronize), self._pauses
        )
        self._check_sensor(measurement)
        before = self.warm.find(self.profile, mode)
        self.profile = self.warm.replaced(self.profile, measurement)
        check_measured(before, measurement)
        return measurement

    def measured_cool(self, mode: PowerMode) -> Measuring:
        """Measure the mode that is set, and once more if the board throttled, after it has had time to cool."""
        measurement = yield from self.measured(mode)
        if not measurement.throttled_by:
            return measurement
        yield from self.cooled()
        return (yield from self.measured(mode))

    @contextmanager
    def _switching(self) -> Iterator[None]:
        """A session that a signal handler closes in here restores the board only after the switch."""
        self.check_open()
        self.is_switching = True
        try:
            yield
        finally:
            self.is_switching = False
        self.check_open()

    def _compare(self, asked: PowerMode, read: PowerMode) -> None:
        """Leave a knob out that does not move, or else what it should be would be asked for again and again."""
        for knob in self.space.knobs:
            if read[knob.name] == asked[knob.name] or len(knob.values) == 1:
                continue
            self._refusals[knob.name] += 1
            if self._refusals[knob.name] == _REFUSALS:
                self._warn_of_refusal(knob.name, asked[knob.name], read[knob.name])
                self.space = self.space.subset({knob.name: (knob.at_most(read[knob.name]),)})
        if len(self.space) < min(self._minimum_modes + 1, len(self.device.modes)):
            raise DeviceError(f"only {len(self.space)} power modes are left, since other knobs cannot be changed")

    def _warn_of_refusal(self, knob: str, asked: int, read: int) -> None:
        what = (
            "%s cannot be changed: it was set to %d and reads back as %d, for the second time. The firmware or another "
            "program holds it; power modes are compared without it"
        )
        warn(what, knob, asked, read, see="troubleshooting.md#permissions-sensors-and-containers")

    def _check_sensor(self, measurement: Measurement) -> None:
        watts = measurement.power_w
        same = [each for each in self._still if abs(each.power_w - watts) <= _EXACTLY * watts]
        self._still = [*same, measurement] if measurement.power_std_w <= _EXACTLY * watts else []
        modes = {each.mode for each in self._still}
        if len(modes) >= _STUCK and _clocks_differ(self.space.knobs, modes):
            raise DeviceError(
                f"the power sensor is stuck: it showed exactly {watts:g} W in each of the last {len(modes)} power modes"
            )

    def cooled(self) -> Waiting:
        """Wait until nothing has throttled the board for some seconds, but not for ever."""
        cooling = Cooling(self.device.clock, self.pollers.health)
        if not cooling.is_over:
            yield cooling


def _clocks_differ(knobs: Sequence[Knob], modes: Collection[PowerMode]) -> bool:
    """Whether the clocks of the GPU, or of anything on a board without one, are far apart."""
    of_gpu = [knob for knob in knobs if knob.role == "gpu"]
    values = [[mode[knob.name] for mode in modes] for knob in of_gpu or knobs]
    return any(max(each) >= _DIFFERENT * min(each) for each in values)


def _synchronize() -> None:
    if torch.cuda.is_available() and torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.synchronize()
