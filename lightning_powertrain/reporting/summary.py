"""What came out of a run, for programs: one JSON object, and a folder with everything."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path
from typing import Any

from lightning_powertrain.profiling import Measurement
from lightning_powertrain.reporting.figures import save_figure
from lightning_powertrain.reporting.tables import energy_j
from lightning_powertrain.selection import Selection
from lightning_powertrain.tuning.events import Correction, Outcome

_log = logging.getLogger("lightning_powertrain")


def summary(outcome: Outcome) -> dict[str, Any]:
    """The outcome as plain JSON values; what is not known is None.

    ``break_even_minibatches`` says after how many minibatches in the chosen mode the time (and the energy) that
    profiling cost more than the start mode would have cost for the same minibatches is saved again; None if the chosen
    mode saves none.
    """
    selection, about = outcome.selection, outcome.profile.provenance
    return {
        "simulated": outcome.simulated,
        "board": about.board,
        "workload": about.workload,
        "budget": _budget(selection),
        "start": {"mode": dict(selection.start.mode), **_costs(selection.start)},
        "chosen": {
            "mode": dict(selection.mode),
            "predicted": {
                **_costs(selection),
                "time_error": _finite(selection.time_error),
                "power_error": _finite(selection.power_error),
            },
            "measured": selection.measured and _costs(selection.measured),
        },
        "profiling": {"modes": len(outcome.sampled), "seconds": _finite(outcome.profiling_s)},
        "throttled": [
            {"mode": dict(each.mode), "by": each.throttled_by, "avoided": each.mode in outcome.profile.throttling_modes}
            for each in outcome.profile.throttled
        ],
        "break_even_minibatches": break_even_minibatches(outcome),
        "corrections": [_correction(each) for each in outcome.corrections],
    }


def break_even_minibatches(outcome: Outcome) -> dict[str, int | None]:
    """Minibatches after which profiling is paid back in time and in energy; see :func:`summary`."""
    start = outcome.selection.start
    sampled = (*outcome.sampled, *(each for each in outcome.profile.throttled if each != start))
    kept = outcome.selection.measured or outcome.selection
    trained = [each.minibatches + each.discarded_minibatches for each in sampled]
    lost_ms = outcome.profiling_s * 1e3 - sum(trained) * start.time_ms
    lost_mj = sum(count * (each.energy_mj - start.energy_mj) for count, each in zip(trained, sampled))
    return {
        "time": _paid_back(lost_ms, start.time_ms - kept.time_ms),
        "energy": _paid_back(lost_mj, start.energy_mj - kept.time_ms * kept.power_w),
    }


def write_run(outcome: Outcome, folder: str | Path) -> None:
    """Write ``profile.csv``, ``profile.json``, ``summary.json`` and, with matplotlib, ``pareto.png`` into a folder."""
    folder = Path(folder)
    outcome.profile.save(folder / "profile.csv")
    text = json.dumps(summary(outcome), indent=2, allow_nan=False)
    (folder / "summary.json").write_text(text + "\n", encoding="utf-8")
    try:
        save_figure(outcome, folder / "pareto.png")
    except ModuleNotFoundError as missing:
        _log.warning("No Pareto figure in %s: %s", folder, missing)


def _budget(selection: Selection) -> dict[str, Any]:
    excess, measured_excess = selection.excess, selection.measured_excess
    return {
        "objective": str(selection.objective),
        "unit": selection.objective.unit,
        "excess": excess,
        "measured_excess": measured_excess,
        "met": (excess if measured_excess is None else measured_excess) <= 0,
    }


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


def _costs(known: Measurement | Selection) -> dict[str, float]:
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
