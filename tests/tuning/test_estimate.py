"""What an estimate says is what a job takes and gains, on simulated boards."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from fakes import TINY, Oracle, true_power_w, true_time_ms

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.profiling import Measurement, Profile, Provenance, WindowPlan
from lightning_powertrain.tuning import ProfilingOptions
from lightning_powertrain.tuning.config import TuningConfig
from lightning_powertrain.tuning.estimate import Estimate, Gain, estimate_known, estimate_unknown

WINDOW = WindowPlan(discard=2, settle_s=0.5, tolerance=None)
ROWS = np.arange(0, len(TINY.modes), 3)


def measured(mode: PowerMode) -> Measurement:
    row = TINY.modes.rows([mode])
    return Measurement(mode, float(true_time_ms(row)[0]), float(true_power_w(row)[0]), minibatches=40)


PROFILE = Profile(
    TINY.knobs, Provenance("tiny", "resnet18", simulated=True), tuple(measured(TINY.modes.mode(row)) for row in ROWS)
)
HIGHEST = TINY.modes.highest


def config(budget: object) -> TuningConfig:
    options = ProfilingOptions(predictor=Oracle())
    return TuningConfig.checked(budget, None, 0.1, False, False, options, len(TINY.modes))  # type: ignore[arg-type]


def unknown(budget: object, start: PowerMode = HIGHEST, minutes: float | None = None) -> Estimate:
    return estimate_unknown(PROFILE, TINY.modes, start, config(budget), WINDOW, minutes)


def test_a_known_job_measures_its_best_mode_again() -> None:
    start = measured(HIGHEST)
    limit_w = 0.7 * start.power_w
    found = estimate_known(PROFILE, start, config(limit_w), WINDOW, minutes=60.0)
    best = min((each for each in PROFILE.measurements if each.power_w < limit_w), key=lambda each: each.time_ms)
    assert found.chosen.mode == best.mode
    assert found.profiling.modes == 1
    assert found.profiling.seconds == WINDOW.seconds(best.time_ms)
    minibatches = found.profiling.seconds / best.time_ms * 1e3
    assert found.profiling.extra_s == pytest.approx(found.profiling.seconds - minibatches * start.time_ms / 1e3)
    extra_mj = found.profiling.seconds * 1e3 * best.power_w - minibatches * start.energy_mj
    assert found.profiling.extra_j == pytest.approx(extra_mj / 1e3)
    assert found.sought == "time"
    assert not found.start_keeps_budget
    assert found.chosen_keeps_budget


def test_an_unknown_job_finds_the_best_of_all_modes() -> None:
    found = unknown(0.7 * measured(HIGHEST).power_w)
    times, powers = true_time_ms(TINY.modes.array), true_power_w(TINY.modes.array)
    assert found.chosen.time_ms == times[powers <= 0.7 * measured(HIGHEST).power_w].min()
    assert found.start.time_ms == measured(HIGHEST).time_ms
    assert found.profiling.modes >= 5
    assert found.profiling.seconds >= found.profiling.modes * WINDOW.settle_s


@pytest.mark.parametrize("minutes", [None, 60.0])
def test_the_comparison_with_the_start_counts_as_profiling(minutes: float | None) -> None:
    relative, limited = (unknown(budget, minutes=minutes) for budget in ("20 % slower", "energy"))
    compared_s = relative.profiling.seconds - limited.profiling.seconds
    assert compared_s == pytest.approx(3 * WINDOW.seconds(relative.start.time_ms))
    assert relative.profiling.modes == limited.profiling.modes


def test_a_known_job_that_is_compared_with_its_start_measures_its_best_mode_more_often() -> None:
    start = measured(HIGHEST)
    found = estimate_known(PROFILE, start, config("200 % slower"), WINDOW, minutes=60.0)
    assert found.profiling.modes == 1
    compared_s = found.profiling.seconds - WINDOW.seconds(found.chosen.time_ms)
    assert compared_s == pytest.approx(3 * WINDOW.seconds(start.time_ms))
    slowdown = 1 - start.time_ms / found.chosen.time_ms
    assert found.profiling.extra_s == pytest.approx(found.profiling.seconds * slowdown)


def test_the_mode_that_stays_gains_nothing_for_sure() -> None:
    best = unknown("energy").chosen.mode
    known = estimate_known(PROFILE, measured(HIGHEST), config("energy"), WINDOW, minutes=None)
    stays = estimate_known(PROFILE, measured(known.chosen.mode), config(None), WINDOW, minutes=60.0).profiling
    assert (stays.seconds, stays.extra_s, stays.extra_j) == (WINDOW.seconds(known.chosen.time_ms), 0, 0)
    found = unknown("energy", start=best)
    assert found.chosen.mode == best
    assert (found.time.low, found.time.ratio, found.time.high) == (1, 1, 1)
    assert (found.energy.low, found.energy.high) == (1, 1)
    assert math.isinf(found.energy.paid_back_s)


def test_a_job_that_is_too_short_is_not_tuned(caplog: pytest.LogCaptureFixture) -> None:
    found = unknown("energy", minutes=0.02)
    assert "the job is too short to tune" in caplog.text
    assert (found.profiling.modes, found.chosen) == (0, found.start)


def test_a_shorter_job_measures_less() -> None:
    assert 0 < unknown("energy", minutes=1.5).profiling.seconds < unknown("energy").profiling.seconds


@pytest.mark.parametrize("budget", ["8 h", "50 Wh"])
def test_budgets_of_a_whole_job_are_refused(budget: object) -> None:
    with pytest.raises(ArgumentError, match="a budget of a minibatch"):
        unknown(budget)


def test_ranges_hold_as_often_as_they_say() -> None:
    draw = np.random.default_rng(0).standard_normal((4000, 2)) * (0.03, 0.04)
    ratios = 0.8 * np.exp(draw[:, 0] - draw[:, 1])
    gain = Gain.of(0.8, math.hypot(0.03, 0.04), 0.0)
    assert np.mean((gain.low < ratios) & (ratios < gain.high)) == pytest.approx(0.9, abs=0.015)


def test_profiling_is_paid_back_where_both_take_as_much() -> None:
    gain = Gain.of(0.8, 0.1, extra_s=60.0)
    assert gain.paid_back_s == pytest.approx(300.0)
    assert gain.total_s(300.0)[0] == pytest.approx(300.0)
    assert replace(gain, extra_s=-5.0).paid_back_s == 0.0
    assert math.isinf(replace(gain, ratio=1.0).paid_back_s)
