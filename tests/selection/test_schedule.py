"""Budgets that change while a job runs."""

from __future__ import annotations

import logging
from datetime import datetime
from pathlib import Path

import pytest

from lightning_powertrain.errors import ArgumentError, FileFormatError
from lightning_powertrain.selection import ChangingBudget, Schedule, StartBudget, parse_budget

DAY = {"06:00": "15 W", "10:00": "40 W", "18:00": "5 % slower"}


class Now:
    """A clock that a test sets."""

    def __init__(self, *at: int) -> None:
        self.at = datetime(*at)  # type: ignore[arg-type]

    def __call__(self) -> datetime:
        return self.at


@pytest.mark.parametrize(
    ("hour", "minute", "budget"),
    [(6, 0, "15 W"), (9, 59, "15 W"), (10, 0, "40 W"), (17, 59, "40 W"), (18, 0, "5 % slower"), (5, 59, "5 % slower")],
)
def test_a_time_of_day_holds_until_the_next_also_over_midnight(hour: int, minute: int, budget: str) -> None:
    assert Schedule(DAY, Now(2026, 12, 1, hour, minute))() == budget


def test_two_spellings_of_a_time_are_no_error() -> None:
    assert Schedule({"06:00": "15 W", "6:00": None}, Now(2026, 12, 1, 7, 0))() is None


def test_dates_hold_once() -> None:
    now = Now(2026, 11, 30, 12, 0)
    schedule = Schedule({"2026-12-02T00:00": "20 W", "2026-12-01T00:00": "10 W"}, now)
    assert schedule() == "10 W"
    now.at = datetime(2026, 12, 24)
    assert schedule() == "20 W"


@pytest.mark.parametrize("budgets", [{}, {"6 am": "10 W"}, {"06:00": "10 W", "2026-12-01T00:00": "10 W"}, {6: "10 W"}])
def test_other_times_are_refused(budgets: dict[str, str]) -> None:
    with pytest.raises(ArgumentError, match="times of day such as"):
        Schedule(budgets)


def test_a_mapping_is_a_schedule_and_its_budgets_are_read_at_once() -> None:
    budget = parse_budget(DAY)
    assert isinstance(budget, ChangingBudget)
    assert str(budget) == "schedule 06:00 15 W; 10:00 40 W; 18:00 5 % slower"
    with pytest.raises(ArgumentError, match='Did you mean "15 W"'):
        parse_budget({"06:00": "15"})
    with pytest.raises(ArgumentError, match="of each minibatch in a schedule"):
        parse_budget({"06:00": "8 h"})


def test_a_schedule_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "day.csv"
    path.write_text("time,budget\n06:00, 15 W\n18:00,energy\n", encoding="utf-8")
    assert Schedule.load(path, Now(2026, 12, 1, 7, 0))() == "15 W"
    path.write_text("hour,budget\n06:00,15 W\n", encoding="utf-8")
    with pytest.raises(FileFormatError, match="the columns time and budget"):
        Schedule.load(path)
    with pytest.raises(FileFormatError, match=r"nothing\.csv"):
        Schedule.load(tmp_path / "nothing.csv")


def test_a_function_is_asked_and_what_it_raises_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    answers: list[object] = ["30 W", 30, None, "30", 1 / 3, "8 h", "20 W"]

    def ask() -> object:
        answer = answers.pop(0)
        if answer == 1 / 3:
            raise OSError("no answer from the inverter")
        return answer

    budget = parse_budget(ask)
    assert isinstance(budget, ChangingBudget)
    assert budget.now == StartBudget()
    with caplog.at_level(logging.WARNING):
        assert [budget.refresh() for _ in range(6)] == [True, False, True, False, False, False]
        assert budget.now == StartBudget()
        assert budget.refresh()
    assert str(budget.now) == "20 W"
    (record,) = caplog.records
    assert "the last one stays" in record.message
