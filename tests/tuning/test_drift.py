"""Jobs that drift after the lock, on a virtual clock: what is noticed, what is done about it, and that it ends."""

from __future__ import annotations

import logging
import math
from dataclasses import replace

import numpy as np
import pytest
from drifting import Changing, Proportional
from fakes import FakeDevice, arguments, true_power_w
from watching import Watcher, go_on, train

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.boards import IntArray
from lightning_powertrain.devices import Health, PowerReading
from lightning_powertrain.errors import DeviceError
from lightning_powertrain.prediction import Prediction
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Correction, Phase

# Of a job whose rest pays for a verification or two, not for a new profile.
SHORT_S = 400.0


def lock(device: Changing, budget: str | None = "12 W", **settings: object) -> tuple[Tuner, Watcher]:
    watcher = Watcher()
    given = arguments(predictor=Proportional(), observers=[watcher], **settings)
    tuner = Tuner(budget, device=device, max_modes=5, verbose=False, **given)
    tuner.start()
    train(tuner)
    device.locked_s = device.clock.now()
    return tuner, watcher


def corrections(tuner: Tuner) -> tuple[Correction, ...]:
    assert tuner.outcome is not None
    return tuner.outcome.corrections


def test_nothing_happens_to_a_job_that_stays_as_it_is() -> None:
    device = Changing()
    tuner, watcher = lock(device)
    applied = len(device.applied)
    go_on(tuner, device, 1500)
    assert watcher.drifts == []
    assert len(device.applied) == applied
    assert tuner.phase is Phase.LOCKED
    tuner.stop()
    assert device.mode == device.found


def test_a_board_that_warms_up_beyond_its_budget_is_set_to_a_mode_within_it_once() -> None:
    powers = true_power_w(FakeDevice().modes.array)
    limit_w = 1.025 * float(powers[powers <= 12].max())
    device = Changing(lambda since_s: (1.0, 1 + 0.08 * (1 - math.exp(-since_s / 200))))
    tuner, watcher = lock(device, f"{limit_w} W")
    before, before_w = device.mode, device.read_power().total_w
    go_on(tuner, device, 1800)
    assert [drift.sign for drift in watcher.drifts] == ["over budget" if before_w > 0.97 * limit_w else "more power"]
    (correction,) = corrections(tuner)
    assert correction.mode == device.mode
    assert device.read_power().total_w <= limit_w
    assert device.mode != before or before_w < 0.92 * limit_w
    tuner.stop()
    assert device.mode == device.found


def test_a_new_phase_of_training_is_noticed_within_minutes() -> None:
    device = Changing(lambda since_s: (1.2, 1.25) if since_s >= 1800 else (1.0, 1.0))
    tuner, watcher = lock(device)
    go_on(tuner, device, 1800)
    assert watcher.drifts == []
    go_on(tuner, device, 300)
    assert len(watcher.drifts) == 1
    assert watcher.drifts[0].time_ratio == pytest.approx(1.2, rel=1e-3)
    assert watcher.drifts[0].power_ratio == pytest.approx(1.25, rel=1e-3)
    assert device.read_power().total_w <= 12.0
    assert tuner.outcome is not None
    measured = tuner.outcome.profile
    times, powers = device.costs_now(measured.modes)
    assert measured.time_ms == pytest.approx(times, rel=1e-3), "older measurements are no part of the outcome"
    assert measured.power_w == pytest.approx(powers, rel=1e-3)
    tuner.stop()


def test_where_no_other_mode_is_better_the_mode_stays_and_the_same_drift_is_not_reported_again() -> None:
    device = Changing(lambda since_s: (1.2, 1.0))
    tuner, watcher = lock(device)
    before = device.mode
    go_on(tuner, device, 1800)
    assert [drift.sign for drift in watcher.drifts] == ["slower"]
    assert [each.action for each in corrections(tuner)] == ["kept"]
    assert device.mode == before
    tuner.stop()


def test_predictions_that_do_not_hold_any_more_are_made_anew() -> None:
    """What moved is another mode's business: the clock of the GPU counts for more, and one factor is wrong."""

    class OtherWork(Changing):
        def read_power(self) -> PowerReading:
            since_s = self.clock.now() - self.locked_s
            extra = 2.0 * (self.mode["cores"] / 2) ** 2 if since_s >= 0 else 0.0
            watts = super().read_power().total_w + extra
            return PowerReading(watts, {})

    device = OtherWork()
    tuner, _ = lock(device)
    go_on(tuner, device, 1200)
    assert corrections(tuner)[0].action == "profiled again"
    assert tuner.outcome is not None
    assert len(tuner.outcome.sampled) >= 10
    assert device.read_power().total_w <= 12.0
    tuner.stop()


@pytest.mark.parametrize(("seconds", "action"), [(None, "profiled again"), (SHORT_S, "chosen again")])
def test_another_kind_of_work_is_profiled_anew_if_the_rest_of_the_job_can_pay_for_it(
    seconds: float | None, action: str
) -> None:
    """Modes tried near the locked one would say nothing of how the new work takes to all others."""
    device = Changing(lambda since_s: (1.5, 0.9))
    tuner = Tuner(
        "12 W", device=device, max_modes=5, verbose=False, options=ProfilingOptions(predictor=Proportional())
    ).start(seconds=seconds)
    train(tuner)
    device.locked_s = device.clock.now()
    go_on(tuner, device, 600)
    assert corrections(tuner)[0].action == action
    tuner.stop()


