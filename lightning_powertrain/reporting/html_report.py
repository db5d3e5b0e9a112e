"""The report of a run: one HTML file that needs nothing else, made from what the run's folder holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.errors import FileFormatError
from lightning_powertrain.reporting.gain import gain
from lightning_powertrain.reporting.markup import figure, row, table
from lightning_powertrain.reporting.pareto_svg import mark, pareto_svg
from lightning_powertrain.reporting.report_corrections import corrections
from lightning_powertrain.reporting.report_measured import measuring, profile_table
from lightning_powertrain.reporting.saved_run import SavedRun
from lightning_powertrain.reporting.tables import (
    COSTS,
    SIMULATED,
    WORDS,
    difference,
    duration,
    energy_j,
    kept_costs,
    quantity,
)

_OTHER_CLUSTERS = " (not comparable)"

# Nothing is loaded, whatever a file may hold: the browser sees to it.
_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
"""


def write_report(run: SavedRun, path: str | Path) -> None:
    """Write :func:`html_report` to ``path``."""
    Path(path).write_text(html_report(run), encoding="utf-8")


def html_report(run: SavedRun) -> str:
    """The report as one HTML document, without scripts or references to anything outside it.

    Raises:
        FileFormatError: If something is missing in the summary of the run.
    """
    about = run.summary
    try:
        title = f"{about['workload']} on {about['board']}{f' ({SIMULATED})' if about['simulated'] else ''}"
        style = Path(__file__).with_name("report.css").read_text(encoding="utf-8")
        sections = [
            _HEAD.format(title=escape(f"Power mode: {title}"), style=style),
            _top(run, title),
            _comparison(about),
            corrections(run),
            _pareto(run),
            _predictions(run),
            measuring(run),
            profile_table(run),
            _provenance(about),
            "</body>\n</html>\n",
        ]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise FileFormatError(f"the summary of this run is damaged ({type(error).__name__}: {error})") from error
    return "\n".join(sections)


def why(run: SavedRun) -> str:
    """What was chosen and why, in one sentence."""
    about, budget = run.summary, run.summary["budget"]
    mode, kept = PowerMode(**about["chosen"]["mode"]), kept_costs(about)
    costs = f"{quantity(kept['time_ms'], 'ms')} a minibatch at {quantity(kept['power_w'], 'W')}"
    if about["chosen"]["measured"] is None:
        return f"{mode} is the best predicted mode for the budget ({budget['objective']}): {costs}, not measured."
    known = f"{len(run.profile)} measurements"
    if not budget["met"]:
        beyond = quantity(budget["measured_excess"], budget["unit"])
        return f"{mode} misses the budget ({budget['objective']}) by {beyond}, the least in {known}: {costs}."
    if about["chosen"]["mode"] == about["start"]["mode"]:
        return f"The start mode stays ({mode}), since none in {known} is better ({budget['objective']}): {costs}."
    unsure = "" if budget["confirmed"] else ", though within the budget by no more than noise"
    return f"{mode} is the best in {known} for the budget ({budget['objective']}): {costs}{unsure}."


def _top(run: SavedRun, title: str) -> str:
    about = run.summary
    parts = [f"<h1>{escape(title)}</h1>"]
    if about["simulated"]:
        parts.append(
            f'<p class="simulated"><b>{SIMULATED}</b>: no figure on this page was measured on a real board.</p>'
        )
    parts.append(f'<p class="lead">{escape(_lead(about))}</p>')
    parts.append(f"<p>{escape(why(run))}</p>")
    kept, start = kept_costs(about), about["start"]
    how = "measured" if about["chosen"]["measured"] else "predicted"
    tiles = (
        f'<div class="tile"><span>{label}</span><b>{figure(kept[cost], unit)}</b>'
        f"<span>{escape(_than(start[cost], kept[cost], cost, 'the start'))}</span></div>"
        for cost, unit, label in COSTS
    )
    parts.append(f'<div class="tiles">{"".join(tiles)}</div>')
    corrected = " The choice was corrected later: see below." if about["corrections"] else ""
    lowest = " The start is the lowest mode of the board, where a hard budget begins." if start["is_lowest"] else ""
    parts.append(f'<p class="note">Time, power and energy of the chosen mode, {how}.{lowest}{corrected}</p>')
    return "\n".join(parts)


def _lead(about: dict[str, Any]) -> str:
    sentence = gain(about)
    if about["chosen"]["measured"] is None:
        return f"Predicted: {sentence}."
    return f"{sentence[0].upper()}{sentence[1:]}."


