"""A virtual board, made quick, at which things happen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from plain_board import process_of, start_helper

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import PowerReading, SysfsDevice, SystemClock
from lightning_powertrain.errors import DeviceError
from survival.event import Event

_SPEED = 8


class QuickClock(SystemClock):
    """Eight times as fast as real time: everything that takes seconds on a board takes less here."""

    def now(self) -> float:
        return super().now() * _SPEED

    def every(self, period_s: float, call: Callable[[], None]) -> Callable[[], None]:
        return super().every(period_s / _SPEED, call)


class Board(SysfsDevice):
    """The virtual board, with few modes and sensors that settle soon."""

    def __init__(self, root: Path, event: Event) -> None:
        super().__init__(root, lambda: start_helper(root))
        self._event = event
        event.helper_pid = lambda: process_of(self._helper).pid if self._helper else 0
        self.clock = QuickClock()
        self.settle_s = 2.0
        lowest = {knob.name: (knob.values[0],) for knob in self.modes.knobs}
        highest_gpu = self.modes.highest["gpu_hz"]
        self.modes = self.modes.subset({**lowest, "cores": (1, 2), "gpu_hz": (*lowest["gpu_hz"], highest_gpu)})
        self.applied_s: float | None = None

    @property
    def is_settling(self) -> bool:
        """Whether a mode was set so lately that its measurement has not begun."""
        return self.applied_s is None or self.clock.now() - self.applied_s < self.settle_s

    def current_mode(self) -> PowerMode:
        values = self._running_helper().ask("status")["mode"]
        return PowerMode(**values)

    def snapshot(self) -> None:
        if self._event.kind == "full disk":  # It has to be full before anything is saved to make a difference.
            self._event.comes("before the first mode")
        super().snapshot()

    def apply(self, mode: Mapping[str, int]) -> PowerMode:
        read = super().apply(mode)
        self.applied_s = self.clock.now()
        return read

    def read_power(self) -> PowerReading:
        if self._event.is_due("exception in our own code") and self._event.moment == "during validation":
            raise ArithmeticError("a mistake of ours, in the thread that samples")
        return super().read_power()

    def restore(self) -> None:
        if self._event.comes("restoring") and self._event.kind == "exception in our own code":
            raise ArithmeticError("a mistake of ours")
        super().restore()

    def minibatch_ended(self) -> None:
        if self._event.is_due("exception in our own code") and self._event.moment == "locked":
            raise DeviceError("a mistake of ours")
