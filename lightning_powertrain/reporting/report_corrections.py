"""The section of the report on what happened after the lock."""

from __future__ import annotations

from html import escape
from typing import Any

from lightning_powertrain.reporting.markup import figure, row, table
from lightning_powertrain.reporting.saved_run import SavedRun
from lightning_powertrain.reporting.tables import WORDS, difference, duration


def corrections(run: SavedRun) -> str:
    """What had moved and what was done about it; nothing if nothing had."""
    made = run.summary["corrections"]
    if not made:
        return ""
    rows = [row(_cells(number, each)) for number, each in enumerate(made, start=1)]
    return "\n".join(
        [
            "<h2>After the lock</h2>",
            table(["", "what showed it", "time of the locked mode", "its power", "what was done", "took"], rows),
            '<p class="note">Small figures: when it was locked, and the change since. Each correction has a report of '
            "its own, in correction-1 and so on.</p>",
        ]
    )


def _cells(number: int, correction: dict[str, Any]) -> list[str | tuple[str, dict[str, int]]]:
    before, now = correction["before"], correction["now"]
    cause = f" ({now['throttled_by']})" if now["throttled_by"] else ""
    return [
        str(number),
        escape(f"{correction['sign']}{cause}"),
        *(_moved(before[cost], now[cost], cost, unit) for cost, unit in (("time_ms", "ms"), ("power_w", "W"))),
        (correction["action"], correction["mode"]),
        escape("?" if correction["seconds"] is None else duration(correction["seconds"])),
    ]


def _moved(before: float, now: float, cost: str, unit: str) -> str:
    moved = difference(before, now, *WORDS[cost])
    return f"{figure(now, unit)}<small>{figure(before, unit)}</small><small>{escape(moved)}</small>"
