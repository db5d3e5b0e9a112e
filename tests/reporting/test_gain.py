"""The gain in words: every figure is computed here once more, from the measurements."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from stories import BOARD, make_outcome, measured_as, on_board, verified

from lightning_powertrain.profiling import Measurement
from lightning_powertrain.reporting import summary
from lightning_powertrain.reporting.gain import gain
from lightning_powertrain.selection import LeastEnergy, Objective, PowerBudget
from lightning_powertrain.tuning import EnergyRates, Outcome


def costing(time_ms: float, power_w: float, start: tuple[float, float] = (100.0, 30.0)) -> Outcome:
    """A chosen mode and a start mode that cost so much."""
    outcome = make_outcome()
    selection = replace(outcome.selection, start=replace(outcome.selection.start, time_ms=start[0], power_w=start[1]))
    return measured_as(replace(outcome, selection=selection), Measurement(selection.mode, time_ms, power_w))


@pytest.mark.parametrize(
    ("costs", "said"),
    [
        ((80.0, 30.0), "20 % faster, 20 % less energy than the start mode (MAXN)"),
        ((110.0, 20.0), "10 % slower, 27 % less energy than the start mode (MAXN)"),
        ((75.0, 44.0), "25 % faster, 10 % more energy than the start mode (MAXN)"),
        ((80.0, 37.5), "20 % faster, same energy as the start mode (MAXN)"),
        ((100.0, 27.0), "same speed, 10 % less energy than the start mode (MAXN)"),
    ],
)
def test_against_the_start_mode(costs: tuple[float, float], said: str) -> None:
    assert gain(summary(costing(*costs))) == said


def test_a_start_mode_that_stays_has_gained_nothing() -> None:
    outcome = make_outcome(LeastEnergy())
    start = outcome.selection.start
    stays = measured_as(replace(outcome, selection=replace(outcome.selection, mode=start.mode)), start)
    assert gain(summary(stays)) == "the start mode (MAXN) stays"


def test_the_lowest_mode_is_no_mode_that_a_user_took() -> None:
    outcome = verified(make_outcome())
    lowest = replace(outcome.selection.start, mode=BOARD.mode(0))
    assert gain(summary(replace(outcome, selection=replace(outcome.selection, start=lowest)))).endswith("lowest mode")


@pytest.mark.parametrize(
    ("objective", "mask", "preset"),
    [
        (PowerBudget(30.0), "0", "MODE_30W (predicted, not comparable)"),
        (PowerBudget(30.0), "240", "MODE_30W (predicted)"),
        (PowerBudget(49.0), "0", "MODE_30W (predicted, not comparable)"),
        (PowerBudget(50.0), "0", "MODE_50W"),
        (PowerBudget(5.0), "248", "MODE_15W (predicted)"),
        (LeastEnergy(), "0", "MODE_50W"),
    ],
)
def test_against_the_stock_preset_that_a_user_would_have_taken(objective: Objective, mask: str, preset: str) -> None:
    about = summary(on_board(verified(make_outcome(objective)), "orin-agx-64gb", tpc_pg_mask=mask))
    name = preset.split()[0]
    assert about["stock_preset"] == name
    (known,) = (each for each in about["compared"] if name in each["names"])
    kept = about["chosen"]["measured"]
    faster = round((1 - kept["time_ms"] / known["time_ms"]) * 100)
    said = gain(about).split("; ")
    assert said[1].endswith(f" than {preset}")
    assert said[1].startswith(f"{abs(faster)} % {'faster' if faster > 0 else 'slower'}, ") or abs(faster) < 10


def test_a_board_without_presets_has_none_to_compare_with() -> None:
    about = summary(verified(make_outcome()))
    assert about["stock_preset"] is None
    assert ";" not in gain(about)


def whole(minibatches: int) -> tuple[Outcome, dict[str, Any]]:
    outcome = replace(costing(80.0, 30.0), minibatches=minibatches)
    return outcome, summary(outcome)


def test_the_whole_job_counts_its_profiling() -> None:
    outcome, about = whole(450_000)
    trained = [each.minibatches + each.discarded_minibatches for each in outcome.measured_now]
    seconds = outcome.profiling_s + (450_000 - sum(trained)) * 0.080
    energy_j = (450_000 - sum(trained)) * 2.4 + sum(
        n * each.energy_mj / 1e3 for n, each in zip(trained, outcome.measured_now)
    )
    assert about["job"]["chosen"] == pytest.approx({"seconds": seconds, "energy_j": energy_j})
    assert about["job"]["start"] == pytest.approx({"seconds": 45_000, "energy_j": 450_000 * 3.0})
    job = f"The whole job of 450,000 minibatches: {seconds / 3600:.1f} h and {energy_j / 3600:.0f} Wh"
    assert gain(about).endswith(f". {job} instead of 12.5 h and 375 Wh")


def test_the_whole_job_in_a_stock_preset_costs_and_emits() -> None:
    outcome = on_board(replace(costing(80.0, 30.0), minibatches=450_000), "orin-agx-64gb", tpc_pg_mask="240")
    about = summary(outcome)
    (known,) = (each for each in about["compared"] if "MODE_30W" in each["names"])
    seconds, energy_j = 450 * known["time_ms"], 450_000 * known["energy_j"]
    assert known["job"] == pytest.approx({"seconds": seconds, "energy_j": energy_j})
    needs = f"{seconds / 3600:.1f} h and {energy_j / 3600:.0f} Wh"
    assert gain(about).endswith(f" instead of 12.5 h and 375 Wh; MODE_30W would take {needs}")
    said = gain(summary(replace(outcome, rates=EnergyRates(0.4, 100))))
    assert " instead of 12.5 h and 375 Wh (price 0.15 (0.4 a kWh), 37.5 g of CO2); MODE_30W would " in said
    assert said.endswith(f"{needs} ({EnergyRates(0.4, 100).text(energy_j)})")


def test_the_length_of_the_job_is_not_known_or_its_mode_was_corrected() -> None:
    outcome, about = whole(450_000)
    assert "whole job" not in gain(summary(replace(outcome, minibatches=None)))
    assert "whole job" not in gain({**about, "corrections": [{}]})
