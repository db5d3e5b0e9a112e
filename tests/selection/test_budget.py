"""What users may write for a budget, and what they may not."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.selection import (
    BUDGET_FORMS,
    LeastEnergy,
    LeastEnergyDelay,
    NoWorse,
    Objective,
    PowerBudget,
    TimeBudget,
    parse_budget,
)


@pytest.mark.parametrize(
    ("budget", "objective"),
    [
        (30, PowerBudget(30.0)),
        (27.5, PowerBudget(27.5)),
        (np.float64(30), PowerBudget(30.0)),
        (np.int64(30), PowerBudget(30.0)),
        (Fraction(61, 2), PowerBudget(30.5)),
        ("30", PowerBudget(30.0)),
        ("30 W", PowerBudget(30.0)),
        ("30W", PowerBudget(30.0)),
        ("  30 w\n", PowerBudget(30.0)),
        ("3e1 W", PowerBudget(30.0)),
        (".5 W", PowerBudget(0.5)),
        ("120 ms", TimeBudget(120.0)),
        ("120MS", TimeBudget(120.0)),
        ("1.5e2 ms", TimeBudget(150.0)),
        ("energy", LeastEnergy()),
        (" Energy ", LeastEnergy()),
        ("EDP", LeastEnergyDelay()),
        (None, None),
        (NoWorse(60.0, 40.0), NoWorse(60.0, 40.0)),
    ],
)
def test_forms_of_a_budget(budget: Any, objective: Objective | None) -> None:
    assert parse_budget(budget) == objective


@pytest.mark.parametrize(
    "budget",
    [
        *("", " ", "W", "ms", "30 X", "30 mW", "30 s", "30 W W", "30 W 120 ms", "W 30", "30, W", "30 W ms"),
        *("-30 W", "-1", "+30 W", "0", "0 W", "0.0 ms", "nan", "nan W", "inf", "inf W", "infinity", "-inf W"),
        *(
            "1e999",
            "1e999 W",
            "1e-999 W",
            "1e",
            "1e5.5",
            "1..2 W",
            ".",
            "1_000 W",
            "0x1e",
            "\u0663\u0660 W",
            "\uff13\uff10 W",
            "30 \uff37",
        ),
        *("energyy", "energy 30 W", "ed p", "none", "None", "auto"),
        *(0, 0.0, -1, -0.5, math.nan, math.inf, -math.inf, 10**400, -(10**400)),
        *(True, False, np.bool_(True), np.float64("nan")),
        *([30], (30, "W"), {"W": 30}, {30}, b"30", bytearray(b"30"), 30 + 0j, object, np.array([30.0]), PowerBudget),
    ],
    ids=repr,
)
def test_anything_else_is_refused_by_name_value_and_forms(budget: Any) -> None:
    with pytest.raises(ArgumentError) as refused:
        parse_budget(budget)
    assert str(refused.value) == f"budget={budget!r} is not valid. Allowed: {BUDGET_FORMS}."
    assert isinstance(refused.value, ValueError)


@given(limit=st.floats(min_value=1e-6, max_value=1e9), unit=st.sampled_from(["", "W", " W", "ms", " ms"]))
def test_a_limit_survives_being_written_down(limit: float, unit: str) -> None:
    objective = parse_budget(f"{limit!r}{unit}")
    assert objective == (TimeBudget(limit) if "ms" in unit else PowerBudget(limit))


@given(st.text() | st.floats() | st.integers() | st.binary() | st.booleans())
def test_a_budget_is_an_objective_with_a_sound_limit_or_an_argument_error(budget: Any) -> None:
    try:
        objective = parse_budget(budget)
    except ArgumentError:
        return
    assert isinstance(objective, (PowerBudget, TimeBudget, LeastEnergy, LeastEnergyDelay))
    limit = getattr(objective, "limit_w", getattr(objective, "limit_ms", 1.0))
    assert math.isfinite(limit)
    assert limit > 0
    assert type(limit) is float
