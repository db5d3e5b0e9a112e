"""The Pareto plot of a run: the modes in the region that matters, named where a reader knows them."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.reporting.chart import Chart, Pair
from lightning_powertrain.reporting.saved_run import SavedRun
from lightning_powertrain.reporting.tables import energy_j, marked, quantity

NOT_COMPARABLE = "*"
"""Follows the name of a stock preset with other GPU clusters on than the job had."""

_HINT_CHARACTERS = 64
_NAME_CHARACTERS = 22
# What a budget may be beyond the modes that are shown, so that it does not squeeze them.
_FAR = 1.25

_LEGEND = (
    ("other", "predicted modes"),
    ("front-line", "predicted front"),
    ("measured", "measured"),
    ("expected", "chosen, predicted"),
    ("preset-predicted", "preset, predicted"),
)


@dataclass(frozen=True)
class Point:
    """One mode on the plot, what is said of it, and the name that stands beside it."""

    kind: str
    label: str
    mode: dict[str, int]
    time_ms: float
    power_w: float
    time_range_ms: Pair | None = None
    power_range_w: Pair | None = None
    name: str = ""

    @property
    def at(self) -> Pair:
        """Power and time."""
        return self.power_w, self.time_ms

    @property
    def hint(self) -> list[str]:
        """What is said of it, in lines."""
        figures = [
            _figure(self.time_ms, self.time_range_ms, "ms"),
            _figure(self.power_w, self.power_range_w, "W"),
            quantity(energy_j(self.time_ms, self.power_w), "J"),
        ]
        texts = (f"{self.label}: {', '.join(figures)}", str(PowerMode(**self.mode)))
        return [line for text in texts for line in textwrap.wrap(text, _HINT_CHARACTERS)]


def slowest_shown_ms(about: dict[str, Any]) -> float:
    """Where the plot of a run ends: modes much slower than those that a reader knows would squeeze the rest.

    Args:
        about: The summary of the run; what it predicts of all modes is not needed.
    """
    known = [about["chosen"]["predicted"], *filter(None, [about["chosen"]["measured"]])]
    # A hard budget starts in the lowest mode, which is the slowest of all.
    known += [each for each in about["compared"] if each["time_ms"] and not _is_lowest(about, each)]
    times = [each["time_ms"] for each in known]
    limit_ms: float = about["budget"]["limits"].get("time_ms", 0.0)
    slowest: float = max(1.15 * max(times), 2 * min(times))
    return max(slowest, 1.05 * limit_ms) if limit_ms <= _FAR * slowest else slowest


def _is_lowest(about: dict[str, Any], known: dict[str, Any]) -> bool:
    return bool(about["start"]["is_lowest"] and known["mode"] == about["start"]["mode"])


def pareto_chart(run: SavedRun) -> Chart:
    """Power (W) on x, minibatch time (ms) on y: predicted modes, the front, what was measured, choice, budget."""
    about, predicted = run.summary, run.summary["predicted"]
    points = list(_points(run))
    others = list(zip(predicted["others"]["power_w"], predicted["others"]["time_ms"]))
    chart = _framed(about, points, others)
    chart.dots("other", others)
    chart.staircase("front-line", [each.at for each in points if each.kind == "front"])
    chosen = [chart.at(*each.at) for each in points if each.kind in ("expected", "chosen")]
    named = [each for each in points if each.name]
    chart.take(each.at for each in named)
    for each in points:
        if each.name or chart.shows(*each.at):
            chart.mark(each.kind, each.at, (each.power_range_w, each.time_range_ms), each.hint)
    if len(chosen) > 1:
        chart.connect("link", chosen)
    chart.limit(**about["budget"]["limits"])
    present = {"other", "front-line"} | {each.kind for each in points}
    legend = [entry for entry in _LEGEND if entry[0] in present]
    if any(NOT_COMPARABLE in each.name for each in named):
        legend.append(("", f"{NOT_COMPARABLE} not comparable"))
    chart.legend(legend)
    for each in named:
        beyond = "" if chart.shows(*each.at) else f", {quantity(each.time_ms, 'ms')}"
        chart.label(f"{each.name}{beyond}", each.at)
    chart.label_limit(**about["budget"]["limits"])
    return chart


def _framed(about: dict[str, Any], points: Sequence[Point], others: Sequence[Pair]) -> Chart:
    """An empty chart of the region that matters."""
    slowest = slowest_shown_ms(about)
    shown = [mode for mode in (*others, *(each.at for each in points)) if mode[1] <= slowest]
    powers, times = zip(*shown)
    limit_w = about["budget"]["limits"].get("power_w", math.inf)
    most_w = max(max(powers), limit_w) if limit_w <= _FAR * max(powers) else max(powers)
    margin = 0.04 * (most_w - min(powers))
    title = marked(f"{about['workload']} on {about['board']}", about["simulated"])
    return Chart(title, (min(powers) - margin, most_w + margin), (0.93 * min(times), slowest))


def _points(run: SavedRun) -> Iterator[Point]:
    """What is drawn, the most important last and so on top."""
    about = run.summary
    chosen, start, compared = about["chosen"], about["start"], about["compared"]
    for each in about["predicted"]["front"]:
        yield _point("front", "predicted, on the front", each)
    for measured in run.profile.measurements:
        yield Point("measured", "measured", dict(measured.mode), measured.time_ms, measured.power_w)
    for each in compared[1:]:
        if each["time_ms"] is not None and each["power_w"] is not None and each["mode"] != chosen["mode"]:
            how = "measured" if each["measured"] else "predicted"
            kind = "preset" if each["measured"] else "preset-predicted"
            yield _point(kind, f"{', '.join(each['names'])}, {how}", each, _names(each, each["names"]))
    stock = _names(compared[0], compared[0]["names"][1:])
    start_name = "lowest" if start["is_lowest"] else f"start ({stock})" if stock else "start"
    yield _point("start", f"{start_name}, measured", start, start_name if chosen["mode"] != start["mode"] else "")
    if chosen["measured"] != {name: chosen["predicted"][name] for name in ("time_ms", "power_w", "energy_j")}:
        name = "" if chosen["measured"] else "chosen"
        yield _point("expected", "chosen, predicted", {"mode": chosen["mode"], **chosen["predicted"]}, name)
    if chosen["measured"] is not None:
        yield _point("chosen", "chosen, measured", {"mode": chosen["mode"], **chosen["measured"]}, "chosen")


def _names(known: dict[str, Any], names: Iterable[str]) -> str:
    shown = [f"{name}{NOT_COMPARABLE * (name in known['not_comparable'])}" for name in names]
    joined = ", ".join(shown)
    return joined if len(joined) <= _NAME_CHARACTERS else f"{shown[0]} +{len(shown) - 1}"


def _point(kind: str, label: str, known: dict[str, Any], name: str = "") -> Point:
    time, power = known.get("time_range_ms"), known.get("power_range_w")
    ranges = (time and (time[0], time[1]), power and (power[0], power[1]))
    return Point(kind, label, known["mode"], known["time_ms"], known["power_w"], *ranges, name=name)


def _figure(value: float, ends: Pair | None, unit: str) -> str:
    if ends is None:
        return quantity(value, unit)
    return f"{quantity(value, unit)} ({ends[0]:.3g} to {ends[1]:.3g})"
