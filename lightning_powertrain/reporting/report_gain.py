"""The sections of the report on what the choice costs and saves, and on what happened to it after the lock."""

from __future__ import annotations

from html import escape
from typing import Any

from lightning_powertrain.reporting.markup import figure, row, wide_table
from lightning_powertrain.reporting.saved_run import SavedRun
from lightning_powertrain.reporting.tables import COSTS, WORDS, difference, duration, kept_costs, quantity
from lightning_powertrain.tuning import EnergyRates

_OTHER_CLUSTERS = " (not comparable)"


def comparison(about: dict[str, Any]) -> str:
    """The chosen mode beside the start, MAXN and the stock presets, and what profiling cost."""
    kept = kept_costs(about)
    costs = [figure(kept[cost], unit) for cost, unit, _ in COSTS]
    job = about["job"] and about["job"]["chosen"]
    rows = [row([("chosen", about["chosen"]["mode"]), "", *costs, *_job_cells(about, job), ""])]
    for known in about["compared"]:
        others = known.get("not_comparable", ())
        names = ", ".join(f"{name}{_OTHER_CLUSTERS * (name in others)}" for name in known["names"])
        name = f"{names}{'' if known['measured'] else ' (predicted)'}"
        costs = [_compared_cell(known, cost, unit) for cost, unit, _ in COSTS]
        costs += _job_cells(about, known["job"])
        cells = [_differences(known, kept), *costs, _break_even(known["break_even_minibatches"])]
        rows.append(row([(name, known["mode"]), *cells]))
    rows[0] = rows[0].replace("<tr>", '<tr class="chosen">', 1)
    whole = ["whole job"] if about["job"] else []
    headings = ["mode", "chosen is", "minibatch time", "power", "minibatch energy", *whole, "paid back after"]
    return "\n".join(
        [
            "<h2>What it costs and saves</h2>",
            wide_table(headings, rows),
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


def _job_cells(about: dict[str, Any], job: dict[str, Any] | None) -> list[str]:
    """Hours, watt-hours, price and carbon of the whole job in a mode; no cell where its length is not known."""
    if about["job"] is None or job is None:
        return []
    if None in job.values():
        return ["-"]
    hours, watt_hours = figure(job["seconds"] / 3600, "h"), figure(job["energy_j"] / 3600, "Wh")
    words = EnergyRates(**about["rates"]).text(job["energy_j"])
    return [f"{hours}<small>{watt_hours}</small>" + (f"<small>{escape(words)}</small>" if words else "")]


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


def corrections(run: SavedRun) -> str:
    """What had moved and what was done about it; nothing if nothing had."""
    made = run.summary["corrections"]
    if not made:
        return ""
    rows = [row(_cells(number, each)) for number, each in enumerate(made, start=1)]
    return "\n".join(
        [
            "<h2>After the lock</h2>",
            wide_table(["", "what showed it", "time of the locked mode", "its power", "what was done", "took"], rows),
            '<p class="note">Small figures: when it was locked, and the change since. Each correction has a report of '
            "its own, in correction-1 and so on.</p>",
        ]
    )


def _cells(number: int, correction: dict[str, Any]) -> list[str | tuple[str, dict[str, int]]]:
    before, now = correction["before"], correction["now"]
    cause = f" ({now['throttled_by']})" if now["throttled_by"] else ""
    return [
        str(number),
        escape(f"{correction['sign']}{cause}"),
        *(_moved(before[cost], now[cost], cost, unit) for cost, unit in (("time_ms", "ms"), ("power_w", "W"))),
        (correction["action"], correction["mode"]),
        escape("?" if correction["seconds"] is None else duration(correction["seconds"])),
    ]


def _moved(before: float, now: float, cost: str, unit: str) -> str:
    moved = difference(before, now, *WORDS[cost])
    return f"{figure(now, unit)}<small>{figure(before, unit)}</small><small>{escape(moved)}</small>"
