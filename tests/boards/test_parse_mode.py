"""A mode is read in the words in which it is printed."""

from __future__ import annotations

import pytest

from lightning_powertrain.boards import board_names, load_board
from lightning_powertrain.boards.modes import parse_mode
from lightning_powertrain.errors import ArgumentError

COMPLETE = [name for name in board_names() if not load_board(name).unknown_knobs]
AGX = load_board("orin-agx-64gb").modes
MODE = AGX.mode(1234)


@pytest.mark.parametrize("name", COMPLETE)
def test_every_value_of_every_board_survives(name: str) -> None:
    modes = load_board(name).modes
    for row in {*range(0, len(modes), max(1, len(modes) // 500)), len(modes) - 1}:
        assert parse_mode(str(modes.mode(row)), modes) == modes.mode(row)
    for knob in modes.knobs:
        for value in knob.values:
            mode = {**modes.lowest, knob.name: value}
            assert parse_mode(str(modes.at_most(mode)), modes) == mode


def test_order_case_and_blanks_do_not_matter() -> None:
    parts = str(MODE).upper().split(", ")
    assert parse_mode(" ,  ".join(reversed(parts)), AGX) == MODE


@pytest.mark.parametrize(
    "text", ["", "MAXN", "4 cores", f"{MODE}, dla 614 MHz", f"{MODE}, 4 cores", str(MODE).replace("MHz", "GHz")]
)
def test_what_is_no_mode_gets_the_form(text: str) -> None:
    with pytest.raises(ArgumentError, match='Allowed: a value of each knob of this board, as in "12 cores, cpu'):
        parse_mode(text, AGX)


def test_values_that_the_board_lacks_get_the_nearest() -> None:
    text = "13 cores, cpu 2200 MHz, gpu 1 MHz, emc 3199 MHz"
    with pytest.raises(ArgumentError, match=r"Did you mean 12 cores, cpu 2201.6 MHz, gpu 114.75 MHz, emc 3199 MHz\?"):
        parse_mode(text, AGX)
