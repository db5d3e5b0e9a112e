"""What tuning has gained, in words: against the start mode, a stock preset, and over the whole job."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lightning_powertrain.reporting.tables import difference, kept_costs, quantity
from lightning_powertrain.tuning import EnergyRates


def gain(about: dict[str, Any]) -> str:
    """The gain in one line, from the summary of a run.

    14 % faster: the same minibatches take 14 % less time. The whole job counts its profiling, and is left out where its
    length is not known, or where its mode was corrected later.
    """
    parts = "; ".join(_comparisons(about))
    job = _whole_job(about)
    return f"{parts}. {job}" if job else parts


def _comparisons(about: dict[str, Any]) -> Iterator[str]:
    chosen, compared = about["chosen"]["mode"], about["compared"]
    names = ", ".join(name for name in compared[0]["names"] if name != "start")
    start = ("lowest mode" if about["start"]["is_lowest"] else "start mode") + (f" ({names})" if names else "")
    yield f"the {start} stays" if chosen == about["start"]["mode"] else _against(about, compared[0], f"the {start}")
    stock = about["stock_preset"]
    for known in compared[1:]:
        if stock in known["names"] and known["mode"] != chosen:
            yield _against(about, known, f"{stock}{_caveat(known, stock)}")


def _against(about: dict[str, Any], other: dict[str, Any], name: str) -> str:
    kept = kept_costs(about)
    time = difference(other["time_ms"], kept["time_ms"], "slower", "faster")
    energy = difference(other["energy_j"], kept["energy_j"], "more", "less")
    return f"{'same speed' if time == 'same' else time}, {energy} energy {'as' if energy == 'same' else 'than'} {name}"


def _caveat(known: dict[str, Any], stock: str) -> str:
    if stock in known["not_comparable"]:
        return " (predicted, not comparable)"
    return "" if known["measured"] else " (predicted)"


def _whole_job(about: dict[str, Any]) -> str:
    job = about["job"]
    if job is None or about["corrections"]:
        return ""
    rates = EnergyRates(**about["rates"])
    chosen, start = (job_text(job[each], rates) for each in ("chosen", "start"))
    instead = "" if chosen == start else f" instead of {start}"
    stock = f"; {preset}" if (preset := _in_stock_preset(about, rates)) else ""
    return f"The whole job of {job['minibatches']:,} minibatches: {chosen}{instead}{stock}"


def _in_stock_preset(about: dict[str, Any], rates: EnergyRates) -> str:
    """What the whole job would take in the stock preset; nothing if it is the start or the chosen mode."""
    stock, known_already = about["stock_preset"], (about["start"]["mode"], about["chosen"]["mode"])
    for known in about["compared"]:
        if stock in known["names"] and known["mode"] not in known_already and known["time_ms"] is not None:
            return f"{stock} would take {job_text(known['job'], rates)}"
    return ""


def job_text(costs: dict[str, float], rates: EnergyRates) -> str:
    """Hours and watt-hours of a whole job, and what they cost and emit if that is known."""
    hours, watt_hours = quantity(costs["seconds"] / 3600, "h"), quantity(costs["energy_j"] / 3600, "Wh")
    words = rates.text(costs["energy_j"])
    return f"{hours} and {watt_hours} ({words})" if words else f"{hours} and {watt_hours}"
