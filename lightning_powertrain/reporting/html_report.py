"""The report of a run: one HTML file that needs nothing else, made from what the run's folder holds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.errors import FileFormatError
from lightning_powertrain.reporting.breakdown import breakdown_section
from lightning_powertrain.reporting.chart_svg import chart_svg
from lightning_powertrain.reporting.course_text import course_section
from lightning_powertrain.reporting.gain import gain
from lightning_powertrain.reporting.markup import figure, row, wide_table
from lightning_powertrain.reporting.pareto import pareto_chart
from lightning_powertrain.reporting.report_gain import comparison, corrections
from lightning_powertrain.reporting.report_measured import measuring, profile_table
from lightning_powertrain.reporting.saved_run import SavedRun
from lightning_powertrain.reporting.tables import (
    COSTS,
    SIMULATED,
    WORDS,
    difference,
    energy_j,
    kept_costs,
    quantity,
)
from lightning_powertrain.terminal import whole_figures

_PLOT = "Power and minibatch time of the power modes; the tables below hold the figures"

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
            comparison(about),
            breakdown_section(about),
            course_section(about),
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
    parts.append(f'<p class="lead">{escape(whole_figures(_lead(about)))}</p>')
    parts.append(f"<p>{escape(whole_figures(why(run)))}</p>")
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


# What is known of all modes.


def _pareto(run: SavedRun) -> str:
    predicted, budget = run.summary["predicted"], run.summary["budget"]
    shown = f"{len(predicted['others']['time_ms'])} of {predicted['modes']:,} predicted modes"
    front = f"{len(predicted['front'])} of the {predicted['front_modes']} on the front"
    limits = " and ".join(quantity(budget["limits"][cost], unit) for cost, unit, _ in COSTS if cost in budget["limits"])
    dashed = f" Dashed: the budget, {limits}, where it is within the plot." if limits else ""
    return "\n".join(
        [
            "<h2>Power and time of the power modes</h2>",
            f"<figure>{chart_svg(pareto_chart(run), _PLOT)}",
            f'<figcaption class="note">Point at a mark, or tap it, for its figures. Grey: {shown}; green: {front}; '
            f"modes that are much slower are left out.{escape(dashed)}</figcaption></figure>",
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
    drawn = wide_table(["mode", "time", "power", "energy"], rows)
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
        parts.append(wide_table(["chosen mode", "predicted", "measured", "prediction is", "expected error"], rows))
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
    origin = "none, or the predictor does not say"
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
