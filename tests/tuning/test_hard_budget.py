"""A hard budget in a job: the board is never set to a mode above it, not even for the first minibatch."""

from __future__ import annotations

import pytest
from watching import train

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.devices import SimulatedDevice
from lightning_powertrain.errors import BudgetError
from lightning_powertrain.profiling import Measurement
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Observer, Phase, Progress


class Watch(Observer):
    def __init__(self, device: SimulatedDevice) -> None:
        self.device = device
        self.seen_w: list[float] = []

    def measured(self, measurement: Measurement, progress: Progress) -> None:
        self.seen_w.append(measurement.power_w)


def test_no_minibatch_runs_above_a_hard_budget() -> None:
    device = SimulatedDevice("orin-agx-64gb", "mobilenetv3")
    found = device.current_mode()
    watch = Watch(device)
    tuner = Tuner(
        "20 W", device=device, hard_limit=True, verbose=False, options=ProfilingOptions(observers=[watch])
    ).start(minibatches=40_000)
    assert device.current_mode() == device.modes.mode(0)
    train(tuner)
    assert tuner.phase is Phase.LOCKED
    assert tuner.outcome is not None
    assert max(watch.seen_w) <= 20.5
    assert tuner.outcome.selection.is_confirmed
    assert tuner.outcome.selection.start.mode == device.modes.mode(0)
    tuner.stop()
    assert device.current_mode() == found


def test_where_only_the_lowest_mode_keeps_a_hard_budget_the_board_stays_there() -> None:
    """It does not go back to the mode that it was found in, which draws more."""
    device = SimulatedDevice("orin-agx-64gb", "resnet18")
    tuner = Tuner("7.3 W", device=device, hard_limit=True, verbose=False).start()
    train(tuner)
    assert tuner.phase is Phase.LOCKED
    assert tuner.outcome is not None
    assert tuner.outcome.selection.mode == device.current_mode()
    assert tuner.outcome.selection.power_w <= 7.3
    tuner.stop()


def test_a_hard_budget_that_nothing_keeps_leaves_the_board_in_its_lowest_mode(caplog: pytest.LogCaptureFixture) -> None:
    device = SimulatedDevice("orin-agx-64gb", "lstm")
    found = device.current_mode()
    tuner = Tuner("3 W", device=device, hard_limit=True, verbose=False).start()
    train(tuner)
    assert tuner.phase is Phase.LOCKED
    assert device.current_mode() == device.modes.mode(0)
    (record,) = caplog.records
    assert "no mode keeps a hard limit of 3 W" in record.getMessage()
    assert "The board stays in that mode" in record.getMessage()
    tuner.stop()
    assert device.current_mode() == found


def test_a_hard_budget_that_nothing_keeps_is_an_error_when_strict() -> None:
    device = SimulatedDevice("orin-agx-64gb", "lstm")
    with pytest.raises(BudgetError, match="no mode keeps a hard limit of 3 W"):
        train(Tuner("3 W", device=device, hard_limit=True, strict=True, verbose=False).start())
