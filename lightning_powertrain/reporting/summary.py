"""What came out of a run, for programs: one JSON object."""

from __future__ import annotations

import math
import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from lightning_powertrain.profiling import Measurement, Provenance
from lightning_powertrain.reporting.comparison import KnownMode, known_modes, stock_preset
from lightning_powertrain.reporting.course_text import course_summary
from lightning_powertrain.reporting.pareto import slowest_shown_ms
from lightning_powertrain.reporting.predicted import predicted_modes, rounded_range
from lightning_powertrain.reporting.saved_run import FORMAT
from lightning_powertrain.reporting.tables import energy_j, limits, starts_lowest
from lightning_powertrain.selection import Selection
from lightning_powertrain.tuning import REUSED_FROM, Breakdown, Correction, Outcome, Spent
from lightning_powertrain.tuning.job_totals import job_in, job_totals, profiling_extra


def summary(outcome: Outcome) -> dict[str, Any]:
    """The outcome as plain JSON values; what is not known is None.

    ``break_even_minibatches`` says after how many minibatches in the chosen mode the time (and the energy) that
    profiling cost more than the start mode would have cost for the same minibatches is saved again; None if the chosen
    mode saves none. ``compared`` holds the same for MAXN and the stock presets, as if the job had run in those instead.
    ``docs/report.md`` describes all fields.
    """
    selection, about, known = outcome.selection, outcome.profile.provenance, known_modes(outcome)
    reference = outcome.forecast.of([selection.mode]).reference
    return {
        "format": FORMAT,
        "simulated": outcome.simulated,
        "board": about.board,
        "workload": about.workload,
        "budget": _budget(selection),
        "start": {"mode": dict(selection.start.mode), **_costs(selection.start), "is_lowest": starts_lowest(outcome)},
        "chosen": _chosen(selection),
        "profiling": {
            "modes": len(outcome.measured_now),
            "seconds": _finite(outcome.profiling_s),
            "reused": _reused(outcome),
        },
        "throttled": _throttled(outcome),
        "profiling_extra": _profiling_extra(outcome),
        "break_even_minibatches": break_even_minibatches(outcome, selection.start),
        "compared": [_compared(outcome, each) for each in known],
        "stock_preset": stock_preset(outcome, known),
        "job": _whole_job(outcome),
        "rates": vars(outcome.rates),
        "breakdown": {
            "start": _breakdown(outcome.start_breakdown),
            "chosen": _breakdown(outcome.chosen_breakdown),
        },
        "advice": [{"kind": each.kind, "saves": each.saves, "text": each.text} for each in outcome.advice],
        "course": outcome.course and course_summary(outcome.course),
        "corrections": [_correction(each) for each in outcome.corrections],
        "reference": reference and _origin(reference),
        "details": dict(about.details),
        "versions": versions(),
    }


def _chosen(selection: Selection) -> dict[str, Any]:
    """The chosen mode, as predicted and as measured."""
    errors = {"time_error": _finite(selection.time_error), "power_error": _finite(selection.power_error)}
    return {
        "mode": dict(selection.mode),
        "predicted": {**_costs(selection), **errors},
        "measured": selection.measured and _costs(selection.measured),
    }


def _throttled(outcome: Outcome) -> list[dict[str, Any]]:
    """The windows in which the board throttled."""
    avoided = outcome.profile.throttling_modes
    return [
        {"mode": dict(each.mode), "by": each.throttled_by, "avoided": each.mode in avoided}
        for each in outcome.profile.throttled
    ]


def _reused(outcome: Outcome) -> dict[str, Any] | None:
    """How many modes were measured in an earlier run and not again, and in which."""
    source = outcome.profile.provenance.details.get(REUSED_FROM)
    return {"modes": len(outcome.reused), "from": source} if outcome.reused else None


