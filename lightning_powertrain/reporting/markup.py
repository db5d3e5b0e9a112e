"""Tables in HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.reporting.tables import quantity

# Columns that fit the width of a phone, and of a larger screen.
_FITTING_PHONE, _FITTING_SCREEN = 4, 8


def figure(value: float, unit: str) -> str:
    """A quantity and its unit."""
    return escape(quantity(value, unit))


def row(cells: Sequence[str | tuple[str, dict[str, int]]]) -> str:
    """One row; a cell is HTML, or the name and the values of a mode."""
    return f"<tr>{''.join(_cell(cell) for cell in cells)}</tr>"


def _cell(cell: str | tuple[str, dict[str, int]]) -> str:
    if isinstance(cell, str):
        return f"<td>{cell}</td>"
    name, mode = cell
    return f'<td class="mode">{escape(name)}<small>{escape(str(PowerMode(**mode)))}</small></td>'


def table(headings: Iterable[str], rows: Iterable[str]) -> str:
    """A table."""
    head = "".join(f'<th scope="col">{escape(heading)}</th>' for heading in headings)
    body = "\n".join(rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def wide_table(headings: Sequence[str], rows: Iterable[str]) -> str:
    """A table in a box of its own, in which it scrolls if it is wider than the page; the keyboard scrolls it too."""
    # Nothing else shows that there is more to the right.
    where = "" if len(headings) > _FITTING_SCREEN else " on-phone"
    hint = f'<p class="scrolls{where}">The table scrolls sideways.</p>' if len(headings) > _FITTING_PHONE else ""
    return f'{hint}<div class="wide" tabindex="0">{table(headings, rows)}</div>'
