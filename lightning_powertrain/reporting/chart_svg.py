"""Paints a chart as inline SVG: no script, no package; colours are those of the page's style sheet."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from lightning_powertrain.reporting.chart import HEIGHT, TEXT, WIDTH, Chart, Dots, Line, Mark, Pair, Shape, Words
from lightning_powertrain.reporting.marks import MARKS

_LINE = 14.0
# The few marks that matter are reached with the tabulator; all others by pointing, or a tap.
_MINOR = ("front", "measured")


def chart_svg(chart: Chart, label: str) -> str:
    """The chart as an SVG element.

    Args:
        chart: The chart.
        label: What it shows, for those who do not see it.
    """
    # A hint is part of its mark, and lies over everything else.
    shapes = sorted(chart.shapes, key=lambda shape: isinstance(shape, Mark) and bool(shape.hint))
    parts = "\n".join(map(_painted, shapes))
    view = f'viewBox="0 0 {WIDTH:g} {HEIGHT:g}" font-size="{TEXT:g}"'
    return f'<svg class="pareto" {view} role="group" aria-label="{escape(label)}">{parts}</svg>'


def _painted(shape: Shape) -> str:
    if isinstance(shape, Line):
        return _path(shape)
    if isinstance(shape, Dots):
        return "".join(_circle(at, MARKS[shape.kind].radius, f' class="{shape.kind}"') for at in shape.points)
    return _words(shape) if isinstance(shape, Words) else _mark(shape)


def _path(line: Line) -> str:
    return f'<path class="{line.kind}" d="M{_points(line.points)}"/>'


def _circle(at: Pair, radius: float, attributes: str = "") -> str:
    return f'<circle{attributes} cx="{at[0]:.1f}" cy="{at[1]:.1f}" r="{radius:g}"/>'


def _points(points: Sequence[Pair]) -> str:
    return " ".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _words(words: Words) -> str:
    x, y = words.at
    turned = f' transform="rotate(-90 {x:g} {y:g})"' if words.rotated else ""
    return (
        f'<text class="{words.kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{words.anchor}"{turned}>'
        f"{escape(words.text)}</text>"
    )


def _mark(mark: Mark) -> str:
    look = MARKS[mark.kind]
    x, y = mark.at
    corners = [(x + dx, y + dy) for dx, dy in look.corners]
    shape = f'<path d="M{_points(corners)}Z"/>' if corners else _circle(mark.at, look.radius)
    shapes = "".join(map(_path, mark.intervals)) + f"<g>{shape}</g>"
    if not mark.hint:
        return f'<g class="mark {mark.kind}">{shapes}</g>'
    spoken = escape("; ".join(mark.hint))
    tab = -1 if mark.kind in _MINOR else 0
    opening = f'<g class="mark point {mark.kind}" tabindex="{tab}" role="img" aria-label="{spoken}">'
    return f"{opening}{shapes}{_hint(mark.hint)}</g>"


def _hint(lines: Sequence[str]) -> str:
    """Text over the top of the chart, which shows where somebody points at the mark."""
    back = f'<rect width="{WIDTH:g}" height="{_LINE * len(lines) + 6:g}"/>'
    rows = "".join(f'<text x="4" y="{_LINE * row:g}">{escape(line)}</text>' for row, line in enumerate(lines, start=1))
    return f'<g class="hint">{back}{rows}</g>'
