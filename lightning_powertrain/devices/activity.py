"""What a board does besides drawing power: how busy its GPU, its memory and its cores are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Load:
    """How busy a board is at one instant; None where the board does not show it.

    Args:
        gpu: Share of the time in which the GPU runs kernels, from 0 to 1.
        emc_active_hz: Cycles of the memory controller (EMC) that move data, per second.
    """

    gpu: float | None = None
    emc_active_hz: float | None = None


@dataclass(frozen=True)
class CpuTimes:
    """CPU seconds since an arbitrary start. They never decrease, so that two readings give what was used in between.

    Args:
        cores_s: Seconds in which each online core was busy, by its number; empty if not known.
        process_s: CPU seconds of this process, all threads together; None if not known.
        children_s: CPU seconds of its child processes, such as the workers of a data loader; None if not known.
    """

    cores_s: Mapping[int, float] = field(default_factory=dict, hash=False)
    process_s: float | None = None
    children_s: float | None = None
