"""``stop()`` may come at any time, also from an observer and from a signal handler: nothing is set after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from drifting import Changing, Proportional
from fakes import FakeDevice, Oracle
from watching import Recorder, train

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.boards import PowerMode
from lightning_powertrain.profiling import Measurement
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Observer, Phase, Progress

AT_MOST = 20_000


class Stopper(Observer):
    """Stops a tuner at the n-th call of an observer method."""

    def __init__(self, event: str, nth: int) -> None:
        self.tuner: Tuner | None = None
        self.applied_before: int | None = None
        self._left = nth
        setattr(self, event, self._come)

    def _come(self, *facts: Any) -> None:
        self._left -= 1
        if self._left == 0:
            assert self.tuner is not None
            self.tuner.stop()


class Later(Recorder):
    """Records what it receives after it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.late: list[str] = []

    def phase_changed(self, phase: Phase) -> None:
        super().phase_changed(phase)
        if self.closings:
            self.late.append(phase.name)

    def measured(self, measurement: Measurement, progress: Progress) -> None:
        super().measured(measurement, progress)
        if self.closings:
            self.late.append("measured")


EVENTS = [
    *[("phase_changed", nth) for nth in range(1, 7)],
    *[("measured", nth) for nth in (1, 2, 4, 8)],
    *[("selected", 1), ("verified", 1)],
]


@pytest.mark.parametrize(("event", "nth"), EVENTS)
def test_an_observer_may_stop_the_tuner(device: FakeDevice, oracle: Oracle, event: str, nth: int) -> None:
    stopper, later = Stopper(event, nth), Later()
    tuner = stopper.tuner = Tuner(
        "13 W",
        device=device,
        max_modes=7,
        strict=True,
        verbose=False,
        options=ProfilingOptions(predictor=oracle, observers=[stopper, later]),
    )
    tuner.start()
    for _ in range(AT_MOST):
        tuner.minibatch_ended()
        if tuner.phase is Phase.CLOSED:
            break
    switches = len(device.applied)
    for _ in range(500):
        tuner.minibatch_ended()
    assert (device.mode, device.saved, device.restored) == (device.found, None, device.restored)
    assert len(device.applied) == switches
    assert later.closings == 1
    assert later.late == []
    assert later.phases[-1] is Phase.CLOSED


def test_an_observer_may_stop_a_correction(oracle: Oracle) -> None:
    device = Changing(lambda since_s: (1.0, 1.5))
    device.settle_s = 0.2
    stopper = Stopper("drifted", 1)
    tuner = stopper.tuner = Tuner(
        "13 W",
        device=device,
        max_modes=7,
        verbose=False,
        options=ProfilingOptions(predictor=Proportional(), observers=[stopper]),
    ).start()
    train(tuner)
    device.locked_s = device.clock.now()
    train(tuner, AT_MOST * 5) if tuner.phase is not Phase.LOCKED else None
    for _ in range(AT_MOST):
        tuner.minibatch_ended()
    assert tuner.phase is Phase.CLOSED
    assert (device.mode, device.saved) == (device.found, None)


def test_a_tuner_that_an_observer_stopped_may_start_again(device: FakeDevice, oracle: Oracle) -> None:
    stopper = Stopper("measured", 3)
    tuner = stopper.tuner = Tuner(
        "13 W",
        device=device,
        max_modes=7,
        strict=True,
        verbose=False,
        options=ProfilingOptions(predictor=oracle, observers=[stopper]),
    )
    tuner.start()
    train(tuner)
    assert tuner.phase is Phase.CLOSED
    tuner.start()
    train(tuner)
    assert tuner.phase is Phase.LOCKED
    tuner.stop()
    assert device.mode == device.found


class Signalled(FakeDevice):
    """A signal comes in the middle of the n-th switch, when one of two knobs is set."""

    def __init__(self, nth: int) -> None:
        super().__init__()
        self.settle_s = 0.2
        self.nth = nth
        self.handler: Callable[[], None] = lambda: None
        self.is_busy = False

    def apply(self, mode: Mapping[str, int]) -> PowerMode:
        if len(self.applied) + 1 == self.nth:
            self.is_busy = True
            self.mode = PowerMode(**{**self.mode, "cores": mode["cores"]})
            try:
                self.handler()
            finally:
                self.is_busy = False
        return super().apply(mode)

    def restore(self) -> None:
        assert not self.is_busy, "two conversations with the board at once"
        super().restore()


@pytest.mark.parametrize("nth", [1, 3, 8])
def test_a_signal_handler_may_stop_in_the_middle_of_a_switch(oracle: Oracle, nth: int) -> None:
    device = Signalled(nth)
    tuner = Tuner(
        "13 W", device=device, max_modes=7, strict=True, verbose=False, options=ProfilingOptions(predictor=oracle)
    )
    device.handler = tuner.stop
    tuner.start()
    train(tuner)
    assert tuner.phase is Phase.CLOSED
    assert (device.mode, device.saved, device.restored) == (device.found, None, 1)
    assert len(device.applied) == nth


def test_a_signal_handler_that_ends_the_program_leaves_the_board_as_it_was(oracle: Oracle) -> None:
    device = Signalled(3)
    tuner = Tuner("13 W", device=device, max_modes=7, verbose=False, options=ProfilingOptions(predictor=oracle))

    def handler() -> None:
        tuner.stop()
        raise SystemExit(3)

    device.handler = handler
    tuner.start()
    with pytest.raises(SystemExit):
        train(tuner)
    assert (device.mode, device.saved, device.restored) == (device.found, None, 1)


def test_a_signal_handler_may_stop_before_the_first_minibatch_under_a_hard_budget(oracle: Oracle) -> None:
    device = Signalled(1)
    tuner = Tuner(
        "13 W", device=device, hard_limit=True, strict=True, verbose=False, options=ProfilingOptions(predictor=oracle)
    )
    device.handler = tuner.stop
    tuner.start()
    assert tuner.phase is Phase.CLOSED
    assert (device.mode, device.saved) == (device.found, None)


def test_a_stop_in_the_middle_of_a_stop_changes_nothing(oracle: Oracle, device: FakeDevice) -> None:
    tuner = Tuner(
        "13 W", device=device, max_modes=7, strict=True, verbose=False, options=ProfilingOptions(predictor=oracle)
    ).start()
    restore = device.restore

    def interrupted() -> None:
        tuner.stop()
        restore()

    device.restore = interrupted  # type: ignore[method-assign]
    tuner.stop()
    assert device.restored == 1
