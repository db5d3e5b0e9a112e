"""What a tuner computes stops the training loop: it is counted, and never done in a slow mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import pytest
from fakes import FakeDevice, Oracle
from threadpoolctl import ThreadpoolController
from watching import train

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.boards import IntArray, PowerMode
from lightning_powertrain.devices import core_speed
from lightning_powertrain.prediction import Prediction
from lightning_powertrain.profiling import Measurement, Profile
from lightning_powertrain.selection import excess_of
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Observer, Progress

_blas = ThreadpoolController().select(user_api="blas")


class Watched(Oracle):
    """Calls back whenever it computes."""

    def __init__(self, call: Callable[[], None]) -> None:
        super().__init__()
        self._call = call

    def fit(self, profile: Profile) -> None:
        super().fit(profile)
        self._call()

    def predict(self, modes: IntArray) -> Prediction:
        self._call()
        sure = super().predict(modes)
        return replace(sure, power_low_w=0.99 * sure.power_w, power_high_w=1.01 * sure.power_w)


class Charged(FakeDevice):
    """A board on which computing takes as many seconds as a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.settle_s = 0.2
        self.fits = 0
        self._computed_s = 0.0

    def compute(self, seconds: float) -> None:
        self._computed_s += seconds
        self.fits += 1

    @contextmanager
    def computing(self) -> Iterator[None]:
        yield
        seconds, self._computed_s = self._computed_s, 0.0
        self.clock.advance(seconds)


class Thinker(Oracle):
    """Takes so many seconds for each fit."""

    def __init__(self, device: Charged, seconds: float) -> None:
        super().__init__()
        self._device = device
        self._seconds = seconds

    def fit(self, profile: Profile) -> None:
        super().fit(profile)
        self._device.compute(self._seconds)


def tuned(seconds: float, *observers: Observer, length: int | None = None) -> tuple[Charged, Tuner]:
    device = Charged()
    predictor = Thinker(device, seconds)
    tuner = Tuner(
        "13 W",
        device=device,
        max_modes=12,
        strict=True,
        verbose=False,
        options=ProfilingOptions(predictor=predictor, observers=observers),
    )
    tuner.start(minibatches=length)
    train(tuner)
    return device, tuner


def test_a_job_takes_longer_by_what_was_computed() -> None:
    quick, without = tuned(0.0)
    slow, tuner = tuned(5.0)
    assert slow.fits == quick.fits >= 2
    assert slow.clock.now() == pytest.approx(quick.clock.now() + 5.0 * slow.fits, abs=0.5)
    assert without.outcome is not None
    assert tuner.outcome is not None
    assert tuner.outcome.profiling_s == pytest.approx(without.outcome.profiling_s + 5.0 * slow.fits, abs=0.5)


def test_a_measurement_holds_nothing_of_what_was_computed() -> None:
    _, without = tuned(0.0)
    _, tuner = tuned(5.0)
    assert without.profile is not None
    assert tuner.profile is not None
    assert tuner.profile.time_ms == pytest.approx(without.profile.time_ms, rel=1e-6)
    assert tuner.profile.power_w == pytest.approx(without.profile.power_w, rel=1e-6)


def test_what_was_computed_uses_up_the_share_of_the_job() -> None:
    def modes(seconds: float) -> int:
        profile = tuned(seconds, length=10_000)[1].profile
        assert profile is not None
        return len(profile)

    assert modes(60.0) < modes(0.0)


def test_the_time_left_grows_by_what_was_computed() -> None:
    class Watch(Observer):
        def __init__(self) -> None:
            self.left_s: list[float] = []

        def measured(self, measurement: Measurement, progress: Progress) -> None:
            self.left_s.append(progress.seconds_left)

    quick, slow = Watch(), Watch()
    tuned(0.0, quick)
    tuned(20.0, slow)
    assert slow.left_s[8] > 1.2 * quick.left_s[8]


@pytest.mark.parametrize(("budget", "hard"), [("13 W", False), ("13 W", True), ("20 ms", False), ("energy", False)])
def test_nothing_is_computed_with_a_slow_cpu_where_a_fast_one_is_within_the_budget(
    device: FakeDevice, budget: str, hard: bool
) -> None:
    tuner: Tuner
    seen: list[tuple[PowerMode, float]] = []

    def look() -> None:
        profile = tuner.profile
        assert profile is not None
        objective = tuner._config.objective_from(profile.measurements[0])
        within = [each.mode for each in profile.measurements if not excess_of(objective, each.time_ms, each.power_w)]
        seen.append((device.mode, max((core_speed(device.modes, mode) for mode in within), default=0.0)))

    predictor = Watched(look)
    tuner = Tuner(
        budget,
        device=device,
        max_modes=8,
        hard_limit=hard,
        strict=True,
        verbose=False,
        options=ProfilingOptions(predictor=predictor),
    ).start()
    train(tuner)
    assert seen
    assert all(core_speed(device.modes, mode) >= 0.5 * best for mode, best in seen)
    if hard:
        measured = {each.mode: each.power_w for each in tuner.profile.measurements} if tuner.profile else {}
        assert all(measured[mode] <= 13.0 for mode, _ in seen)
    tuner.stop()


class Checking(FakeDevice):
    """Refuses modes that are not in its tables, as a real board does."""

    def apply(self, mode: Mapping[str, int]) -> PowerMode:
        self.modes.index(mode)
        return super().apply(mode)


def test_a_start_mode_outside_the_tables_is_no_obstacle(oracle: Oracle) -> None:
    """No measured mode is within the budget, so that the start mode is the one to compute in."""
    device = Checking()
    device.found = device.mode = PowerMode(**{**device.found, "cpu_khz": 2000000})
    device.modes = device.modes.subset({"cpu_khz": (500000,)})
    tuner = Tuner("5 W", device=device, max_modes=5, verbose=False, options=ProfilingOptions(predictor=oracle)).start()
    train(tuner)
    assert tuner.status.word == "locked"
    tuner.stop()


def test_only_one_thread_of_the_blas_computes_and_afterwards_as_many_as_before(device: FakeDevice) -> None:
    def threads() -> list[int]:
        return [each["num_threads"] for each in _blas.info()]

    seen: list[list[int]] = []
    predictor = Watched(lambda: seen.append(threads()))
    with _blas.limit(limits=2):
        before = threads()
        tuner = Tuner(
            "13 W",
            device=device,
            max_modes=5,
            strict=True,
            verbose=False,
            options=ProfilingOptions(predictor=predictor),
        ).start()
        train(tuner)
        tuner.stop()
        assert threads() == before
    assert 2 in before
    assert seen
    assert all(each == [1] * len(before) for each in seen)
