"""What people and loggers see of a job with a budget for the whole of it."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from stories import BOARD, make_outcome, on_board, replay, verified

from lightning_powertrain.reporting import ConsoleReporter, LoggerReporter
from lightning_powertrain.reporting.comparison import known_modes
from lightning_powertrain.reporting.run_writer import RunWriter
from lightning_powertrain.reporting.tables import duration, quantity
from lightning_powertrain.tuning import EnergyRates, JobRecord, Observer, Outcome, PlannedJob, Spent

NO_RATES = EnergyRates()
FIRST, SECOND = BOARD.mode(0), BOARD.mode(1)
VALIDATION = Spent(3600.0, 360_000.0)
POINTS = (
    PlannedJob(Spent(600.0, 36_000.0), 1000, FIRST, Spent(28_000.0, 1_800_000.0), 9000.0, 20_000.0),
    PlannedJob(Spent(1200.0, 72_000.0), 2000, FIRST, Spent(28_100.0, 1_800_000.0), 8400.0, 20_000.0),
    PlannedJob(Spent(9600.0, 540_000.0), 16_000, SECOND, Spent(28_200.0, 1_700_000.0), None, 20_000.0),
    PlannedJob(Spent(28_300.0, 1_710_000.0), 50_000, SECOND, Spent(28_300.0, 1_710_000.0), None, 28_300.0, VALIDATION),
)


def outcomes() -> list[Outcome]:
    """The outcome at each plan."""
    course = JobRecord("8 h", "time", 28_800.0, 50_000)
    found = []
    for point in POINTS:
        course = course.with_point(point)
        found.append(replace(verified(make_outcome()), course=course))
    return found


def told(observer: Observer, rates: EnergyRates = NO_RATES) -> None:
    replay(observer, verified(make_outcome()))
    for outcome in outcomes():
        observer.planned(replace(outcome, rates=rates))
    observer.closed()


def test_the_console_tells_of_the_first_plan_of_changes_and_of_the_end() -> None:
    stream = io.StringIO()
    told(ConsoleReporter(Console(file=stream, width=1000), simulated=True))
    *_, first, change, last = stream.getvalue().splitlines()
    assert first == (
        f"PowerTrain (simulated): budget 8 h: 10:00 and 10.0 Wh so far, 7:46:40 and 500 Wh expected; "
        f"next change in 2:30:00 ({FIRST})"
    )
    assert change == (
        f"PowerTrain (simulated): budget 8 h: 2:40:00 and 150 Wh so far, 7:50:00 and 472 Wh expected; "
        f"no change is planned ({SECOND})"
    )
    assert last == (
        "PowerTrain (simulated): the job took 7:51:40 and 475 Wh; budget 8 h; "
        "the start mode would have taken 1:45:50 and 135 Wh"
    )


def test_the_end_says_what_the_job_has_cost_and_emitted() -> None:
    stream = io.StringIO()
    told(ConsoleReporter(Console(file=stream, width=1000)), EnergyRates(0.4, 250))
    assert stream.getvalue().splitlines()[-1] == (
        "PowerTrain: the job took 7:51:40 and 475 Wh (price 0.19 (0.4 a kWh), 119 g of CO2); budget 8 h; "
        "the start mode would have taken 1:45:50 and 135 Wh"
    )


def ended(*last: Outcome) -> str:
    """The last line of the console."""
    stream = io.StringIO()
    console = ConsoleReporter(Console(file=stream, width=1000))
    replay(console, last[0])
    for outcome in last:
        console.planned(outcome)
    console.closed()
    return stream.getvalue().splitlines()[-1]


def test_the_end_says_what_a_stock_preset_would_have_taken() -> None:
    stock = on_board(outcomes()[-1], "orin-agx-64gb", tpc_pg_mask="240")
    start, (preset,) = stock.selection.start, (each for each in known_modes(stock) if "MODE_30W" in each.names)
    seconds, joules = 50 * preset.time_ms + 3600, 50 * preset.time_ms * preset.power_w + 360_000
    needs = f"{duration(seconds)} and {quantity(joules / 3600, 'Wh')}"
    assert start.mode != preset.mode
    assert ended(stock).endswith(f"; MODE_30W would have taken {needs} (predicted)")


def test_a_job_that_was_stopped_is_not_compared_with_whole_ones() -> None:
    assert ended(*outcomes()[:3]).endswith("the job took 2:40:00 and 150 Wh; budget 8 h")


def test_the_outcome_in_words_has_hours_and_watt_hours() -> None:
    assert "whole job: 7.86 h and 475 Wh instead of 1.76 h and 135 Wh in the start mode" in str(outcomes()[-1])
    assert "whole job" not in str(replace(outcomes()[-1], course=None))


def test_loggers_get_hours_and_watt_hours_with_each_plan() -> None:
    sets: list[dict[str, float]] = []

    class Recorder:
        def log_metrics(self, metrics: dict[str, float], step: int) -> None:
            sets.append(dict(metrics))

    told(LoggerReporter(lambda: [Recorder()], lambda: 0, simulated=True))
    plans = [metrics for metrics in sets if "powertrain/job_wh" in metrics]
    assert [metrics["powertrain/job_hours"] for metrics in plans] == pytest.approx([1 / 6, 1 / 3, 8 / 3, 283 / 36])
    assert [metrics["powertrain/job_wh"] for metrics in plans] == pytest.approx([10, 20, 150, 475])
    assert [metrics["powertrain/expected_wh"] for metrics in plans] == pytest.approx([500, 500, 17_000 / 36, 475])
    assert plans[0]["powertrain/expected_hours"] == pytest.approx(28_000 / 3600)
    assert ["powertrain/next_change_hours" in metrics for metrics in plans] == [True, True, False, False]
    assert plans[2]["powertrain/mode/gpu_hz"] == SECOND["gpu_hz"]


def test_the_run_has_the_course_of_the_job(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)
    told(writer)
    about = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    course = about["course"]
    assert (course["budget"], course["limited"], course["total"]) == ("8 h", "time", 28_800.0)
    assert [point["seconds"] for point in course["points"]] == [600.0, 9600.0, 28_300.0]
    assert about["job"]["minibatches"] == 50_000
    assert about["job"]["chosen"] == {"seconds": 28_300.0, "energy_j": 1_710_000.0}
    assert about["job"]["start"]["seconds"] == pytest.approx(50 * about["start"]["time_ms"] + 3600)
    report = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "The job and its budget" in report
    assert "Budget of the whole job: 8 h." in report
    assert "7:51:40" in report
    for cell in ("7.86 h<small>475 Wh", "1.76 h<small>135 Wh"):  # As tuned, and in the start mode.
        assert cell in report.replace("&nbsp;", " ")


def test_a_run_without_such_a_budget_has_none(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path)
    replay(writer, verified(make_outcome()))
    writer.closed()
    assert json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))["course"] is None
    assert "The job and its budget" not in (tmp_path / "report.html").read_text(encoding="utf-8")
