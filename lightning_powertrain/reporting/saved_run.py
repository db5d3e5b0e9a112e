"""A run as it lies in a folder, read back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.errors import ArgumentError, FileFormatError
from lightning_powertrain.profiling import Profile

FORMAT = "lightning-powertrain run 1"
SUMMARY = "summary.json"
CORRECTION = "correction-"


@dataclass(frozen=True)
class SavedRun:
    """What :func:`~lightning_powertrain.reporting.write_run` has kept of a run.

    Args:
        summary: What ``summary.json`` holds.
        profile: What was measured.
    """

    summary: dict[str, Any]
    profile: Profile

    @classmethod
    def load(cls, folder: Path) -> SavedRun:
        """Read a folder.

        Raises:
            FileFormatError: If a file is missing, damaged, or from a version that kept less.
        """
        path = folder / SUMMARY
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise FileFormatError(f"{path} cannot be read ({error}). A job that is tuned writes it.") from error
        kind = found.get("format") if isinstance(found, dict) else None
        if kind != FORMAT:
            raise FileFormatError(f"{path} has the format {kind!r}, expected {FORMAT!r}: another version wrote it.")
        return cls(found, Profile.load(folder / "profile.csv"))

    @property
    def mode(self) -> PowerMode:
        """The power mode that the job ended in: the chosen one, or the one after its last correction."""
        return PowerMode(**(self.summary["corrections"] or [self.summary["chosen"]])[-1]["mode"])


def run_folder(path: Path) -> Path:
    """The folder of a run: ``path`` itself, or else the newest run below it.

    Raises:
        ArgumentError: If there is no run in either.
    """
    if (path / SUMMARY).is_file():
        return path
    # A correction has a folder of its own inside that of its run.
    runs = [each.parent for each in path.rglob(SUMMARY) if not each.parent.name.startswith(CORRECTION)]
    if not runs:
        allowed = f"a folder that holds {SUMMARY}, or that has one below it; a tuned job writes it"
        raise ArgumentError.of("FOLDER", str(path), allowed)
    return max(runs, key=lambda folder: ((folder / SUMMARY).stat().st_mtime_ns, folder))
