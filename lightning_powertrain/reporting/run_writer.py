"""Keeps what a tuner found out, as files."""

from __future__ import annotations

from pathlib import Path

from lightning_powertrain.reporting.summary import write_run
from lightning_powertrain.tuning.events import Observer, Outcome


class RunWriter(Observer):
    """Writes the profile, a summary and the Pareto figure once the chosen mode was measured.

    What follows a correction of the choice goes into a folder of its own in there, ``correction-1`` and so on.

    Args:
        folder: Where to; made if it does not exist.
    """

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    def verified(self, outcome: Outcome) -> None:
        corrections = len(outcome.corrections)
        write_run(outcome, self._folder / f"correction-{corrections}" if corrections else self._folder)
