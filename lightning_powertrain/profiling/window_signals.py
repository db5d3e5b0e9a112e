"""Collects the free signals of a measurement window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from lightning_powertrain.devices import BaseDevice, CpuTimes, Interval, Pollers
from lightning_powertrain.logs import log_swallowed
from lightning_powertrain.profiling.signals import Signals
from lightning_powertrain.profiling.window_statistics import is_inside

T = TypeVar("T")


class SignalCollector:
    """The signals from the start of a window to its end. Nothing that fails here fails the window.

    Args:
        device: The board.
        pollers: Sample its power and its load.
    """

    def __init__(self, device: BaseDevice, pollers: Pollers) -> None:
        self._device = device
        self._pollers = pollers
        self._start_s = device.clock.now()
        self._before = self._cpu_times()

    def signals(self, kept: Sequence[Interval], is_whole: bool) -> Signals:
        """The signals of a window that ends now.

        Args:
            kept: The intervals of the window that count.
            is_whole: Whether these are all its intervals. CPU times are counted from end to end, so that they would
                include whatever interrupted the others.
        """
        end_s = self._device.clock.now()
        after = self._cpu_times()
        rails = _inside(kept, self._pollers.power.rails_between(self._start_s, end_s))
        loads = _inside(kept, self._pollers.load.between(self._start_s, end_s))
        minibatches = sum(each.minibatches for each in kept)
        return Signals(
            rails_w=_mean_rails([rails_w for rails_w in rails if rails_w]),
            cores_busy=self._cores_busy(after, end_s - self._start_s) if is_whole else {},
            gpu_load=_mean([load.gpu for load in loads]),
            emc_active_hz=_mean([load.emc_active_hz for load in loads]),
            process_ms=_spent_ms(self._before.process_s, after.process_s, minibatches) if is_whole else None,
            children_ms=_spent_ms(self._before.children_s, after.children_s, minibatches) if is_whole else None,
            data_wait_ms=_wait_ms(kept, minibatches),
        )

    def _cpu_times(self) -> CpuTimes:
        try:
            return self._device.read_cpu_times()
        except Exception as error:
            log_swallowed("reading CPU times", error)
            return CpuTimes()

    def _cores_busy(self, after: CpuTimes, seconds: float) -> dict[int, float]:
        before = self._before.cores_s
        if seconds <= 0:
            return {}
        busy = {core: (spent_s - before[core]) / seconds for core, spent_s in after.cores_s.items() if core in before}
        return {core: min(max(share, 0.0), 1.0) for core, share in sorted(busy.items())}


def _inside(kept: Sequence[Interval], samples: Sequence[tuple[float, T]]) -> list[T]:
    """The samples that fall into one of the intervals, or all if none does."""
    inside = is_inside(kept, [at_s for at_s, _ in samples])
    chosen = [value for (_, value), counts in zip(samples, inside) if counts]
    return chosen or [value for _, value in samples]


def _mean_rails(readings: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean power of the rails that are in every reading."""
    common = [name for name in (readings[0] if readings else {}) if all(name in each for each in readings)]
    return {name: sum(each[name] for each in readings) / len(readings) for name in common}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _spent_ms(before_s: float | None, after_s: float | None, minibatches: int) -> float | None:
    if before_s is None or after_s is None or after_s < before_s:
        return None
    return (after_s - before_s) / minibatches * 1e3


def _wait_ms(kept: Sequence[Interval], minibatches: int) -> float | None:
    waits_s = [each.waited_s for each in kept if each.waited_s is not None]
    return sum(waits_s) / minibatches * 1e3 if len(waits_s) == len(kept) else None
