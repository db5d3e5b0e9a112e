"""What a tuner makes of every budget, and of jobs that are too short for one."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import TINY, FakeDevice, Oracle, true_power_w, true_time_ms
from watching import Recorder, train

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.errors import BudgetError
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Phase


@pytest.mark.parametrize("budget", [None, "energy", "edp", "20 ms", "14 W"])
def test_every_budget_ends_locked(device: FakeDevice, oracle: Oracle, budget: str | None) -> None:
    tuner = Tuner(budget, device=device, max_modes=3, verbose=False, options=ProfilingOptions(predictor=oracle))
    tuner.start()
    train(tuner)
    assert tuner.phase is Phase.LOCKED
    assert tuner.outcome is not None
    if budget is None:
        start = tuner.outcome.selection.start
        assert tuner.outcome.selection.time_ms <= start.time_ms
        assert tuner.outcome.selection.power_w <= start.power_w
    tuner.stop()


@pytest.mark.parametrize(
    ("length", "known"),
    [({"minibatches": 90_000}, 90_000), ({}, None), ({"minibatches": 90_000, "seconds": 3600.0}, None)],
)
def test_the_outcome_knows_the_length_of_the_job(
    device: FakeDevice, oracle: Oracle, length: dict[str, Any], known: int | None
) -> None:
    options = ProfilingOptions(predictor=oracle)
    tuner = Tuner(12, device=device, max_modes=3, verbose=False, options=options)
    tuner.start(**length)
    train(tuner)
    assert tuner.outcome is not None
    assert tuner.outcome.minibatches == known
    tuner.stop()


def test_short_job_measures_what_fits(device: FakeDevice, oracle: Oracle, caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder()
    tuner = Tuner(
        12,
        device=device,
        max_modes=30,
        max_share=0.1,
        verbose=False,
        options=ProfilingOptions(predictor=oracle, observers=[recorder]),
    )
    tuner.start(minibatches=12_000)
    used = train(tuner)
    assert tuner.outcome is not None
    measured = recorder.progress[-1].done
    assert 3 <= measured < 30
    job_s = 12_000 * tuner.outcome.selection.start.time_ms / 1e3
    assert tuner.outcome.profiling_s <= 0.12 * job_s, "a chosen mode is tried beyond the share"
    assert used < 12_000
    assert f"measuring {measured} power modes instead of 30" in caplog.text
    assert len(caplog.records) == 1
    tuner.stop()


def test_too_short_a_job_is_left_alone(device: FakeDevice, oracle: Oracle, caplog: pytest.LogCaptureFixture) -> None:
    tuner = Tuner(12, device=device, max_modes=30, verbose=False, options=ProfilingOptions(predictor=oracle))
    tuner.start(minibatches=500)
    train(tuner)
    assert tuner.phase is Phase.CLOSED
    assert device.applied == []
    assert device.mode == device.found
    assert tuner.outcome is None
    assert "too short to tune" in caplog.text
    assert len(caplog.records) == 1


def test_budget_below_every_mode_takes_the_least_power(
    device: FakeDevice, oracle: Oracle, caplog: pytest.LogCaptureFixture
) -> None:
    tuner = Tuner("1 W", device=device, max_modes=3, verbose=False, options=ProfilingOptions(predictor=oracle))
    tuner.start()
    train(tuner)
    assert tuner.outcome is not None
    assert tuner.outcome.selection.mode == device.found == device.mode
    assert tuner.phase is Phase.LOCKED
    powers, times = true_power_w(TINY.modes.array), true_time_ms(TINY.modes.array)
    ranges = f"{powers.min():.2g} to {powers.max():.2g} W and {times.min():.2g} to {times.max():.2g} ms a minibatch"
    assert ranges in caplog.text
    assert "The job stays in the power mode that it started in" in caplog.text
    assert len([record for record in caplog.records if record.levelname == "WARNING"]) == 1
    tuner.stop()


def test_budget_that_is_missed_by_little_is_used(
    device: FakeDevice, oracle: Oracle, caplog: pytest.LogCaptureFixture
) -> None:
    least_w = float(true_power_w(TINY.modes.array).min())
    tuner = Tuner(0.97 * least_w, device=device, max_modes=3, verbose=False, options=ProfilingOptions(predictor=oracle))
    tuner.start()
    train(tuner)
    assert tuner.outcome is not None
    assert tuner.outcome.selection.power_w == pytest.approx(least_w)
    assert "The job uses that power mode" in caplog.text
    tuner.stop()


def test_budget_below_every_mode_is_an_error_when_strict(device: FakeDevice, oracle: Oracle) -> None:
    tuner = Tuner(
        "1 W", device=device, max_modes=3, strict=True, verbose=False, options=ProfilingOptions(predictor=oracle)
    )
    tuner.start()
    with pytest.raises(BudgetError, match=r"this board and job reach .* W and .* ms a minibatch$"):
        train(tuner)
    assert device.mode == device.found
