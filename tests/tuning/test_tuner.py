from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fakes import FakeDevice, Oracle, true_power_w, true_time_ms
from watching import Recorder, train

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.boards import IntArray, PowerMode
from lightning_powertrain.prediction import Prediction
from lightning_powertrain.profiling import Measurement, measure
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Observer, Phase, Progress


def test_finds_the_best_mode_and_restores_the_board(
    device: FakeDevice, oracle: Oracle, brute_force: Callable[[float], tuple[float, float]]
) -> None:
    recorder = Recorder()
    with Tuner(
        "13 W",
        device=device,
        max_modes=5,
        verbose=False,
        options=ProfilingOptions(predictor=oracle, observers=[recorder]),
    ).start() as tuner:
        train(tuner)
        assert tuner.outcome is not None
        chosen = tuner.outcome.selection
        assert device.mode == chosen.mode
        assert (chosen.time_ms, chosen.power_w) == pytest.approx(brute_force(13.0))
        assert chosen.measured is not None
        assert chosen.measured.time_ms == pytest.approx(chosen.time_ms, rel=1e-6)
        assert chosen.mode not in [measurement.mode for measurement in tuner.outcome.profile.measurements[1:6]]
        assert chosen.measured_excess == 0.0
        for _ in range(100):
            tuner.minibatch_ended()
        assert device.mode == chosen.mode
    assert device.mode == device.found
    assert device.restored == 1
    assert recorder.phases == [
        Phase.WARMING_UP,
        Phase.MEASURING_START,
        Phase.PROFILING,
        Phase.DECIDING,
        Phase.VERIFYING,
        Phase.DECIDING,
        Phase.LOCKED,
        Phase.CLOSED,
    ]
    assert [progress.done for progress in recorder.progress] == [0, 1, 2, 3, 4, 5]
    assert all(progress.total == 5 for progress in recorder.progress)
    assert [outcome.selection.measured is None for outcome in recorder.outcomes] == [True, False]
    assert recorder.closings == 1


