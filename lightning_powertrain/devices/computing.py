"""What computing beside a job costs: training waits meanwhile, on a real board and on a simulated one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from lightning_powertrain.boards import ModeSpace, PowerMode


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
