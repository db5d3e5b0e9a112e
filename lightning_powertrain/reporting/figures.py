"""Paints a chart with matplotlib: the Pareto plot of the report as a figure, for files and loggers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_powertrain.reporting.chart import HEIGHT, TEXT, WIDTH, Chart, Dots, Line, Mark, Shape, Words
from lightning_powertrain.reporting.drawing import new_figure
from lightning_powertrain.reporting.marks import LINES, MARKS, WHITE, WORDS
from lightning_powertrain.reporting.pareto import pareto_chart
from lightning_powertrain.reporting.saved_run import SavedRun
from lightning_powertrain.reporting.summary import run_summary
from lightning_powertrain.tuning import Outcome

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Points of an inch, in which matplotlib measures text and lines.
_POINTS = 72.0
_DPI = 216
_HEADING = 36.0
_ANCHORS = {"start": "left", "middle": "center", "end": "right"}


def pareto_figure(outcome: Outcome) -> Figure:
    """Draw the Pareto plot of the report: what was measured and predicted, the front, start, choice and presets.

    Power (W) is on x, minibatch time (ms) on y. No global state of matplotlib is used or changed.

    Raises:
        MissingPackageError: If matplotlib is not installed.
    """
    return chart_figure([pareto_chart(SavedRun(run_summary(outcome), outcome.profile))])


def chart_figure(charts: Sequence[Chart], columns: int = 1, heading: str = "") -> Figure:
    """Charts side by side, at the size for which they were laid out.

    Raises:
        MissingPackageError: If matplotlib is not installed.
    """
    rows = math.ceil(len(charts) / columns)
    above = _HEADING if heading else 0.0
    width, height = columns * WIDTH, rows * HEIGHT + above
    figure = new_figure(width / _POINTS, height / _POINTS, dpi=_DPI // columns, fitted=False)
    if heading:
        figure.suptitle(heading, fontsize=TEXT, y=1 - 6 / height)
    for number, chart in enumerate(charts):
        row, column = divmod(number, columns)
        place = (column / columns, (rows - row - 1) * HEIGHT / height, 1 / columns, HEIGHT / height)
        _paint_all(figure.add_axes(place), chart)
    return figure


def save_figure(outcome: Outcome, path: str | Path) -> None:
    """Write :func:`pareto_figure` to ``path``; the suffix determines the format.

    Raises:
        MissingPackageError: If matplotlib is not installed.
    """
    pareto_figure(outcome).savefig(path)


def _paint_all(axes: Axes, chart: Chart) -> None:
    """Paint a chart on axes of which nothing else is used."""
    axes.set(xlim=(0, WIDTH), ylim=(HEIGHT, 0))
    axes.set_axis_off()
    for layer, shape in enumerate(chart.shapes):
        _paint(axes, shape, layer)


def _paint(axes: Axes, shape: Shape, layer: int) -> None:
    if isinstance(shape, Line):
        _paint_line(axes, shape, layer)
    elif isinstance(shape, Dots):
        _paint_dots(axes, shape, layer)
    elif isinstance(shape, Mark):
        for line in shape.intervals:
            _paint_line(axes, line, layer)
        _paint_mark(axes, shape, layer)
    else:
        _paint_words(axes, shape, layer)


def _paint_line(axes: Axes, line: Line, layer: int) -> None:
    look = LINES[line.kind]
    xs, ys = zip(*line.points)
    dashes: dict[str, Any] = {"dashes": (4, 2.4)} if look.dashed else {}
    axes.plot(xs, ys, c=look.colour, linewidth=look.width, alpha=look.opacity, zorder=layer, label=line.kind, **dashes)


def _paint_dots(axes: Axes, dots: Dots, layer: int) -> None:
    if not dots.points:
        return
    look = MARKS[dots.kind]
    xs, ys = zip(*dots.points)
    # matplotlib counts the area of the square around a dot, in points of an inch.
    area = (2 * look.radius) ** 2
    axes.scatter(xs, ys, s=area, c=look.fill, alpha=look.opacity, linewidths=0, zorder=layer, label=dots.kind)


def _paint_mark(axes: Axes, mark: Mark, layer: int) -> None:
    from matplotlib.patches import Circle, Patch, Polygon

    look = MARKS[mark.kind]
    x, y = mark.at
    colours: dict[str, Any] = {"facecolor": look.fill or "none", "edgecolor": look.edge or "none"}
    colours.update(alpha=look.opacity, linewidth=look.edge_width, zorder=layer, label=mark.kind)
    corners = [(x + dx, y + dy) for dx, dy in look.corners]
    patch: Patch = Polygon(corners, **colours) if corners else Circle((x, y), look.radius, **colours)
    axes.add_patch(patch)


def _paint_words(axes: Axes, words: Words, layer: int) -> None:
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.5, foreground=WHITE)]
    rotation = 90 if words.rotated else 0
    look: dict[str, Any] = {"fontsize": TEXT, "color": WORDS[words.kind], "ha": _ANCHORS[words.anchor]}
    look.update(va="baseline", rotation=rotation, zorder=layer, parse_math=False, path_effects=halo)
    axes.text(*words.at, words.text, **look)
