"""How those loggers show tables and figures that can show more than scalars, each by its own means."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lightning_powertrain.reporting import markup
from lightning_powertrain.reporting.tables import markdown_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Table:
    """A table to show.

    Args:
        title: What it is about, and whether that is simulated.
        headings: One a column; that of the first is left empty.
        rows: Cells as people read them.
        notes: Lines to stand under it.
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


class Display(ABC):
    """Shows what is no scalar, in one kind of logger.

    The methods of a logger identify its kind: none of their packages is imported here. It is their classes
    that are asked, since dummies and mocks answer to any name.
    """

    @staticmethod
    @abstractmethod
    def fits(logger: Any) -> bool:
        """Whether a logger is of this kind."""

    @abstractmethod
    def __init__(self, logger: Any) -> None: ...

    @abstractmethod
    def table(self, name: str, table: Table, step: int) -> None:
        """Show a table, in place of an earlier one of this name."""

    @abstractmethod
    def figure(self, name: str, figure: Figure, step: int) -> None:
        """Show a figure, in place of an earlier one of this name."""


class TensorBoardDisplay(Display):
    """Text, images and a layout of custom scalars; it keeps what was shown at earlier steps."""

    @staticmethod
    def fits(logger: Any) -> bool:
        return _has(getattr(logger, "experiment", None), "add_text", "add_figure", "add_custom_scalars")

    def __init__(self, logger: Any) -> None:
        self._writer = logger.experiment
        self._folder = getattr(logger, "log_dir", None)

    def table(self, name: str, table: Table, step: int) -> None:
        parts = [f"**{table.title}**", markdown_table(table.headings, table.rows), *table.notes]
        self._writer.add_text(name, "\n\n".join(parts), step)

    def figure(self, name: str, figure: Figure, step: int) -> None:
        self._writer.add_figure(name, figure, step, close=False)

    def lay_out(self, category: str, charts: Mapping[str, Sequence[str]]) -> None:
        """Say which scalars share a chart, unless the run has a layout.

        Args:
            category: Heading of the charts.
            charts: Titles, and patterns (regular expressions) of the names in each chart.
        """
        # Of all layouts of a run, TensorBoard shows the last. One that is there is the user's, or ours of an earlier
        # job with this logger.
        self._writer.flush()
        if self._folder is None or not any(map(_holds_layout, Path(self._folder).glob("*tfevents*"))):
            # A logger's prefix may come before each name.
            lines = {title: ["Multiline", [f".*{name}$" for name in names]] for title, names in charts.items()}
            self._writer.add_custom_scalars({category: lines})


class WandbDisplay(Display):
    """Tables and images of Weights & Biases; notes are a table of their own."""

    @staticmethod
    def fits(logger: Any) -> bool:
        return _has(logger, "log_table", "log_image")

    def __init__(self, logger: Any) -> None:
        self._logger = logger

    def table(self, name: str, table: Table, step: int) -> None:
        columns = [table.title, *table.headings[1:]]
        self._logger.log_table(name, columns=columns, data=list(map(list, table.rows)), step=step)
        if table.notes:
            self._logger.log_table(f"{name}_notes", columns=[table.title], data=[[n] for n in table.notes], step=step)

    def figure(self, name: str, figure: Figure, step: int) -> None:
        self._logger.log_image(name, [figure], step=step)


class MLflowDisplay(Display):
    """Artifacts of the run: tables in HTML, figures in PNG."""

    @staticmethod
    def fits(logger: Any) -> bool:
        return _has(logger, "run_id") and _has(logger.experiment, "log_text", "log_figure", "set_terminated")

    def __init__(self, logger: Any) -> None:
        self._client, self._run_id = logger.experiment, logger.run_id

    def table(self, name: str, table: Table, step: int) -> None:
        self._client.log_text(self._run_id, _page(table), f"{name}.html")

    def figure(self, name: str, figure: Figure, step: int) -> None:
        self._client.log_figure(self._run_id, figure, f"{name}.png")


KINDS: tuple[type[Display], ...] = (WandbDisplay, MLflowDisplay, TensorBoardDisplay)
"""Kinds of loggers that show more than scalars."""


def display_of(logger: Any) -> Display | None:
    """What shows tables and figures in a logger; None if that shows scalars only."""
    return next((kind(logger) for kind in KINDS if kind.fits(logger)), None)


def _has(thing: object, *names: str) -> bool:
    return all(hasattr(type(thing), name) for name in names)


def _holds_layout(path: Path) -> bool:
    """Whether an event file of TensorBoard holds a layout of custom scalars."""
    if not path.stat().st_size:
        return False
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        return content.find(b"custom_scalars__config__") >= 0


def _page(table: Table) -> str:
    style = "body { font-family: sans-serif } h1 { font-size: 1.2em } td { white-space: nowrap } "
    style += "td, th { padding: 0.2em 0.6em; text-align: right }"
    rows = [markup.row(list(map(escape, row))) for row in table.rows]
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8">',
        f"<title>{escape(table.title)}</title><style>{style}</style>",
        f"<h1>{escape(table.title)}</h1>",
        markup.table(table.headings, rows),
        *(f"<p>{escape(note)}</p>" for note in table.notes),
    ]
    return "\n".join(parts) + "</html>\n"
