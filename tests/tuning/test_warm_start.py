"""A session that begins with earlier measurements: what it spares, and when it drops them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from fakes import TINY, FakeDevice, true_power_w, true_time_ms
from hypothesis import given
from hypothesis import strategies as st
from warm_runs import BruteForce, Learning, kept, profile_of, run, warnings_of
from watching import Recorder, train

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import SimulatedDevice
from lightning_powertrain.profiling import Measurement, Profile, Provenance, sensor_noise
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import History, Observer, Phase


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
