"""Runs as tables: medians over workloads and seeds, with their spread."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Literal

import numpy as np
from rich.table import Table

from lightning_powertrain.evaluation.bench import Run


def group(runs: Iterable[Run]) -> dict[tuple[str, int], list[Run]]:
    """Runs by title and number of modes, in order of appearance of the methods, by rising number of modes."""
    groups: dict[tuple[str, int], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.title, run.modes), []).append(run)
    order = list(dict.fromkeys(method for method, _ in groups))
    return {key: groups[key] for key in sorted(groups, key=lambda key: (order.index(key[0]), key[1]))}


def errors_table(runs: Sequence[Run], target: Literal["time", "power"]) -> Table:
    """How wrong predictions of the time or the power are, and how many of their 90 % intervals hold, in per cent."""
    table = _table(f"MAPE of {target}, %: median over workloads and seeds")
    for title in ("all modes", "10-90 % range", "worst", "unmeasured", "near front", "held"):
        table.add_column(title, justify="right")
    for (method, modes), some in group(run for run in runs if run.errors is not None).items():
        table.add_row(
            method,
            str(modes),
            _median(some, f"errors.{target}"),
            _range(some, f"errors.{target}"),
            _worst(some, f"errors.{target}"),
            _median(some, f"errors.{target}_unmeasured"),
            _median(some, f"errors.{target}_front"),
            _mean(some, f"errors.{target}_held"),
        )
    return table


def decisions_table(runs: Sequence[Run]) -> Table:
    """What choices within power limits cost, and what it takes to make them.

    How much slower they are than the optimum: median over runs. How many are above the limit: mean. Excess: largest.
    """
    table = _table("Choices within power limits, unverified, and the seconds that they took")
    for title in ("slower %", "10-90 %", "above %", ">0.5 W", ">1 W", "most W", "measure", "fit"):
        table.add_column(title, justify="right")
    for (method, modes), some in group(run for run in runs if run.decisions is not None).items():
        table.add_row(
            method,
            str(modes or "-"),
            _median(some, "decisions.penalty"),
            _range(some, "decisions.penalty"),
            _mean(some, "decisions.above"),
            _mean(some, "decisions.above_half_w"),
            _mean(some, "decisions.above_1_w"),
            _shown(max(run.decisions.largest_excess_w for run in some if run.decisions)),
            f"{np.median([run.profiling_s for run in some]):.0f}",
            f"{np.median([run.fit_s for run in some]):.1f}",
        )
    return table


def verified_table(runs: Sequence[Run]) -> Table:
    """What choices cost that were measured before they are kept; figures as in :func:`decisions_table`.

    Modes in all and their seconds, with windows that end once they are precise and with the paper's fixed ones, are
    those that one choice takes: mean.
    """
    table = _table("Choices that were measured before they are kept")
    for title in ("slower %", "10-90 %", "worst", ">0 W", ">0.5 W", "most W", "in all", "s", "fixed s"):
        table.add_column(title, justify="right")
    for (method, modes), some in group(run for run in runs if run.verified is not None).items():
        table.add_row(
            method,
            str(modes or "-"),
            _median(some, "verified.decisions.penalty"),
            _range(some, "verified.decisions.penalty"),
            _worst(some, "verified.decisions.penalty"),
            _mean(some, "verified.decisions.above"),
            _mean(some, "verified.decisions.above_half_w"),
            _shown(max(_finite(some, "verified.decisions.largest_excess_w"))),
            _mean(some, "verified.modes"),
            f"{np.mean(_finite(some, 'verified.adaptive_s')):.0f}",
            f"{np.mean(_finite(some, 'verified.profiling_s')):.0f}",
        )
    return table


def measured_table(runs: Sequence[Run]) -> Table:
    """How many of all modes that were measured on the way truly draw more than the limit, and the largest excess."""
    table = _table("Measured on the way to these choices")
    for title in ("in all", "above %", ">0.5 W", ">1 W", "most W"):
        table.add_column(title, justify="right")
    for (method, modes), some in group(run for run in runs if run.verified is not None).items():
        beyond_w = np.concatenate([run.verified.beyond_w for run in some if run.verified is not None])
        shares = (f"{100 * np.mean(beyond_w > excess_w):.2f}" for excess_w in (0.0, 0.5, 1.0))
        table.add_row(method, str(modes or "-"), f"{len(beyond_w):,}", *shares, f"{max(0.0, beyond_w.max()):.2f}")
    return table


def _table(title: str) -> Table:
    table = Table(title=title, box=None, pad_edge=False, padding=(0, 1, 0, 0), title_justify="left")
    table.add_column("method", no_wrap=True)
    table.add_column("modes", justify="right")
    return table


def _finite(runs: Sequence[Run], figure: str) -> list[float]:
    """Values of a figure, such as ``errors.time``, where it is known."""
    values = (float(attrgetter(figure)(run)) for run in runs)
    return [value for value in values if np.isfinite(value)]


def _median(runs: Sequence[Run], figure: str) -> str:
    values = _finite(runs, figure)
    return _shown(float(np.median(values))) if values else "-"


def _mean(runs: Sequence[Run], figure: str) -> str:
    values = _finite(runs, figure)
    return _shown(float(np.mean(values))) if values else "-"


def _range(runs: Sequence[Run], figure: str) -> str:
    values = _finite(runs, figure)
    if not values:
        return "-"
    # Whole numbers where they are large: the table fits a terminal of 80 columns.
    low, high = (f"{value:.{int(abs(value) < 9.95)}f}" for value in np.quantile(values, [0.1, 0.9]))
    return f"{low}..{high}"


def _worst(runs: Sequence[Run], figure: str) -> str:
    values = _finite(runs, figure)
    return _shown(max(values)) if values else "-"


def _shown(value: float) -> str:
    return f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"
