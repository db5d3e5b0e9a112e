"""Jobs with a budget that changes: one switch and one window for each change, and no new profile."""

from __future__ import annotations

from fakes import FakeDevice, Oracle
from watching import Recorder, train

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.selection import FixedBudget, PowerBudget, best_index
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Phase


class Supply:
    """A supply whose limit a test sets; counts how often it is asked."""

    def __init__(self, budget: object) -> None:
        self.budget = budget
        self.asked = 0

    def __call__(self) -> object:
        self.asked += 1
        if isinstance(self.budget, Exception):
            raise self.budget
        return self.budget


def tuner_of(device: FakeDevice, supply: Supply, recorder: Recorder) -> Tuner:
    options = ProfilingOptions(predictor=Oracle(), observers=[recorder])
    return Tuner(supply, device=device, max_modes=6, verbose=False, strict=True, options=options)


def for_seconds(tuner: Tuner, device: FakeDevice, seconds: float) -> None:
    end_s = device.clock.now() + seconds
    while device.clock.now() < end_s:
        tuner.minibatch_ended()


def test_a_change_costs_one_switch_and_one_window() -> None:
    device, supply, recorder = FakeDevice(), Supply("13 W"), Recorder()
    with tuner_of(device, supply, recorder).start() as tuner:
        train(tuner)
        assert str(tuner.outcome.selection.objective) == "fastest within 13 W"  # type: ignore[union-attr]
        measured, switches, phases = len(tuner.profile or ()), len(device.applied), len(recorder.phases)
        for limit in (9, 16):
            supply.budget = limit
            for_seconds(tuner, device, 75)
            outcome = tuner.outcome
            assert outcome is not None
            assert outcome.selection.objective == PowerBudget(limit)
            modes = device.modes
            prediction = Oracle()
            prediction.fit(outcome.profile)
            expected = prediction.predict(modes.array)
            best = modes.mode(best_index(PowerBudget(0.98 * limit), expected.time_ms, expected.power_w))
            assert outcome.selection.is_confirmed
            assert outcome.selection.time_ms <= float(expected.time_ms[modes.index(best)]) * 1.001
        assert len(device.applied) - switches == 2
        assert len(tuner.profile or ()) - measured <= 2
        change = [Phase.DECIDING, Phase.VERIFYING, Phase.DECIDING, Phase.LOCKED]
        assert recorder.phases[phases:] == change * 2
    assert device.mode == device.found


def test_the_budget_is_asked_for_once_a_minute() -> None:
    device, supply = FakeDevice(), Supply("13 W")
    with tuner_of(device, supply, Recorder()).start() as tuner:
        train(tuner)
        assert supply.asked == 1
        for_seconds(tuner, device, 600)
    assert 9 <= supply.asked - 1 <= 10


def test_a_supply_that_does_not_answer_leaves_the_budget_as_it_is() -> None:
    device, supply = FakeDevice(), Supply(FixedBudget(PowerBudget(13.0), "13 W"))
    with tuner_of(device, supply, Recorder()).start() as tuner:
        train(tuner)
        mode = device.mode
        supply.budget = OSError("no answer")
        for_seconds(tuner, device, 130)
        assert (tuner.phase, device.mode) == (Phase.LOCKED, mode)