def test_a_hard_budget_tries_what_is_known_before_it_begins_again_in_the_slowest_modes() -> None:
    class Certain(Proportional):
        def predict(self, modes: IntArray) -> Prediction:
            known = super().predict(modes)
            return replace(known, power_low_w=known.power_w, power_high_w=known.power_w)

    device = Changing(lambda since_s: (1.5, 0.6))
    tuner = Tuner(
        "12 W",
        device=device,
        max_modes=5,
        hard_limit=True,
        verbose=False,
        options=ProfilingOptions(predictor=Certain()),
    ).start()
    train(tuner)
    device.locked_s = device.clock.now()
    go_on(tuner, device, 600)
    assert corrections(tuner)[0].action == "chosen again"
    tuner.stop()


@pytest.mark.parametrize("half_s", [120.0, 400.0, 1000.0, 3000.0])
def test_a_square_wave_does_not_make_it_oscillate(half_s: float) -> None:
    device = Changing(lambda since_s: (1.3, 1.2) if since_s % (2 * half_s) >= half_s else (1.0, 1.0))
    tuner, _ = lock(device)
    times_s: list[float] = []
    end_s = device.clock.now() + 2 * 3600
    while device.clock.now() < end_s and tuner.phase is not Phase.CLOSED:
        tuner.minibatch_ended()
        if len(corrections(tuner)) > len(times_s):
            times_s.append(device.clock.now())
    assert len(times_s) <= 7
    assert all(gap >= 300 * 2**n for n, gap in enumerate(np.diff(times_s)))
    tuner.stop()


def test_a_mode_that_throttles_once_it_is_hot_is_left_for_one_that_does_not() -> None:
    device = Changing()
    device.is_hot = lambda mode: (
        device.clock.now() > device.locked_s + 300 and super(Changing, device).read_power().total_w > 9.0
    )
    tuner, watcher = lock(device)
    before = device.mode
    # While it throttles this board draws what it can get rid of.
    device.factors = lambda since_s: (1.5, 0.75) if device.is_hot(device.mode) else (1.0, 1.0)
    go_on(tuner, device, 1500)
    assert watcher.drifts[0].sign == "throttling"
    assert not device.is_hot(device.mode)
    assert tuner.outcome is not None
    assert before in tuner.outcome.profile.throttling_modes
    assert len(watcher.drifts) <= 3
    tuner.stop()


def test_it_can_be_switched_off() -> None:
    device = Changing(lambda since_s: (1.5, 1.5))
    tuner, watcher = lock(device, adapt=False)
    go_on(tuner, device, 1500)
    assert watcher.drifts == []
    tuner.stop()


def test_the_end_of_a_job_is_not_worth_a_correction() -> None:
    device = Changing(lambda since_s: (1.5, 1.5))
    watcher = Watcher()
    tuner = Tuner(
        "12 W",
        device=device,
        max_modes=5,
        verbose=False,
        options=ProfilingOptions(predictor=Proportional(), observers=[watcher]),
    ).start(minibatches=11_000)
    used, last = train(tuner), 2_700
    for _ in range(11_000 - used - last):
        tuner.minibatch_ended()
    device.locked_s = device.clock.now()
    for _ in range(last):
        tuner.minibatch_ended()
    assert device.clock.now() - device.locked_s > 50  # Three short blocks.
    assert watcher.drifts == []
    tuner.stop()


def test_a_job_that_ends_while_correcting_keeps_the_choice_that_it_trained_in() -> None:
    device = Changing(lambda since_s: (1.0, 1.2))
    tuner, _ = lock(device)
    chosen = device.mode
    while tuner.phase is not Phase.VERIFYING:
        tuner.minibatch_ended()
    tuner.stop()
    assert tuner.outcome is not None
    assert tuner.outcome.selection.mode == chosen
    assert str(chosen) in tuner.status.sentence


def test_a_failure_while_correcting_restores_the_board_and_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    device = Changing(lambda since_s: (1.0, 1.2))
    tuner, _ = lock(device)
    device.fail_after = len(device.applied)
    go_on(tuner, device, 600)
    assert tuner.phase is Phase.CLOSED
    assert device.mode == device.found
    (record,) = caplog.records
    assert "the board refused a write" in record.getMessage()


def test_a_budget_that_cannot_be_met_any_more_is_a_warning_even_under_strict(
    caplog: pytest.LogCaptureFixture,
) -> None:
    device = Changing(lambda since_s: (1.0, 4.0))
    tuner, _ = lock(device, budget="6 W", strict=True)
    go_on(tuner, device, 1800)
    assert tuner.phase is Phase.LOCKED
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    assert "no power mode meets the budget (fastest within 6 W)" in caplog.text
    assert tuner.outcome is not None
    assert device.current_mode() == tuner.outcome.selection.start.mode, "no mode is worth slowing the job down for"
    tuner.stop()


def test_sensors_that_fail_for_a_while_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    device = Changing()
    tuner, watcher = lock(device)

    def broken() -> Health:
        raise DeviceError("no answer")

    monkeypatch.setattr(device, "health", broken)
    go_on(tuner, device, 1800)
    assert watcher.drifts == []
    assert tuner.phase is Phase.LOCKED
    tuner.stop()
