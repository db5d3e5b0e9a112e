"""An estimate of what tuning gains, for people and for programs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from lightning_powertrain.reporting.tables import count, duration, quantity
from lightning_powertrain.tuning.estimate import Costs, Estimate, Gain


def estimate_lines(found: Estimate, start_name: str, minutes: float | None) -> Iterator[str]:
    """What it says, line by line.

    Args:
        found: The estimate.
        start_name: What the start mode is called.
        minutes: Length of the job in the start mode; None if not known.
    """
    yield f"Budget: {found.objective}."
    yield f"Start mode ({start_name}): {_costs(found.start)}."
    yield f"Expected mode: {_costs(found.chosen)}."
    yield f"A minibatch takes {_share(found.time)} of the start mode's time, {_share(found.energy)} of its energy."
    profiling = found.profiling
    if profiling.modes:
        adds = f"{_added(profiling.extra_s, 's', 'time')} and {_added(profiling.extra_j / 3600, 'Wh', 'energy')}"
        yield f"Profiling: {count(profiling.modes, 'power mode')}, about {duration(profiling.seconds)}; it adds {adds}."
    if minutes is not None:
        yield f"The job: {_job(found, minutes * 60)}."
    yield f"Worth it: {verdict(found, minutes)}."


def estimate_record(found: Estimate, minutes: float | None) -> dict[str, Any]:
    """The same as plain JSON values; what is not known is None."""
    return {
        "objective": str(found.objective),
        "start": _record(found.start),
        "chosen": _record(found.chosen),
        "start_keeps_budget": found.start_keeps_budget,
        "chosen_keeps_budget": found.chosen_keeps_budget,
        "time": _gain_record(found.time),
        "energy": _gain_record(found.energy),
        "profiling": vars(found.profiling),
        "minutes": minutes,
        "worth_it": verdict(found, minutes),
    }


def verdict(found: Estimate, minutes: float | None) -> str:
    """Whether tuning is worth it, and why."""
    if not found.profiling.modes:
        return "no, the job is too short: profiling may take a tenth of it"
    if not found.chosen_keeps_budget:
        return "no, no power mode is expected to keep the budget"
    if not found.start_keeps_budget:
        return "yes, the start mode does not keep the budget"
    gain = found.time if found.sought == "time" else found.energy
    if found.chosen.mode == found.start.mode or gain.ratio >= 1:
        return "no, no power mode is expected to be better than the start mode"
    paid_back = _paid_back(found.sought, gain)
    if minutes is None:
        return f"in a job that is long enough: {paid_back}"
    expected_s, _, high_s = gain.total_s(minutes * 60)
    if expected_s >= minutes * 60:
        return f"no, {paid_back}"
    return f"yes, {paid_back}" if high_s < minutes * 60 else f"perhaps: {paid_back}, but the gain is not certain"


def _paid_back(sought: str, gain: Gain) -> str:
    if not gain.paid_back_s:
        return f"profiling adds no {sought}"
    return f"profiling is paid back in {sought} after {duration(gain.paid_back_s)}"


def _added(extra: float, unit: str, what: str) -> str:
    return quantity(extra, unit) if extra > 0 else f"no {what}"


def _job(found: Estimate, job_s: float) -> str:
    hours = [seconds / 3600 for seconds in found.time.total_s(job_s)]
    watt_hours = [seconds * found.start.power_w / 3600 for seconds in found.energy.total_s(job_s)]
    before = f"{quantity(job_s / 3600, 'h')} and {quantity(job_s * found.start.power_w / 3600, 'Wh')}"
    return f"{_with_range(hours, 'h')} and {_with_range(watt_hours, 'Wh')}, profiling included, instead of {before}"


def _with_range(values: list[float], unit: str) -> str:
    expected, low, high = (quantity(value, unit) for value in values)
    return expected if low == high else f"{expected} ({low} to {high})"


def _costs(costs: Costs) -> str:
    return f"{quantity(costs.time_ms, 'ms')} a minibatch, {quantity(costs.power_w, 'W')} ({costs.mode})"


def _share(gain: Gain) -> str:
    """A ratio in percent, and its 90 % range."""
    expected, low, high = (f"{ratio * 100:.0f}" for ratio in (gain.ratio, gain.low, gain.high))
    return f"{expected} %" if low == high else f"{expected} % ({low} to {high} %)"


def _record(costs: Costs) -> dict[str, Any]:
    return {**vars(costs), "mode": dict(costs.mode)}


def _gain_record(gain: Gain) -> dict[str, float | None]:
    paid_back_s = gain.paid_back_s if math.isfinite(gain.paid_back_s) else None
    return {"ratio": gain.ratio, "low": gain.low, "high": gain.high, "paid_back_s": paid_back_s}
