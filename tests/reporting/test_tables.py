from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stories import BOARD, costs, make_outcome, measured_as, verified

from lightning_powertrain.profiling import Measurement
from lightning_powertrain.reporting.tables import (
    COSTS,
    WORDS,
    choice_headings,
    choice_rows,
    difference,
    duration,
    markdown_table,
    mode_table,
    notes,
    quantity,
    title,
)
from lightning_powertrain.selection import LeastEnergy, PowerBudget
from lightning_powertrain.tuning import Outcome

NAMES = {label: name for name, _, label in COSTS}


def cells(outcome: Outcome) -> dict[str, list[str]]:
    return {label: rest for label, *rest in choice_rows(outcome.selection)}


def number(cell: str) -> float:
    return float(cell.split()[0])


@given(st.floats(1e-3, 1e6))
def test_quantities_keep_three_digits_and_no_exponent(value: float) -> None:
    shown = quantity(value, "ms")
    assert shown.endswith(" ms")
    assert "e" not in shown
    assert float(shown.replace(" ms", "")) == pytest.approx(value, rel=0.0051)


@pytest.mark.parametrize(("value", "shown"), [(0.0, "0 W"), (-2.5, "-2.50 W"), (math.nan, "-"), (math.inf, "-")])
def test_odd_quantities(value: float, shown: str) -> None:
    assert quantity(value, "W") == shown


@pytest.mark.parametrize(
    ("one", "other", "shown"),
    [
        (143.0, 90.4, "37 % less"),
        (90.4, 143.0, "58 % more"),
        (100.0, 90.1, "9.9 % less"),
        (30.0, 30.01, "same"),
        (0.0, 0.0, "same"),
        (0.0, 12.0, "-"),
        (math.nan, 12.0, "-"),
    ],
)
def test_a_difference_says_which_way_it_goes(one: float, other: float, shown: str) -> None:
    assert difference(one, other, "more", "less") == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0:00"), (59.6, "1:00"), (3599.7, "1:00:00"), (-3, "0:00"), (math.inf, "?"), (math.nan, "?")],
)
def test_durations(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_choice_rows_hold_start_prediction_measurement_and_change() -> None:
    outcome = verified(make_outcome())
    selection, rows = outcome.selection, cells(outcome)
    times, powers = costs(BOARD.rows([selection.start.mode, selection.mode]))
    assert all(len(row) == len(choice_headings(outcome)) - 1 for row in rows.values())
    assert list(rows) == ["cores", "cpu", "gpu", "emc", "minibatch time", "power", "minibatch energy"]
    assert rows["cores"][:3] == ["12", "8", "8"]
    assert rows["gpu"] == ["1300.5 MHz", "816 MHz", "816 MHz", "37 % lower"]
    assert rows["emc"][3] == "same"
    for label, before, predicted, after in (
        ("minibatch time", times[0], selection.time_ms, times[1]),
        ("power", powers[0], selection.power_w, powers[1]),
        (
            "minibatch energy",
            times[0] * powers[0] / 1e3,
            selection.time_ms * selection.power_w / 1e3,
            times[1] * powers[1] / 1e3,
        ),
    ):
        assert [number(cell) for cell in rows[label][:3]] == pytest.approx([before, predicted, after], rel=0.006)
        assert rows[label][3] == difference(before, after, *WORDS[NAMES[label]])


def test_a_start_in_the_lowest_mode_is_called_that() -> None:
    """As under a hard budget, which leaves the mode that the job was found in unmeasured."""
    outcome = verified(make_outcome())
    assert choice_headings(outcome)[1] == "start"
    lowest = replace(outcome.selection.start, mode=BOARD.mode(0))
    selection = replace(outcome.selection, start=lowest)
    assert choice_headings(replace(outcome, selection=selection))[1] == "lowest"


def test_before_verification_the_change_is_the_predicted_one() -> None:
    outcome = make_outcome()
    selection, rows = outcome.selection, cells(outcome)
    assert {row[2] for row in rows.values()} == {"-"}
    assert rows["power"][3] == difference(selection.start.power_w, selection.power_w)


def test_mode_that_the_board_read_back_is_shown() -> None:
    outcome = make_outcome()
    kept = BOARD.mode(0)
    rows = cells(measured_as(outcome, Measurement(kept, 100.0, 10.0)))
    assert rows["cores"][2] == "2"
    assert rows["cores"][1] == "8"


def test_notes_say_whether_the_budget_is_met() -> None:
    assert notes(verified(make_outcome()))[0] == "Budget: fastest within 30 W; predicted within it, measured within it."
    assert notes(make_outcome())[0] == "Budget: fastest within 30 W; predicted within it."


def test_notes_say_by_how_much_the_budget_is_missed() -> None:
    outcome = make_outcome(PowerBudget(5.0))
    by = quantity(outcome.selection.power_w - 5.0, "W")
    missed = measured_as(outcome, replace(outcome.selection.start, power_w=7.5))
    assert notes(missed)[0] == f"Budget: fastest within 5 W; predicted {by} ABOVE it, measured 2.50 W ABOVE it."


def test_notes_where_there_is_no_limit_to_meet() -> None:
    assert notes(verified(make_outcome(LeastEnergy())))[0] == "Budget: least energy per minibatch."


def test_noise_around_an_unchanged_start_is_no_missed_budget() -> None:
    outcome = make_outcome(None)
    start = outcome.selection.start
    kept = replace(outcome, selection=replace(outcome.selection, mode=start.mode))
    note = notes(measured_as(kept, replace(start, time_ms=start.time_ms * 1.01)))[0]
    assert "ABOVE" not in note
    assert note.endswith("No power mode is expected to beat the start, so it stays.")


def test_notes_tell_what_profiling_cost_and_how_sure_predictions_are() -> None:
    outcome = make_outcome()
    assert notes(outcome)[1:] == [
        "Profiling: 12 power modes in 4:10.",
        "Predictions are expected to be off by 4.0 % in time and 3.0 % in power.",
    ]
    unsure = replace(outcome, selection=replace(outcome.selection, time_error=math.nan))
    assert len(notes(unsure)) == 2


def test_title_says_what_is_simulated() -> None:
    assert title(make_outcome()) == "resnet18 on test-board (SIMULATED)"
    assert title(make_outcome(simulated=False)) == "resnet18 on test-board"


def test_mode_table_has_a_row_a_measurement() -> None:
    outcome = make_outcome()
    headings, rows = mode_table(outcome)
    assert headings == ["", "cores", "cpu", "gpu", "emc", "time", "power", "energy"]
    assert [row[0] for row in rows] == ["start", *map(str, range(1, 13))]
    for row, measurement in zip(rows, outcome.profile.measurements):
        assert row[1] == str(measurement.mode["cores"])
        assert number(row[3]) == pytest.approx(measurement.mode["gpu_hz"] / 1e6, rel=1e-4)
        shown = [number(cell) for cell in row[5:]]
        assert shown == pytest.approx(
            [measurement.time_ms, measurement.power_w, measurement.energy_mj / 1e3], rel=0.006
        )


def test_markdown_survives_a_bar_in_a_cell() -> None:
    assert markdown_table(["a|b", "c"], [["1", "2|3"]]).splitlines() == [
        r"| a\|b | c |",
        "|:---|---:|",
        r"| 1 | 2\|3 |",
    ]
