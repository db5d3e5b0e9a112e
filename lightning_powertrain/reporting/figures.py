"""The Pareto figure: power and minibatch time of every mode, and where the choice lies."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lightning_powertrain.reporting.tables import title
from lightning_powertrain.selection import NoWorse, Objective, PowerBudget, TimeBudget, pareto_front
from lightning_powertrain.tuning.events import Outcome

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NO_MATPLOTLIB = "matplotlib is not installed; `pip install 'lightning-powertrain[plots]'` adds it"

# Colours of Okabe and Ito, which people with any form of colour blindness can tell apart.
_GREY, _BLACK, _BLUE, _GREEN, _VERMILION, _PURPLE = "#A8A8A8", "#000000", "#0072B2", "#009E73", "#D55E00", "#AA3377"

# From this ratio of slowest to fastest, a linear axis would squeeze the fast modes into a line.
_LOG_RATIO = 4.0


def pareto_figure(outcome: Outcome) -> Figure:
    """Draw all predicted modes, their Pareto front, the measured modes, the start, the choice and the budget.

    Power (W) is on x, minibatch time (ms) on y. No global state of matplotlib is used or changed.

    Raises:
        ModuleNotFoundError: If matplotlib is not installed; the message says how to install it.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(_NO_MATPLOTLIB) from missing
    drawing = Figure(figsize=(8, 5.5), dpi=120, layout="constrained")
    FigureCanvasAgg(drawing)
    axes = drawing.add_subplot()
    _draw_predicted(axes, outcome)
    _draw_budget(axes, outcome.selection.objective)
    _draw_measured(axes, outcome)
    _draw_choice(axes, outcome)
    axes.set(xlabel="Power (W)", ylabel="Minibatch time (ms)")
    axes.set_title(f"Power modes: {title(outcome)}", parse_math=False)
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    legend = drawing.legend(loc="outside lower center", ncols=4, frameon=False, fontsize="small")
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_alpha(1.0)
    return drawing


def save_figure(outcome: Outcome, path: str | Path) -> None:
    """Write :func:`pareto_figure` to ``path``; the suffix tells the format.

    Raises:
        ModuleNotFoundError: If matplotlib is not installed; the message says how to install it.
    """
    pareto_figure(outcome).savefig(path)


def _draw_predicted(axes: Axes, outcome: Outcome) -> None:
    time_ms, power_w = outcome.prediction.time_ms, outcome.prediction.power_w
    # A network may predict a negative time or power far from what it has seen: no place for it on the axes.
    real = (time_ms > 0) & (power_w > 0)
    time_ms, power_w = time_ms[real], power_w[real]
    size = np.clip(4e4 / max(1, len(time_ms)), 4, 16)
    axes.scatter(power_w, time_ms, s=size, c=_GREY, alpha=0.4, linewidths=0, rasterized=True, label="predicted modes")
    front = pareto_front(time_ms, power_w)
    # A staircase: between two modes there is nothing to choose.
    axes.plot(
        *(power_w[front], time_ms[front]),
        c=_GREEN,
        linewidth=1.6,
        drawstyle="steps-post",
        label="predicted Pareto front",
    )
    shown_ms = np.concatenate([time_ms, outcome.profile.time_ms])
    if shown_ms.max() > _LOG_RATIO * shown_ms.min():
        _use_log_scale(axes, shown_ms)


def _use_log_scale(axes: Axes, time_ms: npt.NDArray[np.float64]) -> None:
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axes.set_yscale("log")
    # Over many decades, a label at 1, 2 and 5 of each would be too many.
    steps = (1.0, 2.0, 5.0) if time_ms.max() < 1e3 * time_ms.min() else (1.0,)
    axes.yaxis.set_major_locator(LogLocator(subs=steps))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _draw_measured(axes: Axes, outcome: Outcome) -> None:
    sampled = outcome.sampled
    powers, times = [each.power_w for each in sampled], [each.time_ms for each in sampled]
    axes.scatter(
        powers, times, s=22, c=_BLUE, edgecolors="white", linewidths=0.5, zorder=3, label="measured while profiling"
    )


def _draw_choice(axes: Axes, outcome: Outcome) -> None:
    selection = outcome.selection
    start, measured = selection.start, selection.measured
    axes.scatter(start.power_w, start.time_ms, s=80, marker="D", c=_BLACK, edgecolors="white", zorder=4, label="start")
    ring: dict[str, Any] = {"s": 110, "c": "none", "edgecolors": _VERMILION, "linewidths": 1.6, "zorder": 5}
    axes.scatter(selection.power_w, selection.time_ms, label="chosen, predicted", **ring)
    if measured is not None:
        star: dict[str, Any] = {"s": 190, "marker": "*", "c": _VERMILION, "edgecolors": "white", "zorder": 6}
        axes.scatter(measured.power_w, measured.time_ms, label="chosen, measured", **star)
        powers, times = [selection.power_w, measured.power_w], [selection.time_ms, measured.time_ms]
        axes.plot(powers, times, c=_VERMILION, linewidth=1, zorder=4)


def _draw_budget(axes: Axes, objective: Objective) -> None:
    look: dict[str, Any] = {"c": _PURPLE, "linewidth": 1.3, "linestyle": "--", "zorder": 2}
    if isinstance(objective, PowerBudget):
        axes.axvline(objective.limit_w, label=f"budget: {objective.limit_w:g} W", **look)
    elif isinstance(objective, TimeBudget):
        axes.axhline(objective.limit_ms, label=f"budget: {objective.limit_ms:g} ms", **look)
    elif isinstance(objective, NoWorse):
        axes.axvline(objective.power_w, label="budget: no worse than the start", **look)
        axes.axhline(objective.time_ms, **look)
