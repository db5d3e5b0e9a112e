"""The Pareto plot of a saved run as inline SVG: no script, no package; a point says its figures when it is pointed at.

Lengths are those of the view box, which is as wide as a small phone; a browser scales it.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.reporting.figures import LOG_RATIO
from lightning_powertrain.reporting.saved_run import SavedRun
from lightning_powertrain.reporting.tables import energy_j, quantity

_WIDTH, _HEIGHT = 400.0, 400.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 54.0, 392.0, 10.0, 306.0
_HINT_TOP, _LINE = 352.0, 14.0
_HINT_CHARACTERS = 62
# A budget further out than this share of the highest figure would squeeze everything else.
_FAR = 1.25


@dataclass(frozen=True)
class _Point:
    """One mode on the plot, and what is said of it."""

    kind: str
    label: str
    mode: dict[str, int]
    time_ms: float
    power_w: float
    time_range_ms: tuple[float, float] | None = None
    power_range_w: tuple[float, float] | None = None

    @property
    def hint(self) -> list[str]:
        figures = [
            _figure(self.time_ms, self.time_range_ms, "ms"),
            _figure(self.power_w, self.power_range_w, "W"),
            quantity(energy_j(self.time_ms, self.power_w), "J"),
        ]
        texts = (f"{self.label}: {', '.join(figures)}", str(PowerMode(**self.mode)))
        return [line for text in texts for line in textwrap.wrap(text, _HINT_CHARACTERS)]


@dataclass(frozen=True)
class _Axis:
    """Maps values to a length, linearly or by their logarithm."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def at(self, value: float) -> float:
        scale: Callable[[float], float] = math.log if self.is_log else float
        low, high = scale(self.low), scale(self.high)
        return self.start + (scale(value) - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        ticks = _log_ticks(self.low, self.high) if self.is_log else _linear_ticks(self.low, self.high)
        return [tick for tick in ticks if self.low <= tick <= self.high]


def pareto_svg(run: SavedRun) -> str:
    """Power (W) on x, minibatch time (ms) on y: some predicted modes, the front, what was measured, choice, budget."""
    predicted, limits = run.summary["predicted"], run.summary["budget"]["limits"]
    points = list(_points(run))
    others = list(zip(predicted["others"]["power_w"], predicted["others"]["time_ms"]))
    x, y = _axes(points, others, limits)
    front = [(x.at(each.power_w), y.at(each.time_ms)) for each in points if each.kind == "front"]
    dots = "".join(f'<circle class="other" cx="{x.at(w):.1f}" cy="{y.at(ms):.1f}" r="1.4"/>' for w, ms in others)
    parts = [_grid(x, y), dots, _staircase(front), *_budget(limits, x, y)]
    parts += [_drawn(each, x, y) for each in points]
    label = "Power and minibatch time of the power modes; the tables below hold the figures"
    return (
        f'<svg class="pareto" viewBox="0 0 {_WIDTH:g} {_HEIGHT:g}" role="group" aria-label="{label}">'
        + "\n".join(parts)
        + "</svg>"
    )


def _points(run: SavedRun) -> Iterator[_Point]:
    """What is drawn, the most important last and so on top."""
    about = run.summary
    chosen, start = about["chosen"], about["start"]
    for each in about["predicted"]["front"]:
        yield _point("front", "predicted, on the front", each)
    for measured in run.profile.measurements:
        yield _Point("measured", "measured", dict(measured.mode), measured.time_ms, measured.power_w)
    for each in about["compared"]:
        if each["time_ms"] is not None and each["power_w"] is not None and each["mode"] != start["mode"]:
            how = "measured" if each["measured"] else "predicted"
            yield _point(f"preset {how}", f"{', '.join(each['names'])}, {how}", each)
    yield _point("start", "start, measured", start)
    if chosen["measured"] != {name: chosen["predicted"][name] for name in ("time_ms", "power_w", "energy_j")}:
        yield _point("expected", "chosen, predicted", {"mode": chosen["mode"], **chosen["predicted"]})
    if chosen["measured"] is not None:
        yield _point("chosen", "chosen, measured", {"mode": chosen["mode"], **chosen["measured"]})


def _point(kind: str, label: str, known: dict[str, Any]) -> _Point:
    time_range, power_range = known.get("time_range_ms"), known.get("power_range_w")
    return _Point(
        *(kind, label, known["mode"], known["time_ms"], known["power_w"]),
        time_range and (time_range[0], time_range[1]),
        power_range and (power_range[0], power_range[1]),
    )


def _axes(
    points: Sequence[_Point], others: Sequence[tuple[float, float]], limits: dict[str, float]
) -> tuple[_Axis, _Axis]:
    powers = [power for power, _ in others] + [each.power_w for each in points]
    times = [time for _, time in others] + [each.time_ms for each in points]
    powers += [end for each in points for end in each.power_range_w or ()]
    times += [end for each in points for end in each.time_range_ms or ()]
    powers += [limit for limit in [limits.get("power_w", math.inf)] if limit <= _FAR * max(powers)]
    times += [limit for limit in [limits.get("time_ms", math.inf)] if limit <= _FAR * max(times)]
    is_log = max(times) > LOG_RATIO * min(times)
    return (
        _Axis(0.97 * min(powers), 1.03 * max(powers), _LEFT, _RIGHT),
        _Axis(0.93 * min(times), 1.07 * max(times), _BOTTOM, _TOP, is_log),
    )


def _linear_ticks(low: float, high: float) -> list[float]:
    """Round numbers, about five of them.

    >>> _linear_ticks(8.3, 61)
    [0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0]
    """
    rough = (high - low) / 6
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * factor for factor in (1, 2, 5, 10) if unit * factor >= rough)
    first = math.floor(low / step)
    return [step * index for index in range(first, math.ceil(high / step) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 of each decade; over many decades the 1 alone."""
    steps = (1, 2, 5) if high < 1e3 * low else (1,)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return [step * 10.0**decade for decade in decades for step in steps]


def _grid(x: _Axis, y: _Axis) -> str:
    parts = []
    for tick in x.ticks():
        at = x.at(tick)
        parts.append(f'<path class="grid" d="M{at:.1f} {_TOP:g}V{_BOTTOM:g}"/>')
        parts.append(f'<text x="{at:.1f}" y="{_BOTTOM + 15:g}" text-anchor="middle">{tick:g}</text>')
    for tick in y.ticks():
        at = y.at(tick)
        parts.append(f'<path class="grid" d="M{_LEFT:g} {at:.1f}H{_RIGHT:g}"/>')
        parts.append(f'<text x="{_LEFT - 5:g}" y="{at + 4:.1f}" text-anchor="end">{tick:g}</text>')
    middle = (_TOP + _BOTTOM) / 2
    parts.append(f'<text x="{(_LEFT + _RIGHT) / 2:g}" y="{_BOTTOM + 31:g}" text-anchor="middle">Power (W)</text>')
    turned = f'transform="rotate(-90 10 {middle:g})"'
    parts.append(f'<text x="10" y="{middle:g}" text-anchor="middle" {turned}>Minibatch time (ms)</text>')
    return "".join(parts)


def _staircase(front: Sequence[tuple[float, float]]) -> str:
    """Between two modes there is nothing to choose."""
    if not front:
        return ""
    (left, top), *rest = front
    return f'<path class="staircase" d="M{left:.1f} {top:.1f}{"".join(f"H{x:.1f}V{y:.1f}" for x, y in rest)}"/>'


def _budget(limits: dict[str, float], x: _Axis, y: _Axis) -> Iterable[str]:
    power, time = limits.get("power_w", math.inf), limits.get("time_ms", math.inf)
    if x.low <= power <= x.high:
        yield f'<path class="budget" d="M{x.at(power):.1f} {_TOP:g}V{_BOTTOM:g}"/>'
    if y.low <= time <= y.high:
        yield f'<path class="budget" d="M{_LEFT:g} {y.at(time):.1f}H{_RIGHT:g}"/>'


def _drawn(point: _Point, x: _Axis, y: _Axis) -> str:
    at_x, at_y = x.at(point.power_w), y.at(point.time_ms)
    shapes = []
    if point.power_range_w is not None:
        low, high = point.power_range_w
        shapes.append(f'<path class="range" d="M{x.at(low):.1f} {at_y:.1f}H{x.at(high):.1f}"/>')
    if point.time_range_ms is not None:
        low, high = point.time_range_ms
        shapes.append(f'<path class="range" d="M{at_x:.1f} {y.at(low):.1f}V{y.at(high):.1f}"/>')
    shapes.append(f'<g transform="translate({at_x:.1f} {at_y:.1f})">{_MARKS[point.kind]}</g>')
    lines = point.hint
    hint = "".join(
        f'<text class="hint" x="4" y="{_HINT_TOP + _LINE * row:g}">{escape(line)}</text>'
        for row, line in enumerate(lines)
    )
    # The few that matter are reached with the tabulator; all others by pointing, or a tap.
    tab = -1 if point.kind in ("front", "measured") else 0
    spoken = escape("; ".join(lines))
    return (
        f'<g class="point {point.kind}" tabindex="{tab}" role="img" aria-label="{spoken}">{"".join(shapes)}{hint}</g>'
    )


def mark(kind: str) -> str:
    """A point of a kind alone, for a legend."""
    return f'<svg class="key" viewBox="-8 -8 16 16" aria-hidden="true"><g class="point {kind}">{_MARKS[kind]}</g></svg>'


_SQUARE = '<rect x="-4" y="-4" width="8" height="8"/>'
_MARKS = {
    "front": '<circle r="1.8"/>',
    "measured": '<circle r="2.8"/>',
    "preset measured": _SQUARE,
    "preset predicted": _SQUARE,
    "start": '<path d="M0-6 6 0 0 6-6 0Z"/>',
    "expected": '<circle r="6.5"/>',
    "chosen": '<path d="M0-8 2-2.6 7.6-2.5 3.1 1 4.7 6.5 0 3.3-4.7 6.5-3.1 1-7.6-2.5-2-2.6Z"/>',
}


def _figure(value: float, ends: tuple[float, float] | None, unit: str) -> str:
    if ends is None:
        return quantity(value, unit)
    return f"{quantity(value, unit)} ({ends[0]:.3g} to {ends[1]:.3g})"
