"""The sections of the report on what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from lightning_powertrain.boards.knobs import label_of
from lightning_powertrain.profiling import Measurement
from lightning_powertrain.reporting.markup import row, wide_table
from lightning_powertrain.reporting.saved_run import SavedRun
from lightning_powertrain.reporting.tables import count, difference, knob_value, quantity


def measuring(run: SavedRun) -> str:
    """What was left out, and whether the board throttled."""
    profile = run.profile
    known = (*profile.measurements, *profile.throttled)
    discarded, counted = sum(each.discarded_minibatches for each in known), sum(each.minibatches for each in known)
    capped = sum(each.capped for each in profile.measurements)
    texts = [
        f"Minibatches: {counted:,} were measured, {discarded:,} left out while the board settled or something "
        f"interrupted. Windows that ended at their longest, before the means were as precise as asked for: {capped} of "
        f"{len(profile)}."
    ]
    if profile.throttled:
        causes = ", ".join(sorted({cause for each in profile.throttled for cause in each.throttled_by.split("+")}))
        windows = count(len(profile.throttled), "window")
        texts.append(f"The board throttled in {windows}, left out of the choice ({causes}).")
    else:
        texts.append("The board did not throttle in any window.")
    avoided = "; ".join(
        str(mode) for mode in dict.fromkeys(each.mode for each in profile.throttled) if mode in profile.throttling_modes
    )
    if avoided:
        texts.append(f"Not chosen, since it throttles there: {avoided}.")
    paragraphs = "\n".join(f"<p>{escape(text)}</p>" for text in texts)
    return f"<h2>Throttling and discarded windows</h2>\n{paragraphs}"


def profile_table(run: SavedRun) -> str:
    """All measurements."""
    profile, fitted = run.profile, run.summary["predicted"]["fitted"]
    names = [knob.name for knob in profile.knobs]
    headings = ["what", *map(label_of, names), "time", "power", "energy", "fit, time", "fit, power", "minibatches"]
    rows = []
    for measured, time_ms, power_w in zip(profile.measurements, fitted["time_ms"], fitted["power_w"]):
        rows.append(_profile_row(_what(run, measured), measured, names, time_ms, power_w))
    rows += [_profile_row(f"throttled: {each.throttled_by}", each, names, None, None) for each in profile.throttled]
    return (
        f"<h2>The profile</h2>\n<details><summary>{len(rows)} measurements, in their order</summary>"
        f"{wide_table(headings, rows)}</details>\n"
        '<p class="note">Fit: how far the predictor is off after it has learned from these measurements.</p>'
    )


def _profile_row(
    what: str, measured: Measurement, names: Sequence[str], time_ms: float | None, power_w: float | None
) -> str:
    cells = [
        what,
        *(knob_value(name, measured.mode[name]) for name in names),
        quantity(measured.time_ms, "ms"),
        quantity(measured.power_w, "W"),
        quantity(measured.energy_mj / 1e3, "J"),
        "-" if time_ms is None else difference(measured.time_ms, time_ms, "too high", "too low"),
        "-" if power_w is None else difference(measured.power_w, power_w, "too high", "too low"),
        f"{measured.minibatches}{' (longest)' if measured.capped else ''}",
    ]
    drawn = row([escape(cell) for cell in cells])
    return drawn.replace("<tr>", '<tr class="chosen">', 1) if what == "chosen" else drawn


def _what(run: SavedRun, measured: Measurement) -> str:
    about = run.summary
    kept = about["chosen"]["measured"]
    if kept and dict(measured.mode) == about["chosen"]["mode"] and measured.time_ms == kept["time_ms"]:
        return "chosen"
    return "start" if dict(measured.mode) == about["start"]["mode"] else "measured"