def _than(one: float, other: float, cost: str, name: str) -> str:
    differs = difference(one, other, *WORDS[cost])
    return f"{differs} as {name}" if differs == "same" else f"{differs} than {name}"


# What it costs and saves.


def _comparison(about: dict[str, Any]) -> str:
    kept = kept_costs(about)
    costs = [figure(kept[cost], unit) for cost, unit, _ in COSTS]
    rows = [row([("chosen", about["chosen"]["mode"]), *costs, "", ""])]
    for known in about["compared"]:
        others = known.get("not_comparable", ())
        names = ", ".join(f"{name}{_OTHER_CLUSTERS * (name in others)}" for name in known["names"])
        name = f"{names}{'' if known['measured'] else ' (predicted)'}"
        cells = [_compared_cell(known, cost, unit) for cost, unit, _ in COSTS]
        cells += [_differences(known, kept), _break_even(known["break_even_minibatches"])]
        rows.append(row([(name, known["mode"]), *cells]))
    rows[0] = rows[0].replace("<tr>", '<tr class="chosen">', 1)
    headings = ["mode", "time a minibatch", "power", "energy a minibatch", "chosen is", "paid back after"]
    return "\n".join(
        [
            "<h2>What it costs and saves</h2>",
            table(headings, rows),
            '<p class="note">14 % faster: the same minibatches take 14 % less time. Small figures: the 90 % interval '
            "of what is predicted. Paid back: minibatches in the chosen mode until it has saved what profiling cost "
            "more than the "
            "same minibatches in that mode. MAXN: every knob at its maximum. Stock presets count by their cores and "
            "clocks. Not comparable: that preset has other GPU clusters on than this job had. Its row shows what its "
            "cores and clocks cost with the clusters of this job.</p>",
            f"<p>{escape(_cost_of_profiling(about))}</p>",
        ]
    )


def _compared_cell(known: dict[str, Any], cost: str, unit: str) -> str:
    if known[cost] is None:
        return "-"
    ends = {"time_ms": known["time_range_ms"], "power_w": known["power_range_w"]}.get(cost)
    interval = f"<small>{ends[0]:.3g} to {ends[1]:.3g}</small>" if ends else ""
    return f"{figure(known[cost], unit)}{interval}"


def _differences(known: dict[str, Any], kept: dict[str, Any]) -> str:
    words = [
        difference(known["time_ms"], kept["time_ms"], "slower", "faster"),
        f"{difference(known['power_w'], kept['power_w'], 'more', 'less')} power",
        f"{difference(known['energy_j'], kept['energy_j'], 'more', 'less')} energy",
    ]
    words[0] = "same speed" if words[0] == "same" else words[0]
    return "".join(f"<span>{escape(each)}</span>" for each in words)


def _break_even(minibatches: dict[str, int | None]) -> str:
    words = {name: "never" if count is None else f"{count:,}" for name, count in minibatches.items()}
    return f"<small>time: {words['time']}</small><small>energy: {words['energy']}</small>"


def _cost_of_profiling(about: dict[str, Any]) -> str:
    spent, extra = about["profiling"], about["profiling_extra"]
    text = f"Profiling measured {spent['modes']} power modes besides the start in {_duration(spent['seconds'])}"
    if extra["seconds"] is None or extra["energy_j"] is None:
        return f"{text}."
    return (
        f"{text}. Training went on meanwhile; the same minibatches in the start mode would have taken "
        f"{_more_or_less(extra['seconds'], 's')} time and {_more_or_less(extra['energy_j'] / 1e3, 'kJ')} energy."
    )


def _more_or_less(extra: float, unit: str) -> str:
    return f"{quantity(abs(extra), unit)} {'less' if extra >= 0 else 'more'}"


def _duration(seconds: float | None) -> str:
    return "?" if seconds is None else f"{duration(seconds)} ({seconds:.0f} s)"


# What is known of all modes.

_LEGEND = (
    ("front", "predicted front, 90 % intervals"),
    ("measured", "measured"),
    ("start", "start, measured"),
    ("preset measured", "MAXN or stock preset, measured"),
    ("preset predicted", "MAXN or stock preset, predicted"),
    ("expected", "chosen, predicted"),
    ("chosen", "chosen, measured"),
)


