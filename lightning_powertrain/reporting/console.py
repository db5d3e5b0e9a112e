"""Prints what a tuner does, for a person at a terminal."""

from __future__ import annotations

import io
from collections.abc import Callable

from rich import box
from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.profiling import Measurement
from lightning_powertrain.reporting.breakdown import breakdown_notes
from lightning_powertrain.reporting.comparison import KnownMode, known_modes
from lightning_powertrain.reporting.course_text import course_text, ended_text
from lightning_powertrain.reporting.gain import gain
from lightning_powertrain.reporting.summary import summary
from lightning_powertrain.reporting.tables import (
    choice_headings,
    choice_rows,
    correction_text,
    duration,
    notes,
    time_and_power,
    title,
)
from lightning_powertrain.terminal import wrapped
from lightning_powertrain.tuning import Drift, History, Observer, Outcome, Phase, Progress

# Lines that plain output spends on profiling, at the most.
_PLAIN_LINES = 10

_BAR_WIDTH = 20


class ConsoleReporter(Observer):
    """A progress line while profiling, a line for each decision, a table at the end, then a line for each correction.

    On a terminal the progress line is live. Without one (a pipe, a file, a notebook), or with ``write``, there are only
    plain lines, about ten while profiling. Plain lines and the table hold no character that the stream cannot encode.

    Args:
        console: Where to write; by default the standard output.
        write: Takes each line instead, for when somebody else's progress bar owns the terminal: two live displays on
            one terminal garble each other.
        simulated: Whether the figures come from a simulation; each line says so.
    """

    def __init__(
        self, console: Console | None = None, write: Callable[[str], None] | None = None, *, simulated: bool = False
    ) -> None:
        self._console = console or _standard_output()
        self._write = write
        self._suffix = " (simulated)" if simulated else ""
        self._prefix = f"PowerTrain{self._suffix}: "
        self._live: Live | None = None
        self._closed = False
        self._is_correcting = self._has_shown = False
        self._ended: Outcome | None = None
        self._mode: PowerMode | None = None
        self._known: list[KnownMode] = []

    def phase_changed(self, phase: Phase) -> None:
        if phase is Phase.WARMING_UP:
            self._closed = self._is_correcting = self._has_shown = False
            self._say("measuring the power mode that the job started in")
        if phase is not Phase.PROFILING:
            self._clear_progress()

    def warm_started(self, history: History) -> None:
        if not self._closed:
            self._say(f"known from {history.source}: {len(history.profile)} power modes")

    def measured(self, measurement: Measurement, progress: Progress) -> None:
        if self._closed or self._is_correcting:
            return
        if progress.done == 0:
            self._say(f"start mode {time_and_power(measurement)} ({measurement.mode})")
            if progress.total and progress.is_open:
                self._say(f"profiling ends once the choice is settled, after at most {progress.total} power modes")
            elif progress.total:
                self._say(f"profiling up to {progress.total} power modes takes {_in_all(progress)}")
        if not progress.total:
            return
        if self._owns_terminal():
            self._show_progress(measurement, progress)
        elif progress.done and (progress.done == progress.total or progress.done % _stride(progress.total) == 0):
            # A log file has room for the mode on every line; somebody else's terminal may not have.
            room = None if self._write is None else self._console.width - len(self._prefix) - len("mode ")
            self._say(f"mode {_progress_text(measurement, progress, room)}")

    def selected(self, outcome: Outcome) -> None:
        if self._closed or self._is_correcting or self._has_shown:
            return
        self._clear_progress()
        selection = outcome.selection
        if selection.measured is None:
            self._say(f"verifying {time_and_power(selection)} predicted ({selection.mode}), {selection.objective}")

    def board_warming(self, mode: PowerMode, most_s: float) -> None:
        if not (self._closed or self._is_correcting):
            self._say(f"training continues in {mode} for up to {most_s:.0f} s, to see its power on a warm board")

    def verified(self, outcome: Outcome) -> None:
        if self._closed:
            return
        if self._is_correcting:
            self._is_correcting = False
            self._say(correction_text(outcome.corrections[-1]))
            return
        self._clear_progress()
        if self._has_shown:
            self._say(f"{outcome.selection.objective}: {time_and_power(outcome.selection)} ({outcome.selection.mode})")
            return
        self._has_shown = True
        self._known = known_modes(outcome)
        self._show(self._summary(outcome))
        for note in (*notes(outcome), *breakdown_notes(outcome)):
            self._show(self._text(note))
        self._say(f"this power mode stays: {gain(summary(outcome))}.")

    def ended_early(self, sentence: str) -> None:
        if not self._closed:
            self._clear_progress()
            self._say(sentence)

    def drifted(self, drift: Drift) -> None:
        self._is_correcting = True  # One line reports it once it is made.

    def planned(self, outcome: Outcome) -> None:
        course, self._ended = outcome.course, outcome
        if course is None or self._closed:
            return
        before, self._mode = self._mode, course.now.mode
        if before != self._mode:
            self._say(course_text(course))

    def closed(self) -> None:
        self._clear_progress()
        ended, self._ended, self._mode = self._ended, None, None
        if ended is not None and ended.course is not None and not self._closed:
            self._say(ended_text(ended, self._known))
        self._closed = True

    # The progress line.

    def _owns_terminal(self) -> bool:
        # A console that was forced to colours may still be a file, where a live line would leave its control codes.
        return self._write is None and self._console.is_interactive and self._console.file.isatty()

    def _show_progress(self, measurement: Measurement, progress: Progress) -> None:
        if self._live is None:
            # Drawn at each event and never by a thread of its own: the job that is being measured stays undisturbed.
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        self._live.update(self._progress_line(measurement, progress), refresh=True)

    def _progress_line(self, measurement: Measurement, progress: Progress) -> Table:
        label = f"Profiling{self._suffix}"
        room = self._console.width - len(label) - 2
        text = _progress_text(measurement, progress, room - _BAR_WIDTH)
        line = Table.grid(padding=(0, 1, 0, 0))
        for _ in range(3):
            line.add_column(no_wrap=True, overflow="crop")
        bar = ProgressBar(
            total=progress.total, completed=progress.done, width=max(4, min(_BAR_WIDTH, room - len(text)))
        )
        line.add_row(Text(label, style="bold"), bar, text)
        return line

    def _clear_progress(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.stop()

    # Lines and tables.

    def _say(self, text: str) -> None:
        self._show(self._text(self._prefix + text))

    def _show(self, content: Text | Table) -> None:
        if self._write is not None:
            self._write(self._plain(content))
        elif self._console.is_terminal and isinstance(content, Table):
            self._console.print(content)
        else:
            # In a pipe or a file lines stay whole, whatever its width.
            self._console.print(Text(self._plain(content)), soft_wrap=True)

    def _plain(self, content: Text | Table) -> str:
        if isinstance(content, Text):
            return wrapped(content.plain, self._console.width) if self._console.is_terminal else content.plain
        encoding = self._console.encoding
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        plain = Console(
            file=stream, width=self._console.width, color_system=None, force_terminal=False, force_jupyter=False
        )
        plain.print(content)
        stream.seek(0)
        return "\n".join(line.rstrip() for line in stream)

    def _text(self, text: str) -> Text:
        """Text that the stream can encode, and in which nothing counts as markup."""
        encoding = self._console.encoding
        return Text(text.encode(encoding, "replace").decode(encoding))

    def _summary(self, outcome: Outcome) -> Table:
        table = Table(
            title=self._text(f"Power mode: {title(outcome)}"),
            title_justify="left",
            title_style="bold",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
        )
        for heading in choice_headings(outcome):
            table.add_column(heading, justify="right" if heading else "left")
        for row in choice_rows(outcome.selection):
            table.add_row(*map(self._text, row))
        return table


def _standard_output() -> Console:
    console = Console(highlight=False)
    # In a notebook rich would write past the standard output, and make each line an output of its own.
    return Console(highlight=False, force_terminal=False, force_jupyter=False) if console.is_jupyter else console


def _stride(total: int) -> int:
    return -(-total // _PLAIN_LINES)


def _in_all(progress: Progress) -> str:
    """How long profiling takes: the longest that it may, where it is not known when it ends."""
    most_s = progress.most_seconds_left
    return f"about {duration(progress.seconds_left)}" if most_s is None else f"up to {duration(most_s)}"


def _progress_text(measurement: Measurement, progress: Progress, width: int | None = None) -> str:
    """How far profiling is and what came last; with the mode itself if ``width`` leaves room for it."""
    if progress.is_open:
        text = f"{progress.done} of at most {progress.total}, {time_and_power(measurement)}"
    else:
        spent_s, most_s = progress.seconds_spent, progress.most_seconds_left
        end = (
            f"~{duration(spent_s + progress.seconds_left)}"
            if most_s is None
            else f"at most {duration(spent_s + most_s)}"
        )
        so_far = f"{duration(spent_s)} of {end}"
        text = f"{progress.done} of {progress.total}, {so_far}, {time_and_power(measurement)}"
    with_mode = f"{text} ({measurement.mode})"
    return with_mode if width is None or len(with_mode) <= width else text
