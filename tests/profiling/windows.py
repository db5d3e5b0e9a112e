"""Measures made-up minibatches in windows, on a virtual clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fakes import FakeDevice

from lightning_powertrain.devices import Interval, Pollers
from lightning_powertrain.profiling import Measurement, UsualPauses, Window, WindowPlan, measure


def run(
    device: FakeDevice,
    plan: WindowPlan,
    seconds: Sequence[float],
    dirty: Sequence[bool] = (),
    tail_s: float = 0.0,
    cycle: int = 1,
) -> tuple[Measurement, int]:
    """The measurement of intervals of these lengths (repeated for ever), and how many it took."""
    pollers = Pollers(device)
    pollers.start()
    synchronized_s = []

    def synchronize() -> None:
        synchronized_s.append(device.clock.now())
        device.clock.advance(tail_s)

    steps = measure(lambda: Window(device, pollers, device.mode, plan, synchronize), UsualPauses())
    window = next(steps)
    for count in range(100_000):
        start_s = device.clock.now()
        device.clock.advance(seconds[count % len(seconds)])
        clean = not (dirty and dirty[count % len(dirty)])
        if window.add(Interval(start_s, device.clock.now(), cycle, clean)):
            try:
                window = next(steps)
            except StopIteration as done:
                pollers.stop()
                assert synchronized_s[1:] == [device.clock.now() - tail_s], "synchronised inside the window"
                return done.value, count + 1
    raise AssertionError("the window never closed")


def sent(
    device: FakeDevice, plan: WindowPlan, seconds: Callable[[int], float], pauses: UsualPauses | None = None
) -> tuple[Measurement, int]:
    """The measurement of intervals of which each may take another time, and how many it took."""
    pollers = Pollers(device)
    pollers.start()
    steps = measure(lambda: Window(device, pollers, device.mode, plan, lambda: None), pauses or UsualPauses())
    window = next(steps)
    for count in range(100_000):
        start_s = device.clock.now()
        device.clock.advance(seconds(count))
        if window.add(Interval(start_s, device.clock.now())):
            try:
                window = next(steps)
            except StopIteration as done:
                pollers.stop()
                return done.value, count + 1
    raise AssertionError("the window never closed")
