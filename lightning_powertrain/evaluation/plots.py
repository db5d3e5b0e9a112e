"""Runs as figures: errors and what choices cost by method, and Pareto fronts."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from lightning_powertrain.errors import PowerTrainError
from lightning_powertrain.evaluation.bench import Run
from lightning_powertrain.evaluation.cases import Case
from lightning_powertrain.evaluation.methods import METHODS
from lightning_powertrain.evaluation.metrics import Decisions, FloatArray
from lightning_powertrain.evaluation.summary import group
from lightning_powertrain.reporting.chart import Chart
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
from lightning_powertrain.reporting.figures import chart_figure
from lightning_powertrain.selection import pareto_front

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ORANGE, _SKY, _YELLOW = "#E69F00", "#56B4E9", "#B8A200"
_COLOURS = (GREY, BLACK, _YELLOW, _SKY, _ORANGE, VERMILION, PURPLE, BLUE, GREEN, "#003F5C", "#8C2D04", "#5E3C99")
_MARKERS = "xPvs^DpoH*dX"
_PENALTIES = (-20, -10, -5, 0, 5, 10, 20, 50, 100, 200, 500, 1000)
# Recorded workloads may have any name.
_NOT_IN_FILE_NAMES = re.compile(r"[^\w.-]+")
# How many times as slow as the fastest a mode may be that is shown with a front: the slow ones would squeeze the rest.
_SHOWN = 6.0
_FRONT_LEGEND = (
    ("other", "all modes, true"),
    ("true-line", "true front"),
    ("front-line", "predicted front"),
    ("true", "its true costs"),
)
_SPREAD = "median and 10-90 % band over workloads and seeds"


def prepare_folder(folder: Path) -> None:
    """Make the folder, and fail before hours of work rather than after them.

    Raises:
        MissingPackageError: If matplotlib is not installed.
        PowerTrainError: If the folder cannot be made.
    """
    new_figure(1, 1)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PowerTrainError(f"The folder {folder} for figures cannot be made ({error}).") from error


def save_plots(runs: Sequence[Run], cases: Sequence[Case], heading: str, folder: Path) -> list[Path]:
    """Write all figures that the runs give material for; returns their paths.

    Args:
        runs: Of one experiment.
        cases: What they were on.
        heading: Where the figures come from, and whether they are simulated.
        folder: Where to; exists already.
    """
    paths = []
    for name, figure in _figures(runs, cases, heading):
        path = folder / f"{_NOT_IN_FILE_NAMES.sub('-', name)}.png"
        figure.savefig(path)
        paths.append(path)
    return paths


def _figures(runs: Sequence[Run], cases: Sequence[Case], heading: str) -> Iterator[tuple[str, Figure]]:
    predicting = [run for run in runs if run.errors is not None]
    if predicting:
        yield "errors", errors_figure(predicting, heading)
        yield "errors-by-seconds", errors_figure(predicting, heading, by_seconds=True)
    choosing = [run for run in runs if run.decisions is not None or run.verified is not None]
    learning = [run for run in choosing if not _is_stock(run)]
    if learning:
        yield "decisions-by-seconds", cost_figure(learning, heading)
    for modes in sorted({run.modes for run in learning if run.modes}):
        shown = [run for run in choosing if run.modes in (0, modes) or _is_stock(run)]
        yield f"decisions-{modes}-modes", decisions_figure(shown, f"{modes} measured modes", heading)
    # A front is one case's, and its figure is called after the workload.
    for case in cases if len({case.name for case in cases}) == len(cases) else ():
        own = [run for run in predicting if run.workload == case.name and run.seed == 0]
        if case.has_power and own:
            most = max(run.modes for run in own)
            yield f"front-{case.name}", front_figure([run for run in own if run.modes == most], case, heading)


def errors_figure(runs: Sequence[Run], heading: str, by_seconds: bool = False) -> Figure:
    """Errors of time and power: median over workloads and seeds, and their 10-90 % band, a line for each method.

    Args:
        runs: Of methods that predict.
        heading: Where the figures come from.
        by_seconds: Against the median of the seconds that measuring takes, instead of the number of modes.
    """
    figure = new_figure(10, 5)
    figure.suptitle(f"{heading}\n{_SPREAD}", fontsize="medium")
    has_power = any(np.isfinite(run.errors.power) for run in runs if run.errors)
    targets = ("time", "power") if has_power else ("time",)
    for column, target in enumerate(targets, start=1):
        axes = figure.add_subplot(1, len(targets), column)
        x = "profiling_s" if by_seconds else "modes"
        drawn = [_draw_band(axes, some, x, f"errors.{target}") for some in _by_title(runs).values()]
        axes.set_xlabel("Seconds of profiling" if by_seconds else "Measured modes")
        use_log_scale(axes, np.concatenate(drawn))
        axes.set_ylabel(f"MAPE of {target}, all modes (%)")
    legend_below(figure)
    return figure


def cost_figure(runs: Sequence[Run], heading: str) -> Figure:
    """What choices cost against the seconds that profiling takes with the paper's windows: median, and 10-90 % band.

    Dashed: if each choice is measured before it is kept; searches always do.

    Args:
        runs: Of methods that measure modes to learn from, where power is known.
        heading: Where the figures come from.
    """
    figure = new_figure(10, 5)
    figure.suptitle(
        f"{heading}\nunverified choices, and (dashed, searches) measured ones; {_SPREAD}", fontsize="medium"
    )
    penalty, above = figure.subplots(1, 2)
    for some in _by_title(runs).values():
        before, after = _before_and_after(some)
        for part, prefix, look in ((before, "", {}), (after, "verified.", _verified_look(some[0]))):
            if part:
                _draw_band(penalty, part, f"{prefix}profiling_s", f"{prefix}decisions.penalty", **look)
                _draw_band(above, part, f"{prefix}profiling_s", f"{prefix}decisions.above_half_w", **look)
    _use_symmetric_log_scale(penalty, 10, _PENALTIES)
    penalty.set_ylabel("Slower than the true optimum (%), mean over limits")
    above.set_ylabel("Choices more than 0.5 W above the limit (%)")
    for axes in (penalty, above):
        axes.set_xlabel("Seconds of profiling")
    legend_below(figure)
    return figure


def _draw_band(axes: Axes, runs: Sequence[Run], x: str, y: str, **look: Any) -> FloatArray:
    """Draw a figure of one method's runs, such as ``errors.time``, against another; returns the ends of its bands."""
    middles, quantiles = [], []
    for some in group(runs).values():
        middles.append(float(np.median([attrgetter(x)(run) for run in some])))
        quantiles.append(np.quantile([attrgetter(y)(run) for run in some], [0.1, 0.5, 0.9]))
    low, middle, high = np.transpose(quantiles)
    look = {"label": runs[0].title, **_look(runs[0]), **look}
    axes.fill_between(middles, low, high, color=look["color"], alpha=0.12, linewidth=0)
    axes.plot(middles, middle, **look)
    use_grid(axes)
    return np.concatenate([low, high])


