"""Boards that do not obey, and sensors that read wrong: tuning ends, and says so."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import pytest
from drifting import Changing, Proportional
from fakes import FakeDevice, Oracle
from watching import train

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import PowerReading
from lightning_powertrain.errors import DeviceError
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Phase


class Held(FakeDevice):
    """Something holds one or more knobs where they are; every mode that it is asked for is written down."""

    def __init__(self, **held: int) -> None:
        super().__init__()
        self.settle_s = 0.2
        self.held = held
        self.asked: list[PowerMode] = []

    def apply(self, mode: Mapping[str, int]) -> PowerMode:
        self.asked.append(PowerMode(**mode))
        return super().apply({**mode, **self.held})


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("modes", [8, "auto"])
@pytest.mark.parametrize(
    "held", [{"emc_hz": 800_000_000}, {"emc_hz": 200_000_000}, {"cores": 2}, {"gpu_hz": 100_000_000}]
)
def test_a_knob_that_does_not_move_is_left_out_with_one_warning(
    oracle: Oracle, held: dict[str, int], modes: int, caplog: pytest.LogCaptureFixture
) -> None:
    device = Held(**held)
    tuner = Tuner(
        "13 W", device=device, max_modes=modes, verbose=False, options=ProfilingOptions(predictor=oracle, adapt=False)
    ).start()  # type: ignore[arg-type]
    train(tuner, 20_000)
    assert tuner.phase is Phase.LOCKED
    assert tuner.profile is not None
    if modes == 8:
        assert len(tuner.profile) <= 1 + 8 + 5
    elsewhere = [mode for mode in device.asked if any(mode[name] != value for name, value in held.items())]
    assert len(elsewhere) == len(set(elsewhere)) == 2, "asked for twice, and never the same"
    (name, value), (said,) = next(iter(held.items())), messages(caplog)
    assert f"{name} cannot be changed: it was set to {elsewhere[1][name]} and reads back as {value}" in said
    tuner.stop()


def test_the_best_of_the_modes_that_are_left_is_found(oracle: Oracle) -> None:
    device = Held(emc_hz=200_000_000)
    device.found = device.mode = PowerMode(**{**device.found, "emc_hz": 200_000_000})
    tuner = Tuner(
        "13 W", device=device, max_modes=8, verbose=False, options=ProfilingOptions(predictor=oracle, adapt=False)
    ).start()
    train(tuner)
    assert tuner.outcome is not None
    left = [each for each in map(device.modes.mode, range(len(device.modes))) if each["emc_hz"] == 200_000_000]
    assert tuner.outcome.selection.mode in left
    assert len(tuner.outcome.modes) == len(tuner.outcome.forecast.prediction.time_ms) == len(left)
    tuner.stop()


def test_a_mode_that_was_not_reached_once_is_not_asked_for_again(oracle: Oracle) -> None:
    class Once(FakeDevice):
        def apply(self, mode: Mapping[str, int]) -> PowerMode:
            other = {"emc_hz": 200_000_000} if len(self.applied) == 1 else {}
            asked.append(PowerMode(**mode))
            return super().apply({**mode, **other})

    asked: list[PowerMode] = []
    device = Once()
    tuner = Tuner(
        "13 W",
        device=device,
        max_modes=8,
        strict=True,
        verbose=False,
        options=ProfilingOptions(predictor=oracle, adapt=False),
    ).start()
    train(tuner)
    assert tuner.phase is Phase.LOCKED
    assert asked.count(asked[1]) == 1
    tuner.stop()


def test_a_board_that_follows_nothing_ends_tuning(oracle: Oracle, caplog: pytest.LogCaptureFixture) -> None:
    device = Held(**FakeDevice().found)
    tuner = Tuner("13 W", device=device, max_modes=8, verbose=False, options=ProfilingOptions(predictor=oracle)).start()
    train(tuner, 20_000)
    assert tuner.phase is Phase.CLOSED
    assert device.mode == device.found
    assert "since other knobs cannot be changed" in messages(caplog)[-1]


def with_power(read: Callable[[int, float], float]) -> FakeDevice:
    """A board whose n-th reading is something else than its power."""
    device = FakeDevice()
    device.settle_s = 0.2
    true, readings = device.read_power, iter(range(10**9))
    device.read_power = lambda: PowerReading(read(next(readings), true().total_w), {})  # type: ignore[method-assign]
    return device


@pytest.mark.parametrize("budget", ["13 W", "20 ms", "energy", "edp", None])
@pytest.mark.parametrize(
    ("watts", "reason"),
    [
        (7.0, "stuck: it showed exactly 7 W in each of the last 4 power modes"),
        (0.0, "shows 0 W"),
        (-5.0, "shows -5 W"),
        (math.nan, "shows nan W"),
        (math.inf, "shows inf W"),
    ],
)
def test_a_sensor_without_readings_ends_tuning_in_words(
    oracle: Oracle, budget: str | None, watts: float, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    device = with_power(lambda n, true: watts)
    tuner = Tuner(budget, device=device, max_modes=8, verbose=False, options=ProfilingOptions(predictor=oracle)).start()
    train(tuner)
    assert tuner.phase is Phase.CLOSED
    assert device.mode == device.found
    (said,) = messages(caplog)
    assert reason in said


def test_a_sensor_that_gets_stuck_later_ends_tuning_too(oracle: Oracle) -> None:
    device = with_power(lambda n, true: true if n < 25 else 7.0)
    tuner = Tuner(
        "13 W", device=device, max_modes=12, strict=True, verbose=False, options=ProfilingOptions(predictor=oracle)
    ).start()
    with pytest.raises(DeviceError, match="the power sensor is stuck"):
        train(tuner)


@pytest.mark.parametrize("odd", [math.nan, math.inf, 0.0, -100.0, 1e6])
def test_an_odd_reading_now_and_then_changes_nothing(oracle: Oracle, odd: float) -> None:
    device = with_power(lambda n, true: odd if n % 9 == 8 else true)
    sound = with_power(lambda n, true: true)
    chosen = []
    for each in (device, sound):
        tuner = Tuner(
            "13 W", device=each, max_modes=8, strict=True, verbose=False, options=ProfilingOptions(predictor=oracle)
        ).start()
        train(tuner)
        assert tuner.outcome is not None
        chosen.append(tuner.outcome.selection)
        tuner.stop()
    assert chosen[0].mode == chosen[1].mode
    assert chosen[0].power_w == pytest.approx(chosen[1].power_w)


class Dying(Changing):
    """Its sensor may die, and its heat may rise."""

    is_dead = False

    def read_power(self) -> PowerReading:
        if self.is_dead:
            raise DeviceError("the sensor is gone")
        return super().read_power()


def run(device: FakeDevice, tuner: Tuner, seconds: float) -> None:
    end_s = device.clock.now() + seconds
    while device.clock.now() < end_s and tuner.phase is not Phase.CLOSED:
        tuner.minibatch_ended()


def locked(device: FakeDevice, budget: str = "13 W") -> Tuner:
    device.settle_s = 0.2
    tuner = Tuner(
        budget, device=device, max_modes=8, verbose=False, options=ProfilingOptions(predictor=Proportional())
    ).start()
    train(tuner)
    return tuner


def test_a_sensor_that_dies_after_the_lock_is_reported_once(caplog: pytest.LogCaptureFixture) -> None:
    device = Dying()
    tuner = locked(device)
    assert not tuner.watch_is_paused
    device.is_dead = True
    run(device, tuner, 600.0)
    (said,) = messages(caplog)
    assert "can no longer be read (the sensor is gone): the locked mode stays, and is not corrected" in said
    assert tuner.watch_is_paused
    assert tuner.phase is Phase.LOCKED
    device.is_dead = False
    run(device, tuner, 60.0)
    assert not tuner.watch_is_paused
    tuner.stop()


def test_nothing_is_corrected_until_the_sensor_is_back() -> None:
    device = Dying(lambda since_s: (1.3, 1.0))
    tuner = locked(device, "energy")
    device.is_dead = True
    device.locked_s = device.clock.now()
    run(device, tuner, 600.0)
    assert tuner.outcome is not None
    assert tuner.outcome.corrections == ()
    device.is_dead = False
    run(device, tuner, 240.0)
    assert tuner.phase is Phase.LOCKED
    assert [each.drift.sign for each in tuner.outcome.corrections] == ["slower"]
    tuner.stop()


def test_a_budget_that_is_crossed_after_the_lock_is_corrected_within_a_minute() -> None:
    device = Changing()
    tuner = locked(device)
    grown = 1.04 * 13.0 / device.read_power().total_w
    device.factors = lambda since_s: (1.0, grown)
    device.locked_s = device.clock.now()
    run(device, tuner, 60.0)
    assert tuner.outcome is not None
    (correction,) = tuner.outcome.corrections
    assert correction.drift.sign == "over budget"
    assert device.read_power().total_w <= 13.0
    tuner.stop()


def test_a_coarse_sensor_is_not_stuck_where_only_cores_and_cpu_clocks_differ(oracle: Oracle) -> None:
    device = FakeDevice()
    device.settle_s = 0.2
    device.read_power = lambda: PowerReading(device.mode["gpu_hz"] / 4e7, {})  # type: ignore[method-assign]
    tuner = Tuner(
        "13 W", device=device, max_modes=45, strict=True, verbose=False, options=ProfilingOptions(predictor=oracle)
    ).start()
    train(tuner, 20_000)
    assert tuner.phase is Phase.LOCKED
    assert tuner.profile is not None
    clocks = [mode["gpu_hz"] for mode in (each.mode for each in tuner.profile.measurements)]
    assert any(len(set(clocks[row : row + 4])) == 1 for row in range(len(clocks) - 3)), "nothing was tried"
    tuner.stop()
