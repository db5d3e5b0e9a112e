"""Where time and power go, and what would help: on the terminal, in the report, in summaries and in loggers."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from stories import make_outcome, measured_as, replay, verified

from lightning_powertrain.profiling import Signals
from lightning_powertrain.reporting import ConsoleReporter, summary, write_run
from lightning_powertrain.reporting.breakdown import breakdown_notes, breakdown_section
from lightning_powertrain.reporting.html_report import html_report
from lightning_powertrain.reporting.saved_run import SavedRun
from lightning_powertrain.tuning import Outcome

STARVED = Signals(
    rails_w={"VDD_GPU": 12.0, "VDD_CPU": 4.0},
    cores_busy=dict.fromkeys(range(12), 0.25),
    gpu_load=0.5,
    process_ms=50.0,
    children_ms=200.0,
    data_wait_ms=50.0,
)


@pytest.fixture
def outcome() -> Outcome:
    """Starts with the GPU busy, and ends in a mode that waits for data for half of its 100 ms."""
    told = verified(make_outcome())
    start = replace(told.selection.start, time_ms=80.0, power_w=30.0, signals=Signals(gpu_load=0.9, data_wait_ms=2.0))
    measured = told.selection.measured
    assert measured is not None
    chosen = replace(measured, time_ms=100.0, power_w=20.0, signals=STARVED)
    about = replace(told.profile.provenance, details={"workers": 2})
    profile = replace(told.profile, provenance=about)
    return measured_as(replace(told, profile=profile, selection=replace(told.selection, start=start)), chosen)


LINES = [
    "Time in the start mode (80.0 ms): GPU 90 %, waiting for data 2 %, launching 8 %.",
    "Time in the chosen mode (100 ms): GPU 50 %, waiting for data 50 %, launching 0 %.",
    "Power in the chosen mode (20.0 W): GPU 12.0 W, CPU 4.00 W, rest 4.00 W.",
]


def test_lines_for_people(outcome: Outcome) -> None:
    *lines, advice = breakdown_notes(outcome)
    assert lines == LINES
    assert advice.startswith("Beyond clocks: 3 more loader workers (5 instead of 2) are expected to save 4")
    assert advice.endswith(" cores are idle.")
    assert outcome.advice[0].text in str(outcome)


def test_a_start_that_stays_is_said_once(outcome: Outcome) -> None:
    selection = replace(outcome.selection, mode=outcome.selection.start.mode, measured=outcome.selection.start)
    lines = breakdown_notes(replace(outcome, selection=selection))
    assert lines == ["Time in the chosen mode (80.0 ms): GPU 90 %, waiting for data 2 %, launching 8 %."]


def test_without_signals_nothing_is_said() -> None:
    outcome = verified(make_outcome())
    assert breakdown_notes(outcome) == []
    about = summary(outcome)
    nothing: dict[str, dict[str, float]] = {"time_ms": {}, "power_w": {}}
    assert (about["breakdown"], about["advice"]) == ({"start": nothing, "chosen": nothing}, [])
    assert breakdown_section(about) == ""


def test_the_terminal_says_it(outcome: Outcome) -> None:
    stream = io.StringIO()
    replay(ConsoleReporter(Console(file=stream, width=300)), outcome)
    assert set(breakdown_notes(outcome)) <= set(stream.getvalue().splitlines())


def test_the_summary_holds_it_as_plain_values(outcome: Outcome) -> None:
    about = json.loads(json.dumps(summary(outcome)))
    assert about["breakdown"]["start"]["time_ms"] == pytest.approx({"gpu": 72.0, "waiting": 2.0, "launching": 6.0})
    assert about["breakdown"]["chosen"]["power_w"] == {"GPU": 12.0, "CPU": 4.0, "rest": 4.0}
    (advised,) = about["advice"]
    assert (advised["kind"], advised["text"]) == ("workers", outcome.advice[0].text)


def test_the_report_has_a_table_and_the_advice(outcome: Outcome, tmp_path: Path) -> None:
    write_run(outcome, tmp_path)
    run = SavedRun.load(tmp_path)
    page = html_report(run)
    assert "<h2>Where time and power go</h2>" in page
    assert (
        "<td>time: waiting for data</td><td>2.00 ms<small>2 %</small></td><td>50.0 ms<small>50 %</small></td>" in page
    )
    assert "<td>power: CPU</td><td>-</td><td>4.00 W<small>20 %</small></td>" in page
    assert outcome.advice[0].text in page
    del run.summary["breakdown"], run.summary["advice"]
    assert "Where time and power go" not in html_report(run), "runs from before are shown without it"
