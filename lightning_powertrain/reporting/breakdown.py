"""Where a minibatch's time and watts go, and what would help beyond clocks, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from lightning_powertrain.reporting.markup import figure, row, wide_table
from lightning_powertrain.reporting.tables import quantity
from lightning_powertrain.tuning import Breakdown, Outcome

_LABELS = {
    "gpu": "GPU",
    "waiting": "waiting for data",
    "loading": "loading data",
    "launching": "launching",
    "other": "other",
}

_EXPLAINED = (
    "GPU: the GPU runs kernels. It is idle in all other parts. Waiting for data: the workers of the data loader are "
    "late. Loading data: the main thread loads the data itself. Launching: the data is ready, and the main thread "
    "launches kernels or does other work. Power is that of the rails; GPU and CPU draw power while they are idle, too."
)


def breakdown_notes(outcome: Outcome) -> list[str]:
    """Lines on where time and power go in the start and the chosen mode, and advice; nothing where nobody knows."""
    selection, measured = outcome.selection, outcome.selection.measured
    lines: list[str] = []
    if measured is None or measured.mode != selection.start.mode:
        lines += _mode_notes("start", selection.start.time_ms, selection.start.power_w, outcome.start_breakdown)
    if measured is not None:
        lines += _mode_notes("chosen", measured.time_ms, measured.power_w, outcome.chosen_breakdown)
    return [*lines, *(f"Beyond clocks: {each.text}." for each in outcome.advice)]


def _mode_notes(name: str, time_ms: float, power_w: float, breakdown: Breakdown) -> Iterator[str]:
    if breakdown.time_ms:
        parts = ", ".join(
            f"{_LABELS[part]} {100 * spent_ms / time_ms:.0f} %" for part, spent_ms in breakdown.time_ms.items()
        )
        yield f"Time in the {name} mode ({quantity(time_ms, 'ms')}): {parts}."
    if breakdown.power_w:
        parts = ", ".join(f"{fed} {quantity(watts, 'W')}" for fed, watts in breakdown.power_w.items())
        yield f"Power in the {name} mode ({quantity(power_w, 'W')}): {parts}."


def breakdown_section(about: Mapping[str, Any]) -> str:
    """The section of the report; nothing where nobody knows, as in runs that were saved without it."""
    breakdown = about.get("breakdown") or {}
    modes = [name for name in ("start", "chosen") if any(breakdown.get(name, {}).values())]
    if not modes:
        return ""
    rows = [*_rows(breakdown, modes, "time_ms", "ms", _LABELS), *_rows(breakdown, modes, "power_w", "W", {})]
    advice = "".join(f"<p>Beyond clocks: {escape(each['text'])}.</p>\n" for each in about.get("advice", ()))
    headings = ["", *(f"{name} mode" for name in modes)]
    return (
        "<h2>Where time and power go</h2>\n"
        f'{wide_table(headings, rows)}\n{advice}<p class="note">{escape(_EXPLAINED)}</p>'
    )


def _rows(
    breakdown: Mapping[str, Any], modes: list[str], cost: str, unit: str, labels: Mapping[str, str]
) -> Iterator[str]:
    parts = dict.fromkeys(part for mode in modes for part in breakdown[mode][cost])
    for part in parts:
        label = f"{'time' if unit == 'ms' else 'power'}: {labels.get(part, part)}"
        yield row([escape(label), *(_cell(breakdown[mode][cost], part, unit) for mode in modes)])


def _cell(parts: Mapping[str, float], part: str, unit: str) -> str:
    if part not in parts:
        return "-"
    return f"{figure(parts[part], unit)}<small>{100 * parts[part] / sum(parts.values()):.0f} %</small>"
