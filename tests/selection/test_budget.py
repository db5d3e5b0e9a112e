"""What users may write for a budget, and what they may not."""

from __future__ import annotations

import math
import re
from datetime import datetime, time, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.profiling import Measurement
from lightning_powertrain.selection import (
    BUDGET_FORMS,
    Budget,
    FixedBudget,
    JobDeadline,
    JobEnergy,
    JobTime,
    LeastEnergy,
    LeastEnergyDelay,
    LeastEnergyWithin,
    NoWorse,
    Objective,
    PowerBudget,
    Slower,
    StartBudget,
    TimeBudget,
    parse_budget,
)

NOW = datetime(2026, 11, 30, 17, 0)
START = Measurement(PowerMode(gpu_hz=1), time_ms=60.0, power_w=40.0)


def fixed(objective: Objective) -> Budget:
    return FixedBudget(objective, "")


def parsed(budget: object) -> Budget:
    return parse_budget(budget, now=lambda: NOW)


@pytest.mark.parametrize(
    ("budget", "meaning", "text"),
    [
        (30, fixed(PowerBudget(30.0)), "30 W"),
        (27.5, fixed(PowerBudget(27.5)), "27.5 W"),
        (np.float64(30), fixed(PowerBudget(30.0)), "30 W"),
        (np.int64(30), fixed(PowerBudget(30.0)), "30 W"),
        (Fraction(61, 2), fixed(PowerBudget(30.5)), "30.5 W"),
        ("30 W", fixed(PowerBudget(30.0)), "30 W"),
        ("30W", fixed(PowerBudget(30.0)), "30 W"),
        ("  30 w\n", fixed(PowerBudget(30.0)), "30 W"),
        ("30 watts", fixed(PowerBudget(30.0)), "30 W"),
        ("0.03 kW", fixed(PowerBudget(30.0)), "30 W"),
        ("0.07 kW", fixed(PowerBudget(70.0)), "70 W"),
        ("3e1 W", fixed(PowerBudget(30.0)), "30 W"),
        (".5 W", fixed(PowerBudget(0.5)), "0.5 W"),
        ("120 ms", fixed(TimeBudget(120.0)), "120 ms"),
        ("120MS", fixed(TimeBudget(120.0)), "120 ms"),
        ("0.12 s", fixed(TimeBudget(120.0)), "120 ms"),
        ("59.9 s", fixed(TimeBudget(59_900.0)), "59900 ms"),
        ("8 it/s", fixed(TimeBudget(125.0)), "125 ms"),
        ("30 W, 120 ms", fixed(LeastEnergyWithin(30.0, 120.0)), "30 W, 120 ms"),
        ("8 it/s,0.03kW", fixed(LeastEnergyWithin(30.0, 125.0)), "30 W, 125 ms"),
        ("5 % slower", StartBudget(5.0), "5 % slower"),
        ("5%slower", StartBudget(5.0), "5 % slower"),
        ("energy", fixed(LeastEnergy()), "energy"),
        (" Energy ", fixed(LeastEnergy()), "energy"),
        ("EDP", fixed(LeastEnergyDelay()), "edp"),
        ("8 h", JobTime(480.0), "8 h"),
        ("90 min", JobTime(90.0), "90 min"),
        ("1.5 h", JobTime(90.0), "90 min"),
        ("by 18:00", JobDeadline(time(18)), "by 18:00"),
        ("By 6:30", JobDeadline(time(6, 30)), "by 06:30"),
        ("by 2026-12-01T06:00", JobDeadline(datetime(2026, 12, 1, 6)), "by 2026-12-01T06:00"),
        ("50 Wh", JobEnergy(50.0), "50 Wh"),
        ("0.05 kWh", JobEnergy(50.0), "50 Wh"),
        ("180 kJ", JobEnergy(50.0), "50 Wh"),
        ("180000 J", JobEnergy(50.0), "50 Wh"),
    ],
)
def test_forms_of_a_budget(budget: Any, meaning: Budget, text: str) -> None:
    found = parsed(budget)
    assert found == meaning
    assert str(found) == text
    assert parsed(text) == found


def test_what_is_no_text() -> None:
    assert parsed(None) == StartBudget()
    assert parsed(StartBudget(5.0)) == StartBudget(5.0)
    assert parsed(LeastEnergy()).objective(START) == LeastEnergy()


def test_budgets_that_depend_on_the_start_mode() -> None:
    assert StartBudget().objective(START) == NoWorse(60.0, 40.0)
    assert StartBudget(5.0).objective(START) == Slower(60.0, 5.0)
    assert Slower(60.0, 5.0).time_limit_ms == pytest.approx(63.0)
    assert Slower(60.0, 5.0).after_drift(2.0, 1.0) == Slower(120.0, 5.0)


@pytest.mark.parametrize(
    ("budget", "meant"),
    [
        ("30", "30 W"),
        ("1e999", None),
        ("30,5 W", "30.5 W"),
        ("30 V", "30 W"),
        ("30 mW", "30 W"),
        ("-30 W", "30 W"),
        ("+30 W", "30 W"),
        ("30 W 120 ms", "30 W, 120 ms"),
        ("60 s", "1 min"),
        ("5400 s", "90 min"),
        ("90 m", "90 min"),
        ("8 hrs", "8 h"),
        ("8 hz", "125 ms"),
        ("5 %", "5 % slower"),
        ("50 kw/h", "50000 Wh"),
        ("18:00", "by 18:00"),
        ("by 18:00:30", "by 18:00"),
        ("by 2026-11-30T17:00", "by 17:00"),
        ("by 2020-01-01T06:00", "by 06:00"),
        ("energi", "energy"),
    ],
)
def test_a_slip_is_answered_with_what_was_likely_meant(budget: str, meant: str | None) -> None:
    with pytest.raises(ArgumentError) as refused:
        parsed(budget)
    question = f' Did you mean "{meant}"?' if meant else ""
    assert str(refused.value) == f"budget={budget!r} is not valid.{question} Allowed: {BUDGET_FORMS}."
    if meant is not None:
        assert str(parsed(meant)) == meant


