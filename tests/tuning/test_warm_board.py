"""A board that draws more as it warms: the choice keeps the limit for good, and without leakage it is the usual one."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from drifting import Proportional
from fakes import arguments
from leaking import Leaking
from watching import train

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.boards import IntArray, PowerMode
from lightning_powertrain.devices import Health
from lightning_powertrain.prediction import Prediction
from lightning_powertrain.profiling import Measurement
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Observer, Phase
from lightning_powertrain.tuning.observers import Progress

LIMITS_W = [20.0, 22.0, 24.0, 25.0, 27.0, 28.0, 29.0, 30.0]
ALLOWED_W = 0.5


class Sure(Proportional):
    """Gives intervals, as a hard limit asks for."""

    def predict(self, modes: IntArray) -> Prediction:
        known = super().predict(modes)
        return replace(known, power_low_w=0.98 * known.power_w, power_high_w=1.02 * known.power_w)


def locked(device: Leaking, limit_w: float, **settings: object) -> PowerMode:
    given = arguments(predictor=Sure(), adapt=False, **settings)
    tuner = Tuner(limit_w, device=device, max_modes=10, verbose=False, **given)
    tuner.start()
    train(tuner)
    assert tuner.phase is Phase.LOCKED
    mode = device.current_mode()
    tuner.stop()
    return mode


def excess_w(device: Leaking, limit_w: float) -> float:
    return device.settled_w(locked(device, limit_w)) - limit_w


def test_without_a_temperature_some_choices_cross_the_limit_once_the_board_is_warm() -> None:
    worst_w = max(excess_w(Leaking(shows_temperature=False), limit_w) for limit_w in LIMITS_W)
    assert worst_w > ALLOWED_W


@pytest.mark.parametrize("limit_w", LIMITS_W)
def test_a_choice_near_the_limit_foresees_the_warm_board(limit_w: float) -> None:
    device = Leaking()
    mode = locked(device, limit_w)
    assert device.settled_w(mode) <= limit_w + ALLOWED_W
    # What leakage costs: no more time than the fastest mode takes that stays within the limit by the noise of a window.
    assert device.time_ms(mode) <= device.time_ms(device.best(limit_w - 0.6)) * 1.001


@pytest.mark.parametrize("limit_w", LIMITS_W)
def test_where_nothing_leaks_the_choice_is_the_same_as_without_a_temperature(limit_w: float) -> None:
    device, blind = Leaking(leakage_w=0.0), Leaking(leakage_w=0.0, shows_temperature=False)
    mode, usual = locked(device, limit_w), locked(blind, limit_w)
    # Some modes are equals.
    assert (device.time_ms(mode), device.settled_w(mode)) == (blind.time_ms(usual), blind.settled_w(usual))


@pytest.mark.parametrize("shown_c", [50.0, math.nan, math.inf, -256.0])
@pytest.mark.parametrize("limit_w", [14.0, 18.0])
def test_a_stuck_or_impossible_temperature_is_ignored(
    monkeypatch: pytest.MonkeyPatch, shown_c: float, limit_w: float
) -> None:
    stuck, blind = Leaking(), Leaking(shows_temperature=False)
    monkeypatch.setattr(stuck, "health", lambda: Health(temperature_c=shown_c))
    assert locked(stuck, limit_w) == locked(blind, limit_w)
    assert stuck.clock.now() == pytest.approx(blind.clock.now())


def test_windows_carry_the_temperature() -> None:
    device = Leaking()
    tuner = Tuner(
        "energy", device=device, max_modes=5, verbose=False, options=ProfilingOptions(predictor=Proportional())
    ).start()
    train(tuner)
    assert tuner.profile is not None
    measured_c = [each.temperature_c for each in tuner.profile.measurements]
    assert all(each is not None and 25 < each < 70 for each in measured_c)
    assert len(set(measured_c)) == len(measured_c)
    tuner.stop()


@pytest.mark.parametrize("limit_w", [20.0, 25.0])
def test_a_hard_limit_is_kept_by_the_warm_board(limit_w: float) -> None:
    device = Leaking()
    mode = locked(device, limit_w, hard_limit=True)
    assert device.settled_w(mode) <= limit_w + ALLOWED_W


def test_a_short_job_does_not_wait_for_the_board_to_warm() -> None:
    device = Leaking()
    tuner = Tuner(
        28.0, device=device, max_modes=10, verbose=False, options=ProfilingOptions(predictor=Sure(), adapt=False)
    ).start(seconds=600)
    train(tuner)
    assert device.clock.now() < 60
    tuner.stop()


@pytest.mark.parametrize("objective", ["energy", "20 ms", None])
def test_only_a_power_limit_waits_for_the_board_to_warm(objective: str | None) -> None:
    device = Leaking()
    tuner = Tuner(
        objective, device=device, max_modes=10, verbose=False, options=ProfilingOptions(predictor=Sure(), adapt=False)
    ).start()
    train(tuner)
    assert device.clock.now() < 60
    tuner.stop()


def test_a_warmed_mode_stands_once_in_the_profile_and_as_measured() -> None:
    device = Leaking()
    tuner = Tuner(
        31.0, device=device, max_modes=10, verbose=False, options=ProfilingOptions(predictor=Sure(), adapt=False)
    ).start()
    train(tuner)
    assert tuner.profile is not None
    assert tuner.outcome is not None
    selection = tuner.outcome.selection
    (measured,) = [each for each in tuner.profile.measurements if each.mode == selection.mode]
    assert selection.measured == measured
    assert measured.temperature_c is not None
    assert measured.temperature_c > 35
    tuner.stop()


class Counts(Observer):
    """Keeps how far profiling was, measurement by measurement."""

    def __init__(self) -> None:
        self.kept: list[tuple[int, int]] = []

    def measured(self, measurement: Measurement, progress: Progress) -> None:
        self.kept.append((progress.done, progress.total))


@pytest.mark.parametrize("limit_w", [20.0, 22.0])
def test_modes_that_a_warm_board_needs_are_counted_on(limit_w: float) -> None:
    counts = Counts()
    locked(Leaking(), limit_w, observers=[counts])
    assert [done for done, _ in counts.kept] == list(range(len(counts.kept)))
    assert all(done <= total for done, total in counts.kept)