def _pareto(run: SavedRun) -> str:
    predicted, budget = run.summary["predicted"], run.summary["budget"]
    shown = f"{len(predicted['others']['time_ms'])} of {predicted['modes']:,} predicted modes"
    front = f"{len(predicted['front'])} of the {predicted['front_modes']} on the front"
    legend = "".join(f"<li>{mark(kind)}{escape(label)}</li>" for kind, label in _LEGEND)
    limits = " and ".join(quantity(budget["limits"][cost], unit) for cost, unit, _ in COSTS if cost in budget["limits"])
    dashed = f" Dashed: the budget, {limits}, where it is within the plot." if limits else ""
    return "\n".join(
        [
            "<h2>Power and time of the power modes</h2>",
            f"<figure>{pareto_svg(run)}",
            f'<ul class="legend">{legend}</ul>',
            f'<figcaption class="note">Point at a mark, or tap it, for its figures. Grey: {shown}; with {front}, '
            f"predicted.{escape(dashed)}</figcaption></figure>",
            _front(predicted["front"]),
        ]
    )


def _front(front: Sequence[dict[str, Any]]) -> str:
    rows = [
        row(
            [
                ("", each["mode"]),
                _with_interval(each["time_ms"], each["time_range_ms"], "ms"),
                _with_interval(each["power_w"], each["power_range_w"], "W"),
                figure(energy_j(each["time_ms"], each["power_w"]), "J"),
            ]
        )
        for each in front
    ]
    drawn = table(["mode", "time", "power", "energy a minibatch"], rows)
    return f"<details><summary>The front as a table: predicted, with 90 % intervals</summary>{drawn}</details>"


def _with_interval(value: float, ends: Sequence[float] | None, unit: str) -> str:
    return figure(value, unit) + (f"<small>{ends[0]:.3g} to {ends[1]:.3g}</small>" if ends else "")


def _predictions(run: SavedRun) -> str:
    chosen, fitted = run.summary["chosen"], run.summary["predicted"]["fitted"]
    predicted, measured = chosen["predicted"], chosen["measured"]
    parts = ["<h2>Predicted against measured</h2>"]
    if measured is not None and all(measured[cost] == predicted[cost] for cost, _, _ in COSTS):
        parts.append("<p>The chosen mode was measured before anything was predicted of it.</p>")
    else:
        rows = [row(_prediction_cells(predicted, measured, *cost)) for cost in COSTS]
        parts.append(table(["chosen mode", "predicted", "measured", "prediction is", "expected error"], rows))
    errors = [_median_error(fitted[cost], getattr(run.profile, cost)) for cost in ("time_ms", "power_w")]
    if None not in errors:
        parts.append(
            f'<p class="note">Over all measurements the predictor is off by {errors[0]:.1f} % in time and '
            f"{errors[1]:.1f} % in power (medians), after it has learned from those same measurements: that says how "
            "well it fits, not how well it predicts.</p>"
        )
    return "\n".join(parts)


def _prediction_cells(
    predicted: dict[str, Any], measured: dict[str, Any] | None, cost: str, unit: str, label: str
) -> list[str]:
    expected = predicted.get({"time_ms": "time_error", "power_w": "power_error"}.get(cost, ""))
    return [
        label,
        figure(predicted[cost], unit),
        "-" if measured is None else figure(measured[cost], unit),
        "-" if measured is None else escape(difference(measured[cost], predicted[cost], "too high", "too low")),
        "-" if expected is None else f"{100 * expected:.1f} %",
    ]


def _median_error(fitted: Sequence[float | None], measured: Iterable[float]) -> float | None:
    errors = [abs(mine / real - 1) * 100 for mine, real in zip(fitted, measured) if mine is not None]
    return float(np.median(errors)) if errors else None


# Where it comes from.


def _provenance(about: dict[str, Any]) -> str:
    reference = about["reference"]
    origin = "none, or the predictor does not tell"
    if reference is not None:
        how = SIMULATED if reference["simulated"] else "measured"
        origin = f"{reference['workload']} on {reference['board']}, {how}"
    facts = {
        "board": about["board"],
        "workload": about["workload"],
        "figures": SIMULATED if about["simulated"] else "measured on this board",
        "budget": about["budget"]["objective"],
        "reference": origin,
        "written": about["written"],
        **about["details"],
        **about["versions"],
    }
    rows = [row([escape(str(name).replace("_", " ")), escape(_fact(value))]) for name, value in facts.items()]
    body = "\n".join(rows)
    return f'<h2>Where this comes from</h2>\n<div class="wide"><table class="facts"><tbody>{body}</tbody></table></div>'


def _fact(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{str(name).replace('_', ' ')} {_fact(each)}" for name, each in value.items())
    return str(value)
