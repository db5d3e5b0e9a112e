"""Keeps what a tuner found out, as files."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from lightning_powertrain.logs import warn
from lightning_powertrain.reporting.figures import save_figure
from lightning_powertrain.reporting.html_report import write_report
from lightning_powertrain.reporting.saved_run import CORRECTION, SUMMARY, SavedRun
from lightning_powertrain.reporting.summary import run_summary
from lightning_powertrain.tuning import Observer, Outcome


def write_run(outcome: Outcome, folder: str | Path) -> None:
    """Write ``profile.csv``, ``profile.json``, ``summary.json``, ``report.html`` and, with matplotlib, ``pareto.png``.

    ``summary.json`` holds :func:`summary`, the date, and ``predicted``, some of the predicted modes.
    """
    folder = Path(folder)
    outcome.profile.save(folder / "profile.csv")
    written = datetime.now(timezone.utc).isoformat(timespec="seconds")
    kept = {**run_summary(outcome), "written": written}
    text = json.dumps(kept, indent=2, allow_nan=False)
    (folder / SUMMARY).write_text(text + "\n", encoding="utf-8")
    write_report(SavedRun.load(folder), folder / "report.html")
    try:
        save_figure(outcome, folder / "pareto.png")
    except ModuleNotFoundError as missing:
        warn("no Pareto figure in %s: %s", folder, missing, see="report.md")


class RunWriter(Observer):
    """Writes the profile, a summary and the Pareto figure once the chosen mode was measured.

    The files of a job with a budget for the whole of it are written once more at its end, with its course.
    A correction of the choice goes into a folder of its own in there, ``correction-1`` and so on, and is listed in the
    files of the first choice.

    Args:
        folder: Where to; made if it does not exist.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._first: Outcome | None = None
        self._planned: Outcome | None = None

    def planned(self, outcome: Outcome) -> None:
        self._planned = outcome

    def closed(self) -> None:
        planned, self._planned = self._planned, None
        if planned is not None:
            write_run(planned, self._folder)

    def verified(self, outcome: Outcome) -> None:
        if self._first is None or not outcome.corrections:
            self._first = outcome
        else:
            write_run(outcome, self._folder / f"{CORRECTION}{len(outcome.corrections)}")
        write_run(replace(self._first, corrections=outcome.corrections), self._folder)
