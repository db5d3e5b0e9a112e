"""Keeps what a tuner found out, as files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from lightning_powertrain.reporting.saved_run import CORRECTION
from lightning_powertrain.reporting.summary import write_run
from lightning_powertrain.tuning import Observer, Outcome


class RunWriter(Observer):
    """Writes the profile, a summary and the Pareto figure once the chosen mode was measured.

    A correction of the choice goes into a folder of its own in there, ``correction-1`` and so on, and is told in the
    files of the first choice.

    Args:
        folder: Where to; made if it does not exist.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._first: Outcome | None = None

    def verified(self, outcome: Outcome) -> None:
        if self._first is None or not outcome.corrections:
            self._first = outcome
        else:
            write_run(outcome, self._folder / f"{CORRECTION}{len(outcome.corrections)}")
        write_run(replace(self._first, corrections=outcome.corrections), self._folder)