def break_even_minibatches(outcome: Outcome, instead: Measurement | KnownMode) -> dict[str, int | None]:
    """Minibatches after which profiling is paid back, in time and in energy, to a job that had run in another mode."""
    kept = outcome.selection.measured or outcome.selection
    lost = profiling_extra(outcome, instead.time_ms, instead.power_w)
    saved_j = (instead.time_ms * instead.power_w - kept.time_ms * kept.power_w) / 1e3
    return {
        "time": _paid_back(lost.seconds, (instead.time_ms - kept.time_ms) / 1e3),
        "energy": _paid_back(lost.joules, saved_j),
    }


def _whole_job(outcome: Outcome) -> dict[str, Any] | None:
    """Time and energy of the whole job, as tuned with its profiling, and in the start mode."""
    totals = job_totals(outcome)
    if totals is None:
        return None
    return {"minibatches": totals.minibatches, "chosen": _spent(totals.chosen), "start": _spent(totals.start)}


def _spent(spent: Spent | None) -> dict[str, float | None] | None:
    return None if spent is None else {"seconds": _finite(spent.seconds), "energy_j": _finite(spent.joules)}


def _profiling_extra(outcome: Outcome) -> dict[str, float | None] | None:
    start = outcome.selection.start
    return _spent(profiling_extra(outcome, start.time_ms, start.power_w))


def _compared(outcome: Outcome, known: KnownMode) -> dict[str, Any]:
    return {
        "names": list(known.names),
        "mode": dict(known.mode),
        "measured": known.is_measured,
        **{name: _finite(cost) for name, cost in _costs(known).items()},
        "time_range_ms": rounded_range(known.time_range_ms),
        "power_range_w": rounded_range(known.power_range_w),
        "not_comparable": list(known.not_comparable),
        "throttles": known.mode in outcome.profile.throttling_modes,
        "break_even_minibatches": break_even_minibatches(outcome, known),
        "job": _spent(job_in(outcome, known.time_ms, known.power_w)),
    }


def _breakdown(breakdown: Breakdown) -> dict[str, dict[str, float]]:
    return {"time_ms": dict(breakdown.time_ms), "power_w": dict(breakdown.power_w)}


def _correction(correction: Correction) -> dict[str, Any]:
    drift = correction.drift
    return {
        "sign": drift.sign,
        "before": _costs(drift.before),
        "now": {**_costs(drift.now), "throttled_by": drift.now.throttled_by},
        "action": correction.action,
        "mode": dict(correction.mode),
        "seconds": _finite(correction.seconds),
    }


def _origin(about: Provenance) -> dict[str, Any]:
    return {"board": about.board, "workload": about.workload, "simulated": about.simulated}


def versions() -> dict[str, str]:
    """Versions of what a run depends on, as far as it is installed."""
    found = {"python": platform.python_version(), "kernel": f"{platform.system()} {platform.release()}"}
    for package in ("lightning-powertrain", "torch", "pytorch-lightning", "lightning"):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def run_summary(outcome: Outcome) -> dict[str, Any]:
    """:func:`summary`, and ``predicted``: some of the predicted modes, which the report shows."""
    about = summary(outcome)
    return {**about, "predicted": predicted_modes(outcome, slowest_shown_ms(about))}


def _budget(selection: Selection) -> dict[str, Any]:
    excess, measured_excess = selection.excess, selection.measured_excess
    return {
        "objective": str(selection.objective),
        "unit": selection.objective.unit,
        "limits": limits(selection.objective),
        "excess": excess,
        "measured_excess": measured_excess,
        "met": (excess if measured_excess is None else measured_excess) <= 0,
        "confirmed": selection.is_confirmed,
    }


def _costs(known: Measurement | Selection | KnownMode) -> dict[str, float]:
    return {
        "time_ms": known.time_ms,
        "power_w": known.power_w,
        "energy_j": energy_j(known.time_ms, known.power_w),
    }


def _paid_back(lost: float, saved_per_minibatch: float) -> int | None:
    if saved_per_minibatch <= 0 or not math.isfinite(lost):
        return None
    return math.ceil(max(0.0, lost) / saved_per_minibatch)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
