from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from stories import make_outcome, measured_as, verified

from lightning_powertrain.profiling import Measurement, Profile
from lightning_powertrain.reporting import summary, write_run
from lightning_powertrain.selection import LeastEnergy, PowerBudget, Selection
from lightning_powertrain.tuning import Outcome


def test_summary_holds_the_run_as_plain_json() -> None:
    outcome = verified(make_outcome())
    selection = outcome.selection
    found = summary(outcome)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert (found["simulated"], found["board"], found["workload"]) == (True, "test-board", "resnet18")
    assert found["start"]["mode"] == dict(selection.start.mode)
    assert found["chosen"]["mode"] == dict(selection.mode)
    assert found["chosen"]["predicted"]["time_ms"] == selection.time_ms
    assert found["chosen"]["predicted"]["time_error"] == 0.04
    assert selection.measured is not None
    assert found["chosen"]["measured"] == {
        "time_ms": selection.measured.time_ms,
        "power_w": selection.measured.power_w,
        "energy_j": pytest.approx(selection.measured.energy_mj / 1e3),
    }
    assert found["profiling"] == {"modes": 12, "seconds": 250.0, "reused": None}


def test_what_is_not_known_is_null() -> None:
    outcome = make_outcome()
    unsure = replace(outcome, selection=replace(outcome.selection, time_error=math.nan, power_error=math.nan))
    chosen = summary(unsure)["chosen"]
    assert (chosen["measured"], chosen["predicted"]["time_error"], chosen["predicted"]["power_error"]) == (None,) * 3
    json.dumps(chosen, allow_nan=False)


def test_the_budget_is_judged_by_what_was_measured_once_it_was() -> None:
    outcome = make_outcome(PowerBudget(30.0))
    assert summary(outcome)["budget"] == {
        "objective": "fastest within 30 W",
        "unit": "W",
        "limits": {"power_w": 30.0},
        "excess": 0.0,
        "measured_excess": None,
        "met": True,
        "confirmed": False,
    }
    missed = summary(measured_as(outcome, replace(outcome.selection.start, power_w=31.5)))["budget"]
    assert (missed["excess"], missed["measured_excess"], missed["met"]) == (0.0, 1.5, False)
    assert summary(make_outcome(LeastEnergy()))["budget"]["met"] is True


def with_costs(*, start: tuple[float, float], sampled: tuple[float, float], kept: tuple[float, float]) -> Outcome:
    """One sampled mode of 40 minibatches and 10 discarded ones, which took 8 seconds; costs are (ms, W)."""
    outcome = make_outcome(PowerBudget(30.0))
    mode = outcome.selection.mode
    first = Measurement(outcome.selection.start.mode, *start, minibatches=40)
    second = Measurement(mode, *sampled, minibatches=40, discarded_minibatches=10)
    selection = Selection(mode, PowerBudget(30.0), *sampled, first, measured=Measurement(mode, *kept))
    profile = replace(outcome.profile, measurements=(first, second))
    return replace(outcome, profile=profile, selection=selection, profiling_s=8.0)


def simulate_break_even(lost: float, saved: float) -> int:
    minibatches = 0
    while lost > 0:
        lost -= saved
        minibatches += 1
    return minibatches


def test_break_even_counts_minibatches_until_the_extra_cost_is_saved() -> None:
    found = summary(with_costs(start=(100.0, 30.0), sampled=(150.0, 28.0), kept=(93.0, 29.0)))
    # 50 minibatches took 8 s and would have taken 5 s; each later one saves 7 ms.
    time = simulate_break_even(3000.0, 7.0)
    # They cost 50 * (150 ms * 28 W - 100 ms * 30 W) more; each later one saves 3000 - 2697 mJ.
    energy = simulate_break_even(50 * (4200.0 - 3000.0), 303.0)
    assert found["break_even_minibatches"] == {"time": time, "energy": energy} == {"time": 429, "energy": 199}


def test_what_is_never_saved_is_never_paid_back() -> None:
    found = summary(with_costs(start=(100.0, 30.0), sampled=(150.0, 28.0), kept=(120.0, 24.0)))
    assert found["break_even_minibatches"] == {"time": None, "energy": 500}


def test_profiling_that_cost_nothing_is_paid_back_at_once() -> None:
    found = summary(with_costs(start=(200.0, 30.0), sampled=(150.0, 28.0), kept=(120.0, 24.0)))
    assert found["break_even_minibatches"] == {"time": 0, "energy": 0}


def test_run_is_written_into_a_folder(tmp_path: Path) -> None:
    outcome = verified(make_outcome())
    write_run(outcome, tmp_path / "new" / "run")
    folder = tmp_path / "new" / "run"
    files = {"profile.csv", "profile.json", "summary.json", "pareto.png", "report.html"}
    assert {path.name for path in folder.iterdir()} == files
    assert Profile.load(folder / "profile.csv") == outcome.profile
    kept = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert {name: kept[name] for name in kept if name not in ("written", "predicted")} == summary(outcome)


def test_without_matplotlib_a_run_is_written_without_its_figure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    write_run(make_outcome(), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"profile.csv", "profile.json", "summary.json", "report.html"}
    assert len(caplog.records) == 1
    assert "pip install" in caplog.text
