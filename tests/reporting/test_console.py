from __future__ import annotations

import io
import re

import pytest
from rich.console import Console
from stories import make_outcome, replay, verified

from lightning_powertrain.reporting import ConsoleReporter
from lightning_powertrain.selection import PowerBudget
from lightning_powertrain.tuning import Phase, Progress

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "JPY_PARENT_PID"):
        monkeypatch.delenv(name, raising=False)


def terminal(width: int = 80) -> Console:
    return Console(file=Terminal(), width=width, highlight=False, force_jupyter=False)


def written(console: Console) -> str:
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def screen(output: str) -> list[str]:
    """What a terminal shows in the end, of the control codes that a progress line uses."""
    lines, row = [""], 0
    for part in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", output):
        if part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part == "\x1b[2K":
            lines[row] = ""
        elif part.endswith("A"):
            row -= int(part[2:-1])
        elif not part.startswith(("\x1b", "\r")):
            lines[row] += part
    return lines


def test_without_a_terminal_there_are_only_plain_lines() -> None:
    stream = io.StringIO()
    replay(ConsoleReporter(Console(file=stream), simulated=True), verified(make_outcome()))
    lines = stream.getvalue().splitlines()
    assert "\x1b" not in stream.getvalue()
    assert "\r" not in stream.getvalue()
    assert all(line == line.rstrip() for line in lines)
    assert lines[0] == "PowerTrain (simulated): measuring the power mode that the job started in"
    assert lines[1] == (
        "PowerTrain (simulated): start mode 55.0 ms, 46.0 W (12 cores, cpu 2201.6 MHz, gpu 1300.5 MHz, emc 3199 MHz)"
    )
    assert lines[2] == "PowerTrain (simulated): profiling up to 12 power modes takes about 4:10"
    progress = [line for line in lines if " of ~" in line]
    assert [re.findall(r"mode (\d+) of 12", line) for line in progress] == [
        [each] for each in ("2", "4", "6", "8", "10", "12")
    ]
    assert "Power mode: resnet18 on test-board (SIMULATED)" in lines
    assert sum("verifying" in line for line in lines) == 1
    gained = "42 % slower, 8.3 % less energy than the start mode (MAXN)"
    assert lines[-1] == f"PowerTrain (simulated): this power mode stays: {gained}."


def test_after_the_summary_there_is_silence() -> None:
    stream = io.StringIO()
    reporter = ConsoleReporter(Console(file=stream))
    replay(reporter, verified(make_outcome()))
    before = stream.getvalue()
    reporter.phase_changed(Phase.CLOSED)
    reporter.closed()
    reporter.closed()
    assert stream.getvalue() == before


def test_where_nobody_can_tell_when_profiling_ends_the_longest_time_is_said() -> None:
    lines: list[str] = []
    reporter = ConsoleReporter(Console(file=io.StringIO(), width=80), lines.append)
    reporter.measured(make_outcome().selection.start, Progress(0, 50, 180.0, most_seconds_left=230.0))
    assert lines[-1] == "PowerTrain: profiling up to 50 power modes takes up to 3:50"


def test_profiling_many_modes_takes_about_ten_lines() -> None:
    lines: list[str] = []
    reporter = ConsoleReporter(Console(file=io.StringIO(), width=80), lines.append)
    measurement = make_outcome().selection.start
    for done in range(1, 51):
        reporter.measured(measurement, Progress(done, 50, 50.0 - done))
    assert [line.split(",")[0] for line in lines] == [f"PowerTrain: mode {done} of 50" for done in range(5, 51, 5)]


def test_where_profiling_may_end_early_no_time_left_is_shown() -> None:
    lines: list[str] = []
    reporter = ConsoleReporter(Console(file=io.StringIO(), width=80), lines.append)
    measurement = make_outcome().selection.start
    for done in range(6):
        reporter.measured(measurement, Progress(done, 50, 600.0, is_open=True))
    assert lines[1:] == [
        "PowerTrain: profiling ends once the choice is settled, after at most 50 power modes",
        "PowerTrain: mode 5 of at most 50, 55.0 ms, 46.0 W",
    ]


@pytest.mark.parametrize("console", [Console(file=io.StringIO(), width=80), terminal()])
def test_a_mode_beyond_the_plan_has_no_progress(console: Console) -> None:
    """As after warming up, when another choice is looked for and nobody knows how many modes that takes."""
    ConsoleReporter(console).measured(make_outcome().selection.start, Progress(1, 0, 0.0))
    assert written(console) == ""


@pytest.mark.parametrize("width", [80, 200])
def test_lines_given_to_somebody_else_are_plain_and_progress_fits(width: int) -> None:
    lines: list[str] = []
    console = terminal(width)
    replay(ConsoleReporter(console, lines.append, simulated=True), verified(make_outcome()))
    assert written(console) == "", "the terminal belongs to somebody else"
    assert not any("\x1b" in line for line in lines)
    assert all(len(line) <= width for text in lines for line in text.splitlines())
    progress = [text for text in lines if " of ~" in text]
    assert len(progress) == 6
    assert all("\n" not in text and ("cores" in text) == (width == 200) for text in progress)
    assert any("minibatch energy" in text and "SIMULATED" in text for text in lines)


@pytest.mark.parametrize("width", [80, 200])
def test_on_a_terminal_progress_is_one_live_line(width: int) -> None:
    console = terminal(width)
    replay(ConsoleReporter(console, simulated=True), verified(make_outcome()), until=Phase.PROFILING)
    last = screen(written(console))[-1]
    assert last.startswith("Profiling (simulated) ")
    assert "6 of 12, 2:05 of ~4:10, 178 ms, 13.9 W" in last
    assert len(last) <= width
    assert ("8 cores, cpu 1113.6 MHz" in last) == (width == 200)


