"""Where the start mode sets the limit, the choice is compared with it once both are known well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator

import numpy as np
import pytest
from drifting import Changing, Proportional
from fakes import FakeDevice, true_time_ms

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.boards import IntArray, PowerMode
from lightning_powertrain.prediction import BasePredictor, Prediction
from lightning_powertrain.profiling import Profile
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Outcome, Phase, explorer
from lightning_powertrain.tuning.mode_runner import Awaited
from lightning_powertrain.tuning.profiling_budget import ProfilingBudget
from lightning_powertrain.tuning.search import MAX_VERIFICATIONS, Search
from lightning_powertrain.tuning.session import TuningSession

MAX_MODES = 10


class Cold(Changing):
    """The tiny board, on which everything takes 4 % longer to begin with, and scatters a little."""

    def __init__(self, cold_s: float) -> None:
        super().__init__(lambda now_s: (1.04 if now_s < cold_s else 1.0, 1.0))
        self.locked_s = 0.0
        self.visits: Counter[PowerMode] = Counter()

    def minibatch_ended(self) -> None:
        self.visits[self.mode] += 1
        super().minibatch_ended()


def tuned(
    device: FakeDevice, budget: str | None, predictor: BasePredictor | None = None, minibatches: int | None = 100_000
) -> Outcome:
    options = ProfilingOptions(predictor=predictor or Proportional())
    tuner = Tuner(budget, device=device, max_modes=MAX_MODES, verbose=False, options=options)
    with tuner.start(minibatches=minibatches):
        while tuner.phase not in (Phase.LOCKED, Phase.CLOSED):
            tuner.minibatch_ended()
        assert tuner.outcome is not None
        return tuner.outcome


def slower(device: FakeDevice, outcome: Outcome) -> float:
    """By how many percent the chosen mode is slower than the start mode, in truth."""
    chosen, start = true_time_ms(device.modes.rows([outcome.selection.mode, device.found]))
    return float(100 * (chosen / start - 1))


@pytest.mark.parametrize(("budget", "share"), [(None, 0.0), ("5 % slower", 5.0)])
def test_a_start_mode_that_was_measured_too_slow_does_not_loosen_the_budget(budget: str | None, share: float) -> None:
    device = Cold(cold_s=8.0)
    outcome = tuned(device, budget)
    assert slower(device, outcome) <= share + 1.0
    true_ms = float(true_time_ms(device.modes.rows([device.found]))[0])
    assert outcome.selection.start.time_ms == pytest.approx(true_ms, rel=0.02)


class Hopeful(Proportional):
    """Expects of every mode that was not measured that it takes a fifth less time and power."""

    def fit(self, profile: Profile) -> None:
        super().fit(profile)
        self._known = {tuple(mode) for mode in profile.modes}

    def predict(self, modes: IntArray) -> Prediction:
        share = np.array([1.0 if tuple(mode) in self._known else 0.8 for mode in modes])
        known = super().predict(modes)
        return Prediction(share * known.time_ms, share * known.power_w, 0.0, 0.0)


def test_what_a_comparison_leaves_room_for_is_tried_as_seldom_as_without_it() -> None:
    """Each comparison begins a search anew: without end, if each had tries of its own."""
    device = Cold(cold_s=8.0)
    tuned(device, None, Hopeful())
    assert len(device.visits) <= 1 + MAX_MODES + MAX_VERIFICATIONS


@pytest.mark.parametrize("minibatches", [None, 100_000])
def test_a_job_of_unknown_length_is_compared_for_at_most_half_of_what_profiling_took(
    minibatches: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With minibatches of 0.15 s the comparison takes more than half as long, where the job can afford it."""
    device, spans = Changing(lambda now_s: (10.0, 1.0)), []
    device.locked_s = 0.0
    compared = explorer.compared

    def timed(
        session: TuningSession, budget: ProfilingBudget, search: Search, profiling_s: float
    ) -> Generator[Awaited, None, Search]:
        start_s = device.clock.now()
        search = yield from compared(session, budget, search, profiling_s)
        spans.append((device.clock.now() - start_s, profiling_s))
        return search

    monkeypatch.setattr(explorer, "compared", timed)
    tuned(device, "5 % slower", minibatches=minibatches)
    compared_s, profiling_s = spans[0]
    assert compared_s > 0
    assert (compared_s <= 0.5 * profiling_s) == (minibatches is None)
