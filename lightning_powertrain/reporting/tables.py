"""The facts that console, loggers and files show, written out for people: one place for every figure and its unit."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from lightning_powertrain.boards.knobs import PER_MHZ, label_of, unit_of
from lightning_powertrain.profiling import Measurement, Profile
from lightning_powertrain.selection import Objective, Selection
from lightning_powertrain.tuning import REUSED_FROM, Correction, Outcome

SIMULATED = "SIMULATED"
"""How whatever shows simulated figures says so."""

_NOTHING = "-"


def title(outcome: Outcome) -> str:
    """What the figures are about: workload, board, and whether they are simulated."""
    about = outcome.profile.provenance
    return marked(f"{about.workload} on {about.board}", outcome.simulated)


def marked(heading: str, simulated: bool) -> str:
    """A heading that says whether what stands under it is simulated."""
    return f"{heading} ({SIMULATED})" if simulated else heading


def quantity(value: float, unit: str) -> str:
    """A quantity to three significant digits, and its unit; never in exponent form.

    >>> quantity(61.234, "ms"), quantity(1061.2, "ms"), quantity(0.04567, "J")
    ('61.2 ms', '1061 ms', '0.0457 J')
    """
    if not math.isfinite(value):
        return _NOTHING
    decimals = 2 - math.floor(math.log10(abs(value))) if value else 0
    return f"{value:.{max(0, decimals)}f} {unit}"


def count(number: int, what: str) -> str:
    """A number of things.

    >>> count(1, "power mode"), count(45, "power mode")
    ('1 power mode', '45 power modes')
    """
    return f"{number} {what}{'s' * (number != 1)}"


def duration(seconds: float) -> str:
    """A duration as a clock shows it.

    >>> duration(250.2), duration(3850)
    ('4:10', '1:04:10')
    """
    if not math.isfinite(seconds):
        return "?"
    minutes, seconds_left = divmod(round(max(0.0, seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds_left:02}" if hours else f"{minutes}:{seconds_left:02}"


def time_and_power(known: Measurement | Selection) -> str:
    """Time and power of a mode in a few words, such as ``61.2 ms, 28.4 W``, and whether they do not count."""
    text = f"{quantity(known.time_ms, 'ms')}, {quantity(known.power_w, 'W')}"
    return f"{text}, throttled" if isinstance(known, Measurement) and known.throttled_by else text


def correction_text(correction: Correction) -> str:
    """What has moved, by how much, and what was done about it, in one line."""
    drift = correction.drift
    before, now = drift.before, drift.now
    cause = f" by {now.throttled_by}" if drift.is_throttling else ""
    moved = f"{difference(before.time_ms, now.time_ms, 'slower', 'faster')}, {_power_moved(before, now)}"
    done = "the mode is kept" if correction.action == "kept" else f"{correction.action}: {correction.mode}"
    return (
        f"drift ({drift.sign}{cause}): {time_and_power(before)} when locked, {time_and_power(now)} now "
        f"({moved}); {done}, in {duration(correction.seconds)}"
    )


def _power_moved(before: Measurement, now: Measurement) -> str:
    return f"{difference(before.power_w, now.power_w, 'more', 'less')} power"


def energy_j(time_ms: float, power_w: float) -> float:
    """Energy of one minibatch in joules."""
    return time_ms * power_w / 1e3


def limits(objective: Objective) -> dict[str, float]:
    """The limits of a budget: on power, on time, on both or on neither."""
    found = {"power_w": objective.power_limit_w, "time_ms": objective.time_limit_ms}
    return {name: limit for name, limit in found.items() if limit is not None}


def choice_headings(outcome: Outcome) -> tuple[str, ...]:
    """Headings of :func:`choice_rows`."""
    return "", "lowest" if starts_lowest(outcome) else "start", "chosen, predicted", "measured", "chosen is"


def starts_lowest(outcome: Outcome) -> bool:
    """Whether measuring began in the lowest mode: a hard budget does, in whatever mode the job was found."""
    return outcome.selection.start.mode == outcome.modes.lowest


def choice_rows(selection: Selection) -> list[tuple[str, ...]]:
    """Start mode against chosen mode, one row a knob and one each for time, power and energy of a minibatch.

    The difference is that of the measured figures, or of the predicted ones as long as nothing was measured.
    """
    start, measured = selection.start, selection.measured
    kept = measured or selection
    rows = [
        (
            label_of(name),
            *(knob_value(name, each.mode[name]) for each in (start, selection)),
            knob_value(name, kept.mode[name]) if measured else _NOTHING,
            difference(start.mode[name], kept.mode[name]),
        )
        for name in selection.mode
    ]
    for (name, unit, label), before, predicted, after in zip(COSTS, *map(_costs, (start, selection, kept))):
        shown = quantity(after, unit) if measured else _NOTHING
        is_than = difference(before, after, *WORDS[name])
        rows.append((label, quantity(before, unit), quantity(predicted, unit), shown, is_than))
    return rows


COSTS = (("time_ms", "ms", "minibatch time"), ("power_w", "W", "power"), ("energy_j", "J", "minibatch energy"))
"""What a mode costs: name in files, unit, and label."""

WORDS = {"time_ms": ("slower", "faster"), "power_w": ("higher", "lower"), "energy_j": ("higher", "lower")}
"""What more and less of each is called."""


def kept_costs(about: dict[str, Any]) -> dict[str, Any]:
    """Costs of the chosen mode in the summary of a run, as measured if they were."""
    chosen = about["chosen"]
    kept: dict[str, Any] = chosen["measured"] or chosen["predicted"]
    return kept


def _costs(known: Measurement | Selection) -> tuple[float, float, float]:
    return known.time_ms, known.power_w, energy_j(known.time_ms, known.power_w)


def difference(one: float, other: float, more: str = "higher", less: str = "lower") -> str:
    """How the other figure differs from the one, in words that cannot be read the wrong way round.

    >>> difference(105.6, 90.4, "slower", "faster"), difference(25.8, 26.6), difference(30, 30)
    ('14 % faster', '3.1 % higher', 'same')
    """
    if not one or not math.isfinite(one) or not math.isfinite(other):
        return "same" if one == other else _NOTHING
    percent = abs(other / one - 1) * 100
    if percent < 0.05:
        return "same"
    return f"{percent:.{int(percent < 9.95)}f} % {more if other > one else less}"


def knob_value(name: str, value: int) -> str:
    """A value of a knob and its unit."""
    unit = unit_of(name)
    return f"{value / PER_MHZ[unit]:.5g} MHz" if unit else str(value)


def notes(outcome: Outcome) -> list[str]:
    """Lines to stand under the table of the choice: the budget, what profiling cost, how sure predictions are."""
    selection = outcome.selection
    sampled = len(outcome.measured_now)
    lines = [_budget_note(selection), f"Profiling: {count(sampled, 'power mode')} in {duration(outcome.profiling_s)}."]
    if outcome.reused:
        source = outcome.profile.provenance.details.get(REUSED_FROM)
        lines.append(f"Not measured again: {count(len(outcome.reused), 'power mode')} known from {source}.")
    lines += _throttling_notes(outcome.profile)
    if math.isfinite(selection.time_error) and math.isfinite(selection.power_error):
        errors = f"{selection.time_error * 100:.1f} % in time and {selection.power_error * 100:.1f} % in power"
        lines.append(f"Predictions are expected to be off by {errors}.")
    return [*lines, *(f"Corrected: {correction_text(each)}." for each in outcome.corrections)]


def _throttling_notes(profile: Profile) -> list[str]:
    if not profile.throttled:
        return []
    causes = sorted({cause for each in profile.throttled for cause in each.throttled_by.split("+")})
    windows = count(len(profile.throttled), "window")
    lines = [f"The board throttled in {windows}, left out of the choice ({', '.join(causes)})."]
    modes = dict.fromkeys(each.mode for each in profile.throttled)
    avoided = "; ".join(str(mode) for mode in modes if mode in profile.throttling_modes)
    return [*lines, f"Not chosen, since it throttles there: {avoided}."] if avoided else lines


def _budget_note(selection: Selection) -> str:
    objective = selection.objective
    if objective.is_relative and selection.mode == selection.start.mode:
        return f"Budget: {objective}. No power mode is expected to beat the start, so it stays."
    if not objective.unit:
        return f"Budget: {objective}."
    verdicts = [_verdict("predicted", selection.excess, objective.unit)]
    if selection.measured_excess is not None:
        verdicts.append(_verdict("measured", selection.measured_excess, objective.unit))
    return f"Budget: {objective}; {', '.join(verdicts)}."


def _verdict(figure: str, excess: float, unit: str) -> str:
    return f"{figure} {quantity(excess, unit)} ABOVE it" if excess > 0 else f"{figure} within it"


def mode_table(outcome: Outcome) -> tuple[list[str], list[tuple[str, ...]]]:
    """Headings and rows of all measured modes: the start, the others as they were measured, at last the throttled."""
    profile, start = outcome.profile, outcome.selection.start
    names = [knob.name for knob in profile.knobs]
    labelled = [("start", start), *((str(number), each) for number, each in enumerate(outcome.sampled, start=1))]
    labelled += [("throttled", each) for each in profile.throttled if each != start]
    headings = ["", *map(label_of, names), "time", "power", "energy"]
    rows = [
        (
            label,
            *(knob_value(name, measurement.mode[name]) for name in names),
            *(quantity(cost, unit) for cost, (_, unit, _) in zip(_costs(measurement), COSTS)),
        )
        for label, measurement in labelled
    ]
    return headings, rows


def markdown_table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown, figures to the right.

    >>> print(markdown_table(["", "power"], [["start", "28.4 W"]]))
    |  | power |
    |:---|---:|
    | start | 28.4 W |
    """
    lines = [_markdown_row(cells) for cells in (headings, *rows)]
    columns = lines[0].replace("\\|", "").count("|") - 1
    return "\n".join([lines[0], "|:---" + "|---:" * (columns - 1) + "|", *lines[1:]])


def _markdown_row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