def test_progress_line_fits_a_narrow_terminal_whatever_the_figures() -> None:
    console = terminal(80)
    reporter = ConsoleReporter(console, simulated=True)
    start = make_outcome().selection.start
    reporter.measured(start, Progress(0, 200, 36_000.0))
    reporter.measured(start.__class__(start.mode, 123_456.7, 101.5), Progress(199, 200, 180.0, 35_820.0))
    last = screen(written(console))[-1]
    assert last.endswith("199 of 200, 9:57:00 of ~10:00:00, 123457 ms, 102 W")
    assert len(last) <= 80
    reporter.closed()


@pytest.mark.parametrize("until", [Phase.PROFILING, Phase.VERIFYING, Phase.LOCKED])
def test_closing_leaves_the_terminal_clean(until: Phase) -> None:
    console = terminal()
    reporter = ConsoleReporter(console)
    replay(reporter, verified(make_outcome()), until=until)
    reporter.closed()
    reporter.closed()
    console.print("next")
    output = written(console)
    assert output.count("\x1b[?25h") == output.count("\x1b[?25l") == 1, "the cursor is shown again"
    shown = screen(output)
    assert not any(" of ~" in line for line in shown)
    assert shown[-2:] == ["next", ""]


def test_closing_what_never_started_writes_nothing() -> None:
    console = terminal()
    ConsoleReporter(console).closed()
    assert written(console) == ""


def test_a_warning_in_between_meets_no_progress_line() -> None:
    console = terminal()
    reporter = ConsoleReporter(console)
    replay(reporter, make_outcome(), until=Phase.PROFILING)
    reporter.phase_changed(Phase.DECIDING)
    assert screen(written(console))[-1] == ""


def test_nothing_is_written_once_closed_until_another_job_begins() -> None:
    stream = io.StringIO()
    reporter = ConsoleReporter(Console(file=stream))
    outcome = verified(make_outcome())
    reporter.closed()
    reporter.measured(outcome.selection.start, Progress(0, 12, 1.0))
    reporter.selected(outcome)
    reporter.verified(outcome)
    assert stream.getvalue() == ""
    replay(reporter, outcome)
    assert "Power mode: " in stream.getvalue()


def test_a_file_that_is_forced_to_colours_gets_no_live_line() -> None:
    stream = io.StringIO()
    replay(ConsoleReporter(Console(file=stream, force_terminal=True, width=80)), verified(make_outcome()))
    assert {code[-1] for code in ESCAPE.findall(stream.getvalue())} <= {"m"}
    assert "mode 12 of 12" in ESCAPE.sub("", stream.getvalue())


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize("is_terminal", [True, False])
def test_streams_that_are_not_utf8_get_what_they_can_encode(encoding: str, is_terminal: bool) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding)
    stream.isatty = lambda: is_terminal  # type: ignore[method-assign]
    outcome = verified(make_outcome(workload="modèle [bold]深[/bold]"))
    replay(ConsoleReporter(Console(file=stream, width=80)), outcome)
    stream.flush()
    text = raw.getvalue().decode(encoding)
    assert "[bold]?[/bold] on test-board" in text
    assert "78.2 ms" in text


def test_summary_says_by_how_much_the_budget_is_missed() -> None:
    lines: list[str] = []
    replay(ConsoleReporter(Console(file=io.StringIO()), lines.append), verified(make_outcome(PowerBudget(5.0))))
    assert sum("ABOVE it" in line for line in lines) == 1


def test_measured_figures_are_never_called_simulated() -> None:
    stream = io.StringIO()
    replay(ConsoleReporter(Console(file=stream)), verified(make_outcome(simulated=False)))
    assert "simulated" not in stream.getvalue().lower()


def test_job_too_short_to_profile_shows_its_start_only() -> None:
    console = terminal()
    reporter = ConsoleReporter(console)
    reporter.phase_changed(Phase.WARMING_UP)
    reporter.measured(make_outcome().selection.start, Progress(0, 0, 0.0))
    reporter.phase_changed(Phase.CLOSED)
    reporter.closed()
    assert "start mode" in written(console)
    assert "profiling" not in written(console).lower()
    assert "\x1b[?25l" not in written(console)


def test_a_notebook_gets_plain_lines_on_the_standard_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")  # As the kernel of a notebook does.
    plain = io.StringIO()
    pipe = Console(file=plain, width=80, force_jupyter=False, force_terminal=False)
    replay(ConsoleReporter(pipe), verified(make_outcome()))
    replay(ConsoleReporter(), verified(make_outcome()))
    assert "minibatch energy" in plain.getvalue()
    assert capsys.readouterr().out == plain.getvalue()


def test_in_a_notebook_too_the_table_goes_to_whoever_takes_the_lines(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    lines: list[str] = []
    replay(ConsoleReporter(write=lines.append), verified(make_outcome()))
    assert sum("minibatch energy" in line for line in lines) == 1
    assert capsys.readouterr().out == ""


def test_waiting_for_a_warm_board_is_said_in_one_line() -> None:
    lines: list[str] = []
    reporter = ConsoleReporter(write=lines.append)
    reporter.board_warming(make_outcome().selection.mode, 90.0)
    (line,) = lines
    assert "for up to 90 s, to see its power on a warm board" in line
