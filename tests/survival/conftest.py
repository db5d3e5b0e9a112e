"""Prints the matrix at the end of the run; looks then for what is left running."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from leftovers import left_since, running

from survival.event import KINDS, MOMENTS


@pytest.fixture(autouse=True, scope="module")
def _nothing_is_left_running() -> Iterator[None]:
    """Once for all tests, not for each as elsewhere: here jobs run side by side, ahead of the tests that want them."""
    before = running()
    yield
    assert left_since(before) == []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    cells = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            properties = dict(getattr(report, "user_properties", ()))
            if "cell" in properties and report.when == "call":
                failed = report.outcome.upper()
                cells[properties["cell"]] = properties.get("outcome", failed)
    first = max(map(len, KINDS)) + 2
    width = max(map(len, (*MOMENTS, *cells.values())), default=0) + 2
    for loop in sorted({loop for loop, _, _ in cells}):
        terminalreporter.section(f"what survives of a {loop} job, its board being as before")
        terminalreporter.write_line(" " * first + "".join(moment.ljust(width) for moment in MOMENTS))
        for kind in KINDS:
            outcomes = (cells.get((loop, kind, moment), "-") for moment in MOMENTS)
            terminalreporter.write_line(kind.ljust(first) + "".join(outcome.ljust(width) for outcome in outcomes))
