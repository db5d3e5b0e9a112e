"""Reads a power mode in the words in which it is printed."""

from __future__ import annotations

import re
from collections.abc import Sequence

from lightning_powertrain.boards.knobs import PER_MHZ, Knob, label_of
from lightning_powertrain.boards.modes import ModeSpace, PowerMode
from lightning_powertrain.errors import ArgumentError


def parse_mode(text: str, modes: ModeSpace) -> PowerMode:
    """The mode that is printed as ``text``.

    >>> from lightning_powertrain.boards import load_board
    >>> modes = load_board("orin-nano-8gb").modes
    >>> parse_mode(str(modes.lowest), modes) == modes.lowest
    True

    Args:
        text: What ``str(mode)`` gives, in any order and case.
        modes: The modes of the board.

    Raises:
        ArgumentError: If a knob is missing or there is something else; or if the board has no such mode. The message
            then names the nearest.
    """
    parts = [" ".join(part.split()).lower() for part in text.split(",")]
    wanted = {knob.name: _wanted(knob, parts) for knob in modes.knobs}
    values = {name: value for name, value in wanted.items() if value is not None}
    if len(values) < len(wanted) or len(parts) != len(wanted):
        raise ArgumentError.of("MODE", text, f'a value of each knob of this board, as in "{modes.highest}"')
    near = modes.at_most({knob.name: _nearest(knob, values[knob.name]) for knob in modes.knobs})
    if sorted(parts) != sorted(str(near).lower().split(", ")):
        raise ArgumentError.of("MODE", text, "values of this board's own tables", str(near))
    return near


def _wanted(knob: Knob, parts: Sequence[str]) -> float | None:
    """The value that one of the parts gives a knob, in the knob's unit."""
    label = label_of(knob.name)
    pattern = rf"{label} ([0-9]+(?:\.[0-9]+)?) mhz" if knob.unit else rf"([0-9]+) {label}?"
    found = [match for part in parts if (match := re.fullmatch(pattern, part))]
    return float(found[0][1]) * PER_MHZ.get(knob.unit, 1.0) if found else None


def _nearest(knob: Knob, wanted: float) -> int:
    return min(knob.values, key=lambda value: abs(value - wanted))
