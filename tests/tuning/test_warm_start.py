"""A session that begins with earlier measurements: what it spares, and when it drops them."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Callable, Tuple

import pytest
from fakes import TINY, FakeDevice, Oracle, arguments, true_power_w, true_time_ms
from hypothesis import given
from hypothesis import strategies as st
from watching import Recorder, train

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.boards import IntArray, PowerMode
from lightning_powertrain.devices import PowerReading, SimulatedDevice
from lightning_powertrain.prediction import Prediction
from lightning_powertrain.profiling import Measurement, Profile, Provenance, sensor_noise
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import History, Observer, Phase

BruteForce = Callable[[float], Tuple[float, float]]


class Changed(FakeDevice):
    """The tiny board, on which everything takes longer or more power than it did; or only some modes do."""

    def __init__(
        self, time: float = 1.0, power: float = 1.0, which: Callable[[PowerMode], bool] = lambda mode: True
    ) -> None:
        super().__init__()
        self.time, self.power, self.which = time, power, which

    def read_power(self) -> PowerReading:
        watts = super().read_power().total_w * (self.power if self.which(self.mode) else 1.0)
        return PowerReading(watts, {})

    def minibatch_ended(self) -> None:
        before_s = self.clock.now()
        super().minibatch_ended()
        if self.which(self.mode):
            self.clock.advance((self.time - 1) * (self.clock.now() - before_s))


class Learning(Oracle):
    """Knows the shape of the tiny board, and takes the scale from the last mode that it is fit on."""

    def predict(self, modes: IntArray) -> Prediction:
        assert self.fitted is not None
        row, last = self.fitted.modes[-1:], self.fitted.measurements[-1]
        time, power = last.time_ms / float(true_time_ms(row)[0]), last.power_w / float(true_power_w(row)[0])
        return Prediction(true_time_ms(modes) * time, true_power_w(modes) * power, 0.0, 0.0)


def run(device: FakeDevice, budget: str | None = "13 W", history: History | None = None, **options: object) -> Tuner:
    """A tuner that has come to its end; the board is restored."""
    usual: dict[str, object] = {"predictor": Learning(), "max_modes": 8}
    length = options.pop("minibatches", None)
    tuner = Tuner(budget, device=device, verbose=False, **arguments(**{**usual, **options})).start(minibatches=length)
    if history is not None:
        tuner.warm_start(history)
    train(tuner)
    return tuner


def profile_of(device: FakeDevice | None = None, budget: str | None = "13 W", **options: object) -> Profile:
    tuner = run(device or FakeDevice(), budget, **options)
    tuner.stop()
    assert tuner.profile is not None
    return tuner.profile


def kept(tuner: Tuner) -> tuple[float, float]:
    assert tuner.outcome is not None
    measured = tuner.outcome.selection.measured
    assert measured is not None
    assert measured.mode not in tuner.outcome.reused, "what stays was measured in this job"
    return pytest.approx((measured.time_ms, measured.power_w))  # type: ignore[no-any-return]


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_second_run_starts_in_the_best_mode_and_measures_it_once(
    device: FakeDevice, brute_force: BruteForce, caplog: pytest.LogCaptureFixture
) -> None:
    first = profile_of()
    recorder = Recorder()
    tuner = Tuner(
        "13 W",
        device=device,
        max_modes=8,
        verbose=False,
        options=ProfilingOptions(predictor=Learning(), observers=[recorder]),
    ).start()
    tuner.warm_start(History(first))
    assert device.applied == [device.mode]
    used = train(tuner)
    assert brute_force(13.0) == kept(tuner)
    window_s = used * tuner.outcome.selection.time_ms / 1e3  # type: ignore[union-attr]
    assert window_s < 2.0 + 1.0 + 11 * 0.02, "one window, the time to settle, and the warm-up"
    assert len(device.applied) == 1
    assert recorder.phases == [Phase.WARMING_UP, Phase.VERIFYING, Phase.DECIDING, Phase.LOCKED]
    assert recorder.progress == []
    assert tuner.outcome is not None
    assert len(tuner.outcome.reused) == len({each.mode for each in first.measurements}) - 1
    assert tuner.outcome.measured_now == (tuner.outcome.selection.measured,)
    assert tuner.outcome.selection.start.mode == device.found
    assert {each.mode for each in tuner.outcome.profile.measurements} == {each.mode for each in first.measurements}
    assert tuner.outcome.profile.provenance.details["reused_from"] == "an earlier run"
    tuner.stop()
    assert device.mode == device.found
    assert warnings_of(caplog) == []


@pytest.mark.parametrize("limit_w", [8.0, 11.0, 17.0])
def test_another_budget_is_served_from_the_same_profile(
    device: FakeDevice, brute_force: BruteForce, limit_w: float
) -> None:
    tuner = run(device, f"{limit_w} W", History(profile_of()))
    assert brute_force(limit_w) == kept(tuner)
    assert len(device.applied) <= 3
    tuner.stop()


def test_what_was_broken_off_goes_on_where_it_was(device: FakeDevice, brute_force: BruteForce) -> None:
    whole = profile_of()
    half = replace(whole, measurements=whole.measurements[:5])
    tuner = run(device, history=History(half, finished=False))
    assert brute_force(13.0) == kept(tuner)
    assert not {each.mode for each in half.measurements} & set(device.applied)
    assert tuner.profile is not None
    assert {each.mode for each in tuner.profile.measurements} == {each.mode for each in whole.measurements}
    tuner.stop()


@pytest.mark.parametrize(
    ("before", "now", "more"), [(8, 8, 0), (8, 5, 0), (5, 12, 1), ("auto", "auto", 0), ("auto", 40, 0)]
)
def test_who_asks_for_more_modes_measures_the_rest(
    device: FakeDevice, before: int | str, now: int | str, more: int
) -> None:
    known = profile_of(max_modes=before)
    tuner = run(device, history=History(known), max_modes=now)
    assert tuner.outcome is not None
    assert more <= len(tuner.outcome.measured_now) - 1 <= more + 1
    tuner.stop()


def test_a_job_too_short_to_measure_anything_is_served_all_the_same(
    device: FakeDevice, brute_force: BruteForce, caplog: pytest.LogCaptureFixture
) -> None:
    tuner = run(device, history=History(profile_of()), minibatches=300)
    assert brute_force(13.0) == kept(tuner)
    assert warnings_of(caplog) == []
    tuner.stop()


# When it no longer holds.


@pytest.mark.parametrize("change", [{"time": 1.3}, {"power": 0.8}, {"time": 0.7, "power": 1.2}])
@pytest.mark.parametrize("finished", [True, False])
def test_a_board_that_is_not_as_it_was_is_measured_anew(
    change: dict[str, float], finished: bool, caplog: pytest.LogCaptureFixture
) -> None:
    known = profile_of()
    device = Changed(**change)
    tuner = run(device, history=History(known, finished=finished))
    fresh = run(Changed(**change))
    assert kept(fresh) == kept(tuner).expected
    assert tuner.outcome is not None
    assert tuner.outcome.reused == frozenset()
    assert tuner.profile is not None
    assert len(tuner.profile.besides(tuner.outcome.selection.start)) >= 7
    assert tuner.profile.time_ms == pytest.approx(
        true_time_ms(tuner.profile.modes) * change.get("time", 1.0), rel=1e-6
    ), "nothing of what was known is left"
    assert "reused_from" not in tuner.profile.provenance.details
    (message,) = warnings_of(caplog)
    assert "the measurements of an earlier run no longer hold" in message
    assert "from the earlier run" in message
    tuner.stop()
    assert device.mode == device.found


@pytest.mark.parametrize("change", [{"time": 1.08}, {"power": 0.93}])
def test_a_little_off_is_no_contradiction(change: dict[str, float], caplog: pytest.LogCaptureFixture) -> None:
    device = Changed(**change)
    tuner = run(device, "energy", History(profile_of(budget="energy")))
    assert len(device.applied) <= 2
    assert warnings_of(caplog) == []
    tuner.stop()


def test_a_known_mode_that_no_longer_meets_the_budget_is_not_kept(caplog: pytest.LogCaptureFixture) -> None:
    known = profile_of()
    best = run(FakeDevice()).outcome.selection.mode  # type: ignore[union-attr]
    device = Changed(power=1.07, which=lambda mode: mode == best)
    tuner = run(device, history=History(known))
    assert tuner.outcome is not None
    assert tuner.outcome.selection.mode != best
    assert tuner.outcome.selection.is_confirmed
    assert warnings_of(caplog) == []
    tuner.stop()


def test_a_start_that_was_never_measured_is_compared_with_what_is_to_be_expected_of_it(
    caplog: pytest.LogCaptureFixture, brute_force: BruteForce
) -> None:
    known = profile_of()
    for device, complaints in ((FakeDevice(), 0), (Changed(time=1.4), 1)):
        device.found = device.mode = next(
            mode
            for mode in map(TINY.modes.mode, range(len(TINY.modes)))
            if mode not in {each.mode for each in known.measurements}
        )
        tuner = run(device, history=History(known))
        assert len(warnings_of(caplog)) == complaints
        if not complaints:
            assert brute_force(13.0) == kept(tuner)
            assert len(device.applied) <= 2
        tuner.stop()


def test_what_is_of_another_board_is_left_aside(device: FakeDevice, caplog: pytest.LogCaptureFixture) -> None:
    known = profile_of()
    for other in (
        replace(known, provenance=replace(known.provenance, board="large")),
        replace(known, provenance=replace(known.provenance, simulated=False)),
        replace(known, knobs=known.knobs[::-1]),
    ):
        caplog.clear()
        tuner = run(device, history=History(other))
        assert tuner.outcome is not None
        assert tuner.outcome.reused == frozenset()
        assert "are of another board: profiling starts over" in caplog.text
        tuner.stop()


def test_a_mode_in_which_the_board_throttled_before_is_still_avoided(device: FakeDevice) -> None:
    hot = run(FakeDevice()).outcome.selection.mode  # type: ignore[union-attr]
    was_hot = FakeDevice()
    was_hot.is_hot = lambda mode: mode == hot
    known = profile_of(was_hot)
    assert hot in known.throttling_modes
    tuner = run(device, history=History(known))
    assert hot not in device.applied
    assert tuner.outcome is not None
    assert tuner.outcome.selection.mode != hot
    tuner.stop()


def test_a_board_that_throttles_now_where_it_did_not_before_is_served_another_mode(
    device: FakeDevice, caplog: pytest.LogCaptureFixture
) -> None:
    known = profile_of()
    hot = run(FakeDevice()).outcome.selection.mode  # type: ignore[union-attr]
    device.is_hot = lambda mode: mode == hot
    tuner = run(device, history=History(known))
    assert tuner.outcome is not None
    assert tuner.outcome.selection.mode != hot
    assert tuner.outcome.selection.measured not in known.measurements
    tuner.stop()


MODES = [TINY.modes.mode(index) for index in range(len(TINY.modes))]


@given(
    modes=st.lists(st.sampled_from(MODES), unique=True, max_size=30),
    limit_w=st.floats(6.0, 20.0),
    finished=st.booleans(),
    asked=st.sampled_from([3, 8, 20, "auto"]),
)
def test_whatever_is_known_the_choice_is_measured_now_and_as_good_as_by_trying_all(
    modes: list[PowerMode], limit_w: float, finished: bool, asked: int | str
) -> None:
    device = FakeDevice()
    rows = TINY.modes.rows(modes)
    known = Profile(TINY.knobs, Provenance("tiny", "toy", True)).with_measurements(
        Measurement(mode, float(time_ms), float(power_w), minibatches=40)
        for mode, time_ms, power_w in zip(modes, true_time_ms(rows), true_power_w(rows))
    )
    tuner = run(device, f"{limit_w} W", History(known, finished=finished), max_modes=asked)
    times, powers = true_time_ms(TINY.modes.array), true_power_w(TINY.modes.array)
    best_ms = times[powers * (1 + sensor_noise(powers)) <= limit_w].min()
    time_ms, power_w = kept(tuner).expected
    assert power_w <= limit_w
    assert time_ms <= best_ms * 1.011
    tuner.stop()
    assert device.mode == device.found


# A budget that is never to be exceeded.


class Watch(Observer):
    """The largest power that the board was ever set to."""

    def __init__(self, device: SimulatedDevice) -> None:
        self.device = device
        self.most_w = 0.0
        apply = device.apply

        def watched(mode: Mapping[str, int]) -> PowerMode:
            read = apply(mode)
            other = SimulatedDevice("orin-agx-64gb", device.workload)
            other.apply(mode)
            for _ in range(60):
                other.minibatch_ended()
            self.most_w = max(self.most_w, other.read_power().total_w)
            return read

        device.apply = watched  # type: ignore[method-assign]


def test_what_is_known_never_leads_above_a_hard_budget(caplog: pytest.LogCaptureFixture) -> None:
    soft = Tuner("30 W", device=SimulatedDevice("orin-agx-64gb", "mobilenetv3"), max_modes=20, verbose=False)
    train(soft.start(minibatches=100_000, prefetched=8))
    assert soft.profile is not None
    assert max(soft.profile.power_w) > 25.0
    device = SimulatedDevice("orin-agx-64gb", "mobilenetv3", seed=3)
    watch = Watch(device)
    tuner = Tuner("20 W", device=device, hard_limit=True, verbose=False).start(minibatches=100_000, prefetched=8)
    tuner.warm_start(History(soft.profile))
    assert device.current_mode() == device.modes.mode(0)
    used = train(tuner)
    assert watch.most_w <= 20.5
    assert tuner.outcome is not None
    assert tuner.outcome.selection.is_confirmed
    assert tuner.outcome.selection.mode not in tuner.outcome.reused
    alone = Tuner(
        "20 W", device=SimulatedDevice("orin-agx-64gb", "mobilenetv3", seed=3), hard_limit=True, verbose=False
    )
    assert used < 0.6 * train(alone.start(minibatches=100_000, prefetched=8))
    assert alone.outcome is not None
    # Few measurements near the limit leave the bound wide, and the search ends before it has come as close to it.
    assert tuner.outcome.selection.cost < 1.15 * alone.outcome.selection.cost
    for each in (soft, tuner, alone):
        each.stop()
    assert warnings_of(caplog) == []
