"""The Pareto figure: power and minibatch time of every mode, and where the choice lies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lightning_powertrain.reporting.drawing import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    PURPLE,
    VERMILION,
    legend_below,
    new_figure,
    use_grid,
    use_log_scale,
)
from lightning_powertrain.reporting.tables import title
from lightning_powertrain.selection import NoWorse, Objective, PowerBudget, TimeBudget, pareto_front
from lightning_powertrain.tuning import Outcome

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# From this ratio of slowest to fastest, a linear axis would squeeze the fast modes into a line.
LOG_RATIO = 4.0


def pareto_figure(outcome: Outcome) -> Figure:
    """Draw all predicted modes, their Pareto front, the measured modes, the start, the choice and the budget.

    Power (W) is on x, minibatch time (ms) on y. No global state of matplotlib is used or changed.

    Raises:
        MissingPackageError: If matplotlib is not installed.
    """
    drawing = new_figure(8, 5.5)
    axes = drawing.add_subplot()
    _draw_predicted(axes, outcome)
    _draw_budget(axes, outcome.selection.objective)
    _draw_measured(axes, outcome)
    _draw_choice(axes, outcome)
    axes.set(xlabel="Power (W)", ylabel="Minibatch time (ms)")
    axes.set_title(f"Power modes: {title(outcome)}", parse_math=False)
    use_grid(axes)
    legend_below(drawing)
    return drawing


def save_figure(outcome: Outcome, path: str | Path) -> None:
    """Write :func:`pareto_figure` to ``path``; the suffix tells the format.

    Raises:
        MissingPackageError: If matplotlib is not installed.
    """
    pareto_figure(outcome).savefig(path)


def _draw_predicted(axes: Axes, outcome: Outcome) -> None:
    prediction = outcome.forecast.prediction
    time_ms, power_w = prediction.time_ms, prediction.power_w
    # A network may predict a negative time or power far from what it has seen: no place for it on the axes.
    real = (time_ms > 0) & (power_w > 0)
    time_ms, power_w = time_ms[real], power_w[real]
    size = np.clip(4e4 / max(1, len(time_ms)), 4, 16)
    axes.scatter(power_w, time_ms, s=size, c=GREY, alpha=0.4, linewidths=0, rasterized=True, label="predicted modes")
    front = pareto_front(time_ms, power_w)
    # A staircase: between two modes there is nothing to choose.
    axes.plot(
        *(power_w[front], time_ms[front]),
        c=GREEN,
        linewidth=1.6,
        drawstyle="steps-post",
        label="predicted Pareto front",
    )
    shown_ms = np.concatenate([time_ms, outcome.profile.time_ms])
    if shown_ms.max() > LOG_RATIO * shown_ms.min():
        use_log_scale(axes, shown_ms)


def _draw_measured(axes: Axes, outcome: Outcome) -> None:
    sampled = outcome.sampled
    powers, times = [each.power_w for each in sampled], [each.time_ms for each in sampled]
    axes.scatter(
        powers, times, s=22, c=BLUE, edgecolors="white", linewidths=0.5, zorder=3, label="measured while profiling"
    )


def _draw_choice(axes: Axes, outcome: Outcome) -> None:
    selection = outcome.selection
    start, measured = selection.start, selection.measured
    axes.scatter(start.power_w, start.time_ms, s=80, marker="D", c=BLACK, edgecolors="white", zorder=4, label="start")
    ring: dict[str, Any] = {"s": 110, "c": "none", "edgecolors": VERMILION, "linewidths": 1.6, "zorder": 5}
    axes.scatter(selection.power_w, selection.time_ms, label="chosen, predicted", **ring)
    if measured is not None:
        star: dict[str, Any] = {"s": 190, "marker": "*", "c": VERMILION, "edgecolors": "white", "zorder": 6}
        axes.scatter(measured.power_w, measured.time_ms, label="chosen, measured", **star)
        powers, times = [selection.power_w, measured.power_w], [selection.time_ms, measured.time_ms]
        axes.plot(powers, times, c=VERMILION, linewidth=1, zorder=4)


def _draw_budget(axes: Axes, objective: Objective) -> None:
    look: dict[str, Any] = {"c": PURPLE, "linewidth": 1.3, "linestyle": "--", "zorder": 2}
    if isinstance(objective, PowerBudget):
        axes.axvline(objective.limit_w, label=f"budget: {objective.limit_w:g} W", **look)
    elif isinstance(objective, TimeBudget):
        axes.axhline(objective.limit_ms, label=f"budget: {objective.limit_ms:g} ms", **look)
    elif isinstance(objective, NoWorse):
        axes.axvline(objective.power_w, label="budget: no worse than the start", **look)
        axes.axhline(objective.time_ms, **look)