def decisions_figure(runs: Sequence[Run], title: str, heading: str) -> Figure:
    """What choices cost against the power limit: median penalty and mean excess over workloads and seeds.

    Dashed: if each choice is measured before it is kept, where that was tried; searches always do.
    """
    figure = new_figure(10, 5.5)
    figure.suptitle(f"{heading}: {title}", fontsize="medium")
    penalty, excess = figure.subplots(1, 2)
    for title, some in _by_title(runs).items():
        before, after = _before_and_after(some)
        look = {"label": title, **_look(some[0]), "markevery": 4}
        _draw_decisions(penalty, excess, [run.decisions for run in before if run.decisions], look)
        look.update(_verified_look(some[0]))
        _draw_decisions(penalty, excess, [run.verified.decisions for run in after if run.verified], look)
    penalty.axhline(0, c=BLACK, linewidth=0.8)
    _use_symmetric_log_scale(penalty, 10, _PENALTIES)
    penalty.set_ylabel("Slower than the true optimum (%), median")
    _use_symmetric_log_scale(excess, 0.1, (0, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50))
    excess.set_ylim(bottom=0)
    excess.set_ylabel("True power above the limit (W), mean")
    for axes in (penalty, excess):
        axes.set_xlabel("Power limit (W)")
        use_grid(axes)
    legend_below(figure)
    return figure


