"""The course of a job against the budget for the whole of it, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.reporting.comparison import START, KnownMode, stock_preset
from lightning_powertrain.reporting.markup import row, wide_table
from lightning_powertrain.reporting.tables import duration, quantity
from lightning_powertrain.tuning import JobRecord, Outcome, PlannedJob, Spent
from lightning_powertrain.tuning.job_totals import job_in


def course_text(course: JobRecord) -> str:
    """The newest plan in one line."""
    now = course.now
    change = "no change is planned" if now.change_s is None else f"next change in {duration(now.change_s)}"
    spent, expected = spent_text(now.spent), spent_text(now.total)
    return f"budget {course.budget}: {spent} so far, {expected} expected; {change} ({now.mode})"


def ended_text(outcome: Outcome, known: Sequence[KnownMode]) -> str:
    """What the job took, and what it would have taken in the start mode and in a stock preset, in one line.

    Args:
        outcome: The outcome, with a course.
        known: The start mode and the stock presets, as known when the job was locked.
    """
    course = outcome.course
    assert course is not None
    words = outcome.rates.text(course.now.spent.joules)
    taken = f"the job took {spent_text(course.now.spent)}{f' ({words})' if words else ''}; budget {course.budget}"
    is_complete = course.now.minibatches >= course.minibatches
    return "; ".join([taken, *(_instead(outcome, known) if is_complete else ())])


def _instead(outcome: Outcome, known: Sequence[KnownMode]) -> Iterator[str]:
    stock = stock_preset(outcome, known)
    for each in known:
        is_start = START in each.names
        spent = job_in(outcome, each.time_ms, each.power_w)
        if spent is None or not (is_start or stock in each.names):
            continue
        name = "the start mode" if is_start else str(stock)
        yield f"{name} would have taken {spent_text(spent)}{'' if each.is_measured else ' (predicted)'}"


def spent_text(spent: Spent) -> str:
    """Hours and watt-hours."""
    return f"{duration(spent.seconds)} and {quantity(spent.joules / 3600, 'Wh')}"


def course_summary(course: JobRecord) -> dict[str, Any]:
    """The course as plain JSON values: its budget, and each change of modes, the first and the last plan."""
    return {
        "budget": course.budget,
        "limited": course.limited,
        "total": course.total,
        "minibatches": course.minibatches,
        "points": [_point(each) for each in _changes(course)],
    }


def course_section(about: dict[str, Any]) -> str:
    """The section of the report; nothing without a budget of the whole job."""
    course = about["course"]
    if course is None:
        return ""
    rows = [row(_cells(each)) for each in course["points"]]
    headings = ["after", "energy so far", "minibatches", "from here on", "expected in all", "energy"]
    return "\n".join(
        [
            "<h2>The job and its budget</h2>",
            f"<p>Budget of the whole job: {escape(course['budget'])}.</p>",
            wide_table(headings, rows),
            '<p class="note">The first plan, each change of the power mode, and the end of the job or the last plan. '
            "Energy is what the board drew since the job began, profiling included.</p>",
        ]
    )


def _changes(course: JobRecord) -> Iterator[PlannedJob]:
    before: PowerMode | None = None
    for point in course.points[:-1]:
        if point.mode != before:
            yield point
        before = point.mode
    yield course.now


def _point(planned: PlannedJob) -> dict[str, Any]:
    return {
        "seconds": planned.spent.seconds,
        "energy_j": planned.spent.joules,
        "minibatches": planned.minibatches,
        "mode": dict(planned.mode),
        "expected_seconds": planned.total.seconds,
        "expected_energy_j": planned.total.joules,
    }


def _cells(point: dict[str, Any]) -> list[str | tuple[str, dict[str, int]]]:
    return [
        duration(point["seconds"]),
        escape(quantity(point["energy_j"] / 3600, "Wh")),
        f"{point['minibatches']:,}",
        ("", point["mode"]),
        duration(point["expected_seconds"]),
        escape(quantity(point["expected_energy_j"] / 3600, "Wh")),
    ]
