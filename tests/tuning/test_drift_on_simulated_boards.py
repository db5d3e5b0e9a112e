"""Drifts on simulated boards, whose physics shares nothing with the predictor."""

from __future__ import annotations

import numpy as np
import pytest
from fakes import arguments
from watching import Watcher, go_on, train

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import SimulatedDevice
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Outcome, Phase

# Simulated boards: their physics knows nothing of what the predictor believes.


def simulated(device: SimulatedDevice, budget: str, **settings: bool) -> tuple[Tuner, Watcher]:
    watcher = Watcher()
    given = arguments(observers=[watcher], **settings)
    tuner = Tuner(budget, device=device, max_modes=12, verbose=False, **given).start()
    train(tuner)
    return tuner, watcher


def locked(tuner: Tuner) -> Outcome:
    assert tuner.outcome is not None
    return tuner.outcome


def test_simulated_workload_that_changes_halfway() -> None:
    device = SimulatedDevice("orin-agx-64gb", "resnet18")
    tuner, watcher = simulated(device, "30 W")
    go_on(tuner, device, 600)
    assert watcher.drifts == []
    device.workload = "mobilenetv3"
    before = device.current_mode()
    go_on(tuner, device, 1200)
    assert len(watcher.drifts) == 1
    selection = locked(tuner).selection
    assert selection.measured is not None
    assert selection.measured.time_ms < 0.85 * watcher.drifts[0].now.time_ms, "a faster mode was found"
    assert selection.mode == device.current_mode() != before
    assert device.read_power().total_w <= 30.5
    tuner.stop()


def test_simulated_board_on_a_hot_day_stops_throttling() -> None:
    device = SimulatedDevice("orin-agx-64gb", "resnet18", ambient_c=80.0)
    tuner, watcher = simulated(device, "60 W")
    too_fast = device.current_mode()
    go_on(tuner, device, 900)
    assert device.current_mode() != too_fast
    assert watcher.drifts[0].sign == "throttling"
    throttled = 0
    for _ in range(5000):
        tuner.minibatch_ended()
        throttled += device.throttled
    assert throttled == 0
    assert too_fast in locked(tuner).profile.throttling_modes
    tuner.stop()


def test_simulated_hard_budget_is_kept_while_correcting() -> None:
    device = SimulatedDevice("orin-agx-64gb", "resnet18")
    tuner, watcher = simulated(device, "20 W", hard_limit=True)
    device.workload = "mobilenetv3"
    modes: dict[PowerMode, list[float]] = {}
    end_s = device.clock.now() + 1500
    while device.clock.now() < end_s and tuner.phase is not Phase.CLOSED:
        tuner.minibatch_ended()
        modes.setdefault(device.current_mode(), []).append(device.read_power().total_w)
    assert watcher.drifts
    assert max(float(np.median(watts)) for watts in modes.values()) <= 20.5
    tuner.stop()


@pytest.mark.parametrize("seed", [0, 1])
def test_simulated_noise_is_no_drift(seed: int) -> None:
    device = SimulatedDevice("orin-agx-64gb", "mobilenetv3", seed=seed)
    tuner, watcher = simulated(device, "25 W")
    go_on(tuner, device, 2 * 3600)
    assert watcher.drifts == []
    tuner.stop()