def _use_symmetric_log_scale(axes: Axes, linear: float, ticks: Sequence[float]) -> None:
    """Linear near zero and logarithmic beyond: some methods are off by a hundred times as much as others."""
    from matplotlib.ticker import FixedLocator

    axes.set_yscale("symlog", linthresh=linear)
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter("{x:g}")


def _draw_decisions(penalty: Axes, excess: Axes, decisions: Sequence[Decisions], look: dict[str, Any]) -> None:
    """Workloads differ in the limits that they can meet: each limit counts those that can."""
    if not decisions:
        return
    limits_w = np.unique(np.concatenate([some.limits_w for some in decisions]))
    penalties = [_over(decisions, limit_w, lambda some: some.penalties) for limit_w in limits_w]
    excesses_w = [_over(decisions, limit_w, lambda some: some.excesses_w) for limit_w in limits_w]
    penalty.plot(limits_w, [np.median(values) for values in penalties], **look)
    excess.plot(limits_w, [np.mean(values) for values in excesses_w], **look)


def _over(decisions: Sequence[Decisions], limit_w: float, figure: Callable[[Decisions], FloatArray]) -> FloatArray:
    return np.concatenate([figure(some)[some.limits_w == limit_w] for some in decisions])


def front_figure(runs: Sequence[Run], case: Case, heading: str) -> Figure:
    """The true Pareto front of a workload, and what each method takes for it, a panel for each.

    Args:
        runs: On this workload, of methods that predict, with one number of modes and one seed.
        case: The workload.
        heading: Where the figures come from.
    """
    columns = math.ceil(math.sqrt(len(runs)))
    return chart_figure(
        [_front_chart(run, case) for run in runs],
        columns=columns,
        heading=f"{heading}\n{case.name}, {runs[0].modes} measured modes, seed {runs[0].seed}",
    )


def _front_chart(run: Run, case: Case) -> Chart:
    assert run.prediction is not None
    true, predicted = (
        list(zip(known.power_w.tolist(), known.time_ms.tolist())) for known in (case.truth, run.prediction)
    )
    front = [true[row] for row in pareto_front(case.truth.time_ms, case.truth.power_w)]
    taken = pareto_front(run.prediction.time_ms, run.prediction.power_w)
    powers, times = zip(*true)
    slowest = _SHOWN * front[-1][1]
    chart = Chart(run.title, (0.95 * min(powers), 1.03 * max(powers)), (0.93 * min(times), slowest))
    chart.dots("other", true)
    chart.staircase("true-line", front)
    chart.staircase("front-line", [predicted[row] for row in taken])
    chart.dots("true", [true[row] for row in taken])
    chart.legend(_FRONT_LEGEND)
    return chart


def _by_title(runs: Sequence[Run]) -> dict[str, list[Run]]:
    titles: dict[str, list[Run]] = {}
    for run in runs:
        titles.setdefault(run.title, []).append(run)
    return titles


def _before_and_after(runs: Sequence[Run]) -> tuple[list[Run], list[Run]]:
    """The runs whose choices are known as they are, and those whose choices are known as measured."""
    return [run for run in runs if run.decisions is not None], [run for run in runs if run.verified is not None]


def _is_stock(run: Run) -> bool:
    """Whether a method measures nothing but stock modes, however many others do."""
    return METHODS[run.method].sampler is None and not METHODS[run.method].searches


def _verified_look(run: Run) -> dict[str, Any]:
    """What distinguishes choices that were measured from those that were not, where a method has both."""
    return {} if METHODS[run.method].searches else {"label": f"{run.title}, verified", "linestyle": "--"}


def _look(run: Run) -> dict[str, Any]:
    """The same colour and marker for a method, and its reference, in all figures."""
    index = list(METHODS).index(run.method) + crc32(run.reference.encode())
    colour, marker = _COLOURS[index % len(_COLOURS)], _MARKERS[index % len(_MARKERS)]
    return {"color": colour, "marker": marker, "markersize": 4, "linewidth": 1.4}
