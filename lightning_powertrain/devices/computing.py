"""What computing beside a job costs: the job stands still meanwhile, on a real board and on a simulated one."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from lightning_powertrain.boards import ModeSpace, PowerMode


@runtime_checkable
class ChargesComputing(Protocol):
    """A device whose clock does not move while this process computes, so that it has to be told."""

    def computing(self) -> AbstractContextManager[None]:
        """Charges the clock of the device with what the body computes. May be nested."""
        ...


def charged(device: object) -> Callable[[], AbstractContextManager[None]]:
    """Gives a context that charges what its body computes to the clock of a device, where that is needed."""
    return device.computing if isinstance(device, ChargesComputing) else nullcontext


@dataclass(frozen=True)
class ComputingCost:
    """How long one core of a simulated board takes for what this computer computes.

    Args:
        factor: Seconds that a core at its highest clock takes for a CPU second of this computer; 0 charges nothing,
            which makes simulations repeatable to the last digit.
        cpu_s: Gives the CPU seconds that the calling thread has used so far.
    """

    factor: float = 3.0
    cpu_s: Callable[[], float] = time.thread_time

    def seconds(self, cpu_s: float, modes: ModeSpace, mode: PowerMode) -> float:
        """Seconds that ``mode`` takes for so many CPU seconds of this computer."""
        return cpu_s * self.factor / core_speed(modes, mode)


def core_speed(modes: ModeSpace, mode: PowerMode) -> float:
    """Clock of the fastest CPU core in a mode over that in the highest mode; 1 without a knob for it."""
    clocks = [knob for knob in modes.knobs if knob.role == "cpu"]
    if not clocks:
        return 1.0
    return max(mode[knob.name] for knob in clocks) / max(knob.values[-1] for knob in clocks)
