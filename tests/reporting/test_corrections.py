"""A correction after the lock, in the console, loggers and files."""

from __future__ import annotations

import io
import json
from pathlib import Path

from rich.console import Console
from stories import corrected, make_outcome, replay, replay_correction, verified

from lightning_powertrain.reporting import ConsoleReporter, LoggerReporter, RunWriter
from lightning_powertrain.reporting.html_report import html_report
from lightning_powertrain.reporting.saved_run import SavedRun
from lightning_powertrain.tuning import Outcome, Phase

FIRST = verified(make_outcome())


def test_the_console_prints_each_in_one_line() -> None:
    stream = io.StringIO()
    reporter = ConsoleReporter(Console(file=stream, width=500), simulated=True)
    replay(reporter, FIRST)
    start = len(stream.getvalue())
    outcome = corrected(FIRST)
    replay_correction(reporter, outcome)
    (line,) = stream.getvalue()[start:].splitlines()
    assert line.startswith("PowerTrain (simulated): drift (slower): ")
    assert "(20 % slower, 10 % more power); chosen again: " in line
    assert line.endswith(f"{outcome.corrections[0].mode}, in 1:35")
    replay_correction(reporter, corrected(outcome))
    assert len(stream.getvalue()[start:].splitlines()) == 2


def test_the_next_job_has_its_table_again() -> None:
    stream = io.StringIO()
    reporter = ConsoleReporter(Console(file=stream, width=200))
    replay(reporter, FIRST)
    reporter.drifted(corrected(FIRST).corrections[0].drift)  # Training ended in the middle of a correction.
    reporter.phase_changed(Phase.CLOSED)
    reporter.closed()
    replay(reporter, FIRST)
    assert stream.getvalue().count("this power mode stays") == 2


class Kept:
    def __init__(self) -> None:
        self.metrics: list[dict[str, float]] = []

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        self.metrics.append(dict(metrics))


def test_loggers_get_what_has_moved_and_how_often() -> None:
    logger = Kept()
    reporter = LoggerReporter(lambda: [logger], lambda: 0, simulated=True)
    replay(reporter, FIRST)
    before = len(logger.metrics)
    outcome = corrected(FIRST)
    replay_correction(reporter, outcome)
    drift, *_, last = logger.metrics[before:]
    assert round(drift["powertrain/drift_time"], 9) == 0.2
    assert round(drift["powertrain/drift_power"], 9) == 0.1
    assert drift["powertrain/time_ms"] == outcome.corrections[0].drift.now.time_ms
    assert [each["powertrain/corrections"] for each in logger.metrics if "powertrain/corrections" in each] == [1]
    assert outcome.selection.measured is not None
    assert last["powertrain/time_ms"] == outcome.selection.measured.time_ms


def files_of(*outcomes: Outcome, folder: Path) -> None:
    writer = RunWriter(folder)
    for outcome in outcomes:
        writer.verified(outcome)


def test_each_has_files_of_its_own_and_the_first_ones_tell_of_it(tmp_path: Path) -> None:
    second = corrected(FIRST)
    files_of(FIRST, second, corrected(second), folder=tmp_path)
    assert {each.name for each in tmp_path.iterdir() if each.is_dir()} == {"correction-1", "correction-2"}
    first, one, two = (SavedRun.load(tmp_path / name) for name in ("", "correction-1", "correction-2"))
    assert [len(run.summary["corrections"]) for run in (first, one, two)] == [2, 1, 2]
    assert first.profile == FIRST.profile
    assert one.profile == second.profile
    assert first.summary["chosen"]["mode"] == dict(FIRST.selection.mode)
    assert one.summary["chosen"]["mode"] == dict(second.selection.mode)
    correction = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))["corrections"][0]
    assert (correction["sign"], correction["action"], correction["seconds"]) == ("slower", "chosen again", 95.0)
    assert correction["now"]["time_ms"] == second.corrections[0].drift.now.time_ms


def test_the_report_shows_them_if_there_are_any(tmp_path: Path) -> None:
    files_of(FIRST, folder=tmp_path)
    assert "After the lock" not in html_report(SavedRun.load(tmp_path))
    files_of(FIRST, corrected(FIRST), folder=tmp_path)
    page = html_report(SavedRun.load(tmp_path))
    assert "<h2>After the lock</h2>" in page
    assert "The choice was corrected later: see below." in page
    assert "<td>slower</td>" in page
    assert "20 % slower" in page
    assert "chosen again" in page