@pytest.mark.parametrize(
    "budget",
    [
        *("", " ", "W", "ms", "30 W W", "W 30", "30, W", "30 W ms", "30 W, 40 W", "30 W, 90 min", "30 W, 5 % slower"),
        *("0 W", "0.0 ms", "0 it/s", "0 min", "0 % slower", "nan", "nan W", "inf", "inf W", "infinity", "-inf W"),
        *("1e999 W", "1e-999 W", "1e-999 it/s", "1e99999999999999999999 W", "1e", "1e5.5", "1..2 W", ".", "1_000 W"),
        *("0x1e", "\u0663\u0660 W", "\uff13\uff10 W", "30 \uff37"),
        *("energy 30 W", "none", "None", "auto", "by", "by 25:00", "by 2026-13-01T06:00", "by 2026-02-30T06:00"),
        *(0, 0.0, -1, -0.5, math.nan, math.inf, -math.inf, 10**400, -(10**400)),
        *(True, False, np.bool_(True), np.float64("nan")),
        *([30], (30, "W"), {30}, b"30", bytearray(b"30"), 30 + 0j, object, np.array([30.0]), PowerBudget),
    ],
    ids=repr,
)
def test_anything_else_is_refused_by_name_value_and_forms(budget: Any) -> None:
    with pytest.raises(ArgumentError) as refused:
        parsed(budget)
    assert str(refused.value).startswith(f"budget={budget!r} is not valid.")
    assert str(refused.value).endswith(f" Allowed: {BUDGET_FORMS}.")
    assert isinstance(refused.value, ValueError)


FIGURES = st.floats(min_value=1e-6, max_value=1e9)
UNITS = {
    "power": ("W", "watts", "kW"),
    "minibatch": ("ms", "it/s"),
    "slower": ("% slower",),
    "job time": ("min", "h", "minutes", "hours"),
    "job energy": ("Wh", "kWh", "J", "kJ"),
}
KINDS = {
    PowerBudget: "power",
    TimeBudget: "minibatch",
    StartBudget: "slower",
    JobTime: "job time",
    JobEnergy: "job energy",
}


def kind_of(budget: Budget) -> str:
    return KINDS[type(budget.goal if isinstance(budget, FixedBudget) else budget)]


@given(FIGURES, st.sampled_from([(kind, unit) for kind, units in UNITS.items() for unit in units]))
def test_the_unit_alone_decides_what_a_figure_limits(figure: float, form: tuple[str, str]) -> None:
    kind, unit = form
    for text in (f"{figure!r} {unit}", f"{figure!r}{unit}", f" {figure!r}  {unit.upper()} "):
        budget = parsed(text)
        assert kind_of(budget) == kind
        assert parsed(str(budget)) == budget


@given(FIGURES, FIGURES, st.sampled_from(UNITS["power"]), st.sampled_from(UNITS["minibatch"]))
def test_two_limits_in_either_order_are_one_budget(first: float, second: float, power: str, pace: str) -> None:
    budget = parsed(f"{first!r} {power}, {second!r} {pace}")
    assert parsed(f"{second!r} {pace},{first!r} {power}") == budget == parsed(str(budget))


@given(st.floats(min_value=1e-3, max_value=1e6))
def test_seconds_end_at_a_minute(seconds: float) -> None:
    if seconds < 60:
        assert kind_of(parsed(f"{seconds!r} s")) == "minibatch"
    else:
        with pytest.raises(ArgumentError, match="Did you mean"):
            parsed(f"{seconds!r} s")


@given(st.datetimes(min_value=datetime(2026, 11, 30, 17, 1), max_value=datetime(2200, 1, 1)))
def test_a_deadline_survives_being_written_down(at: datetime) -> None:
    at = at.replace(second=0, microsecond=0)
    dated, of_day = JobDeadline(at), JobDeadline(at.time())
    assert parsed(str(dated)) == dated
    assert parsed(str(of_day)) == of_day
    with pytest.raises(ArgumentError):
        parsed(f"by {(NOW - (at - NOW)).isoformat(timespec='minutes')}" if at - NOW < timedelta(days=9999) else "by")


@given(st.text() | st.floats() | st.integers() | st.binary() | st.booleans())
def test_anything_is_a_budget_or_an_argument_error(budget: Any) -> None:
    try:
        found = parsed(budget)
    except ArgumentError:
        return
    assert parsed(str(found)) == found


def test_the_forms_of_the_documentation_and_of_the_message_parse() -> None:
    page = Path(__file__).parents[2].joinpath("docs", "budgets.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if re.match(r"\| (`|nothing)", line)]
    forms = [form for row in rows for form in re.findall(r'`"([^"]+)"`', row.split("|")[1])]
    assert len(forms) > 5
    for form in [*forms, *re.findall(r'"([^"]+)"', BUDGET_FORMS)]:
        assert parsed(str(parsed(form))) == parsed(form)