@pytest.mark.parametrize("cycle", [1, 8, 32])
def test_warming_up_takes_ten_minibatches_however_many_are_accumulated(
    device: FakeDevice, oracle: Oracle, cycle: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[int] = []

    def measured(*details: Any) -> Any:
        starts.append(device.minibatches)
        return measure(*details)

    monkeypatch.setattr("lightning_powertrain.tuning.mode_runner.measure", measured)
    tuner = Tuner(13, device=device, max_modes=3, verbose=False, options=ProfilingOptions(predictor=oracle)).start()
    while not starts:
        tuner.minibatch_ended(cycle_complete=(device.minibatches + 1) % cycle == 0)
    assert starts[0] == -(-10 // cycle) * cycle
    tuner.stop()


def test_a_predictor_with_a_length_of_zero_is_used(device: FakeDevice) -> None:
    class Ensemble(Oracle):
        def __len__(self) -> int:
            return 0

    predictor = Ensemble()
    tuner = Tuner(13, device=device, max_modes=3, verbose=False, options=ProfilingOptions(predictor=predictor)).start()
    train(tuner)
    assert predictor.fitted is not None
    tuner.stop()


def test_measures_every_mode_as_it_is(device: FakeDevice, oracle: Oracle) -> None:
    tuner = Tuner(13, device=device, max_modes=7, verbose=False, options=ProfilingOptions(predictor=oracle, seed=3))
    tuner.start(prefetched=8, workload="toy")
    train(tuner)
    profile = tuner.profile
    assert profile is not None
    assert len(profile) == 1 + 7 + 1
    assert profile.measurements[0].mode == device.found
    assert profile.time_ms == pytest.approx(true_time_ms(profile.modes), rel=1e-6)
    assert profile.power_w == pytest.approx(true_power_w(profile.modes), rel=1e-6)
    assert [measurement.mode for measurement in profile.measurements[1:]] == device.applied
    assert len(set(device.applied[:7])) == 7
    assert (profile.provenance.board, profile.provenance.workload) == ("tiny", "toy")
    assert profile.provenance.simulated
    for measurement in profile.measurements:
        assert measurement.minibatches >= 40
        assert measurement.settle_s >= 2.0
        assert measurement.discarded_minibatches >= 8
    tuner.stop()


@pytest.mark.parametrize("precision", [0.02, None])
def test_how_it_was_measured_stands_in_the_profile(device: FakeDevice, oracle: Oracle, precision: float | None) -> None:
    tuner = Tuner(
        12, device=device, max_modes=3, verbose=False, options=ProfilingOptions(predictor=oracle, tolerance=precision)
    )
    tuner.start(prefetched=8)
    train(tuner)
    assert tuner.profile is not None
    about = tuner.profile.provenance.details["window"]
    assert about.items() >= {"tolerance": precision, "minibatches": 40, "discard": 8, "settle_s": 2.0}.items()
    # Minibatches of the tiny board are too fast for its power to be known before the window is full.
    assert all(measurement.capped == (precision is not None) for measurement in tuner.profile.measurements)
    tuner.stop()


def test_which_board_it_was_stands_in_the_profile_but_not_its_serial_number(device: FakeDevice, oracle: Oracle) -> None:
    device.board = replace(device.board, identity={"release": "# R36 (release)", "serial": "1421321"})
    tuner = Tuner(12, device=device, max_modes=3, verbose=False, options=ProfilingOptions(predictor=oracle)).start()
    train(tuner)
    assert tuner.profile is not None
    details = tuner.profile.provenance.details
    assert (details["board_model"], details["l4t_release"]) == ("A tiny board", "# R36 (release)")
    assert "1421321" not in str(details)
    tuner.stop()


def test_time_spent_and_time_left_add_up_to_what_profiling_takes(device: FakeDevice, oracle: Oracle) -> None:
    class Watch(Observer):
        def __init__(self) -> None:
            self.seen: list[tuple[float, Progress]] = []

        def measured(self, measurement: Measurement, progress: Progress) -> None:
            self.seen.append((device.clock.now(), progress))

    watch = Watch()
    tuner = Tuner(
        12, device=device, max_modes=7, verbose=False, options=ProfilingOptions(predictor=oracle, observers=[watch])
    )
    tuner.start()
    train(tuner)
    start_s, end_s = watch.seen[0][0], device.clock.now()
    assert len(watch.seen) == 8
    for now_s, progress in watch.seen:
        assert progress.seconds_spent == pytest.approx(now_s - start_s)
        # Verifications are expected, too, which a predictor without errors never needs.
        assert 1.0 <= (progress.seconds_spent + progress.seconds_left) / (end_s - start_s) < 1.4
    tuner.stop()


@pytest.mark.parametrize("epoch", [1, 2, 3, 7, 39])
def test_epochs_shorter_than_a_window_do_not_stall(device: FakeDevice, oracle: Oracle, epoch: int) -> None:
    tuner = Tuner(12, device=device, max_modes=3, verbose=False, options=ProfilingOptions(predictor=oracle))
    tuner.start()
    for done in range(50_000):
        if done % epoch == 0:
            device.clock.advance(0.5)
            tuner.interrupt()
        tuner.minibatch_ended()
        if tuner.phase is Phase.LOCKED:
            break
    assert tuner.phase is Phase.LOCKED
    assert tuner.profile is not None
    edge_ms = 500.0 if epoch == 1 else 0.0
    assert tuner.profile.time_ms == pytest.approx(true_time_ms(tuner.profile.modes) + edge_ms, rel=1e-6)
    tuner.stop()


def test_accumulation_cycles_count_as_a_whole(device: FakeDevice, oracle: Oracle) -> None:
    tuner = Tuner(12, device=device, max_modes=3, verbose=False, options=ProfilingOptions(predictor=oracle))
    tuner.start()
    for done in range(1, 50_000):
        if done % 4 == 0:
            device.clock.advance(0.040)
        tuner.minibatch_ended(cycle_complete=done % 4 == 0)
        if tuner.phase is Phase.LOCKED:
            break
    assert tuner.profile is not None
    assert tuner.profile.time_ms == pytest.approx(true_time_ms(tuner.profile.modes) + 10.0, rel=1e-6)
    tuner.stop()


def test_own_work_is_not_counted_as_a_minibatch(
    device: FakeDevice, oracle: Oracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = device.apply

    def slow_apply(mode: PowerMode) -> PowerMode:
        device.clock.advance(30.0)
        return apply(mode)

    monkeypatch.setattr(device, "apply", slow_apply)
    device.settle_s = 0.0
    tuner = Tuner(12, device=device, max_modes=5, verbose=False, options=ProfilingOptions(predictor=oracle))
    tuner.start()
    train(tuner)
    assert tuner.profile is not None
    assert tuner.profile.time_ms == pytest.approx(true_time_ms(tuner.profile.modes), rel=1e-6)
    tuner.stop()


def test_a_second_start_begins_afresh(device: FakeDevice, oracle: Oracle) -> None:
    tuner = Tuner(13, device=device, max_modes=3, verbose=False, options=ProfilingOptions(predictor=oracle))
    tuner.start()
    for _ in range(200):
        tuner.minibatch_ended()
    tuner.start()
    assert tuner.profile is None
    assert device.mode == device.found
    train(tuner)
    assert tuner.profile is not None
    assert len(tuner.profile) == 5
    tuner.stop()
    tuner.stop()
    assert device.restored == 2


def test_nothing_beats_the_start(device: FakeDevice, oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> None:
    """No mode of the tables is as good as what the board does by itself, which is none of them."""
    own = PowerMode(cores=4, cpu_khz=2000000, gpu_hz=399999999, emc_hz=800000000)
    device.found = device.mode = own
    reading = device.read_power()
    monkeypatch.setattr(
        device, "read_power", lambda: type(reading)(5.0, {}) if device.mode == own else type(reading)(50.0, {})
    )
    tuner = Tuner(None, device=device, max_modes=3, verbose=False, options=ProfilingOptions(predictor=oracle))
    tuner.start()
    train(tuner)
    assert tuner.phase is Phase.LOCKED
    assert tuner.outcome is not None
    assert tuner.outcome.selection.mode == own
    assert tuner.outcome.selection.excess == 0.0
    assert device.mode == own
    assert device.applied[-1] != own, "it was applied, though it is in no table"
    tuner.stop()
    assert device.mode == own


class Optimist(Oracle):
    """Believes that three modes are faster and cheaper than all others, until it has seen them."""

    def __init__(self, wrong: int) -> None:
        super().__init__()
        self.wrong = wrong

    def predict(self, modes: IntArray) -> Prediction:
        assert self.fitted is not None
        prediction = super().predict(modes)
        prediction.time_ms[: self.wrong] = 0.1
        prediction.power_w[: self.wrong] = 1.0
        return prediction


@pytest.mark.parametrize("wrong", [1, 4, 20])
def test_a_choice_that_is_worse_than_predicted_is_not_kept(
    device: FakeDevice, wrong: int, brute_force: Callable[[float], tuple[float, float]]
) -> None:
    recorder = Recorder()
    tuner = Tuner(
        "12 W",
        device=device,
        max_modes=7,
        verbose=False,
        options=ProfilingOptions(predictor=Optimist(wrong), observers=[recorder]),
    )
    tuner.start()
    train(tuner)
    assert tuner.outcome is not None
    chosen, profile = tuner.outcome.selection, tuner.outcome.profile
    measured = {measurement.mode: measurement for measurement in profile.measurements}
    assert chosen.measured == measured[chosen.mode]
    within = [measurement.time_ms for measurement in measured.values() if measurement.power_w <= 12.0]
    assert chosen.measured is not None
    assert chosen.measured.time_ms == min(within)
    assert device.mode == chosen.mode
    if wrong < 5:
        assert (chosen.time_ms, chosen.power_w) == pytest.approx(brute_force(12.0))
    tried = [outcome for outcome in recorder.outcomes if outcome.selection.measured is None]
    wrong_ones = {device.modes.mode(index) for index in range(wrong)} - {each.mode for each in profile.measurements[:8]}
    assert {outcome.selection.mode for outcome in tried} >= wrong_ones or len(tried) == 5
    assert len(profile) == 1 + 7 + len(tried)
    tuner.stop()
