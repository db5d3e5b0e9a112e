"""A session that begins with earlier measurements which no longer hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes import TINY, FakeDevice, true_time_ms
from warm_runs import BruteForce, Changed, kept, profile_of, run, warnings_of

from lightning_powertrain.tuning import History

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
