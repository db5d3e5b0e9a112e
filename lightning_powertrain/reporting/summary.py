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
from lightning_powertrain.tuning import REUSED_FROM, Breakdown, Correction, Outcome


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
        "job": outcome.minibatches and _whole_job(outcome, outcome.minibatches),
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
    lost_ms, lost_mj = _lost(outcome, instead)
    return {
        "time": _paid_back(lost_ms, instead.time_ms - kept.time_ms),
        "energy": _paid_back(lost_mj, instead.time_ms * instead.power_w - kept.time_ms * kept.power_w),
    }


def _whole_job(outcome: Outcome, minibatches: int) -> dict[str, Any]:
    """Time and energy of the whole job, as tuned with its profiling, and in the start mode."""
    start, kept = outcome.selection.start, outcome.selection.measured or outcome.selection
    lost_ms, lost_mj = _lost(outcome, kept)
    return {
        "minibatches": minibatches,
        "chosen": {
            "seconds": (minibatches * kept.time_ms + lost_ms) / 1e3,
            "energy_j": (minibatches * kept.time_ms * kept.power_w + lost_mj) / 1e3,
        },
        "start": _job_in(start, minibatches),
    }


def _job_in(mode: Measurement | KnownMode, minibatches: int) -> dict[str, float | None]:
    """Time and energy of a whole job in one mode, without profiling."""
    return {
        "seconds": _finite(minibatches * mode.time_ms / 1e3),
        "energy_j": _finite(minibatches * mode.time_ms * mode.power_w / 1e3),
    }


def _lost(outcome: Outcome, instead: Measurement | Selection | KnownMode) -> tuple[float, float]:
    """Time (ms) and energy (mJ) that profiling cost more than the same minibatches in another mode."""
    start = outcome.selection.start
    throttled = (each for each in outcome.profile.throttled if each != start and each.mode not in outcome.reused)
    sampled = (*outcome.measured_now, *throttled)
    trained = [each.minibatches + each.discarded_minibatches for each in sampled]
    spent_mj = sum(count * each.energy_mj for count, each in zip(trained, sampled))
    minibatches = sum(trained)
    return (
        outcome.profiling_s * 1e3 - minibatches * instead.time_ms,
        spent_mj - minibatches * instead.time_ms * instead.power_w,
    )


def _profiling_extra(outcome: Outcome) -> dict[str, float | None]:
    lost_ms, lost_mj = _lost(outcome, outcome.selection.start)
    return {"seconds": _finite(lost_ms / 1e3), "energy_j": _finite(lost_mj / 1e3)}


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
        "job": outcome.minibatches and _job_in(known, outcome.minibatches),
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
