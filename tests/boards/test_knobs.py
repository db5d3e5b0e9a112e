"""A knob: its checks, its unit, and what a cap becomes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_powertrain.boards import Knob
from lightning_powertrain.errors import ArgumentError, UnknownTableError

tables = st.lists(st.integers(0, 3_000_000), min_size=1, max_size=30, unique=True).map(
    lambda drawn: tuple(sorted(drawn))
)


@pytest.mark.parametrize("values", [(2, 1), (1, 1), (-1, 2)])
def test_bad_values(values: tuple[int, ...]) -> None:
    with pytest.raises(ArgumentError, match=r"cpu_khz=.*distinct, ascending, non-negative"):
        Knob("cpu_khz", "cpu", values)


def test_unknown_role() -> None:
    role: Any = "dla"
    with pytest.raises(ArgumentError, match=r"role='dla'.*cores, cpu, gpu, emc, other"):
        Knob("dla_hz", role, (1,))


@pytest.mark.parametrize(("name", "unit"), [("a57_khz", "kHz"), ("gpu_hz", "Hz"), ("denver_cores", ""), ("khz", "")])
def test_unit_stands_in_the_name(name: str, unit: str) -> None:
    assert Knob(name, "other").unit == unit


@given(tables, st.integers(0, 3_500_000))
def test_cap_becomes_the_highest_value_below_it_or_the_lowest(values: tuple[int, ...], cap: int) -> None:
    floored = Knob("cpu_khz", "cpu", values).at_most(cap)
    higher_and_allowed = [value for value in values if floored < value <= cap]
    assert floored in values
    assert not higher_and_allowed
    assert floored <= cap or floored == min(values)


def test_cap_on_an_unknown_table() -> None:
    with pytest.raises(UnknownTableError, match="gpu_hz"):
        Knob("gpu_hz", "gpu").at_most(1)


def test_knobs_with_the_same_content_are_equal() -> None:
    assert Knob("cores", "cores", (1, 2)) == Knob("cores", "cores", (1, 2))
    assert len({Knob("cores", "cores", (1, 2)), Knob("cores", "cores", (1, 2)), Knob("cores", "cores", (1,))}) == 2
