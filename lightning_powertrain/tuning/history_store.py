"""What one job leaves to the next: in its checkpoints, and in the cache of profiles."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from lightning_powertrain.boards import Knob, PowerMode
from lightning_powertrain.devices import BaseDevice
from lightning_powertrain.errors import ArgumentError, FileFormatError
from lightning_powertrain.logs import warn
from lightning_powertrain.profiling import Key, Profile, ProfileCache, board_fingerprint
from lightning_powertrain.tuning.checkpoint import history_from, mismatch, state_of
from lightning_powertrain.tuning.history import History
from lightning_powertrain.tuning.job_ledger import Spent
from lightning_powertrain.tuning.observers import Observer
from lightning_powertrain.tuning.outcome import Outcome


class HistoryStore(Observer):
    """Stores what was measured of a workload on a board, and finds it again.

    Args:
        cache: True for the usual folder, False for none, or a folder.
        minimum: Measurements that a cached profile must have.
        budget: The budget of the job, as text.
        strict: Raise what is wrong with a checkpoint.

    Raises:
        ArgumentError: If ``cache`` is none of these.
    """

    def __init__(self, cache: bool | str | Path, minimum: int, budget: str, strict: bool) -> None:
        if not (isinstance(cache, (bool, Path)) or (isinstance(cache, str) and cache.strip())):
            raise ArgumentError.of("cache", cache, "True (the usual folder), False (no cache), or the path of a folder")
        folder = None if isinstance(cache, bool) else Path(cache).expanduser()
        self._cache = ProfileCache(folder) if cache is not False else None
        self._minimum = minimum
        self._budget = budget
        self._strict = strict
        self._state: Any = {}
        self._resumes = False
        self._board: str | None = None
        self._workload: str | None = None
        self._read: Profile | None = None

    # Checkpoints.

    def load(self, state: Any) -> None:
        """Keep the state of a job that is to be resumed, whatever it holds; :meth:`find` looks at it."""
        self._state, self._resumes = state, True

    def state(self, profile: Profile | None, kept: PowerMode | None, spent: Spent | None = None) -> dict[str, Any]:
        """The state for a checkpoint that is saved now.

        Args:
            profile: What this job has measured; None before its first measurement. The loaded state is returned then,
                so that a job that continues for a while on another computer resumes on its own board.
            kept: The mode that is locked.
            spent: What the job has spent, if its budget is for the whole of it.
        """
        if self._resumes or profile is None or self._board is None:
            return dict(self._state) if isinstance(self._state, dict) else {}
        return state_of(profile, self._board, self._workload, self._budget, kept, spent)

    # A job, from its start to the mode that it keeps.

    def job_started(self) -> None:
        """Begin another job; it resumes from a state only if that was loaded for it."""
        if not self._resumes:
            self._state = {}
        self._resumes = False
        self._board = self._workload = self._read = None

    def find(self, device: BaseDevice, workload: str | None) -> History | None:
        """What an earlier run of this job measured; None if there is nothing.

        Args:
            device: The board, or the group of boards of the job.
            workload: Fingerprint of the workload; None if it has none, and then only a checkpoint may help.
        """
        self._board, self._workload = board_fingerprint(device), workload
        return self._from_checkpoint(self._board, device.modes.knobs) or self._from_cache()

    def verified(self, outcome: Outcome) -> None:
        """Keep the profile for later jobs, unless another job has left a larger one meanwhile.

        Measurements after a drift are of the middle of a job, and later ones begin at the beginning.
        """
        key = self._key()
        if self._cache is None or key is None or outcome.corrections:
            return
        there = self._cache.load(key)
        if there is None or there == self._read or len(there) <= len(outcome.profile):
            about = outcome.profile.provenance
            dated = replace(about, details={**about.details, "date": time.strftime("%Y-%m-%d")})
            self._cache.store(key, replace(outcome.profile, provenance=dated))

    def _from_checkpoint(self, board: str, knobs: tuple[Knob, ...]) -> History | None:
        if self._state == {}:
            return None
        try:
            different = mismatch(self._state, board, self._workload)
            if different is None:
                return history_from(self._state, knobs, self._budget)
            warn("the checkpoint is of %s: profiling starts over", different, see="checkpoints.md")
        except FileFormatError as error:
            if self._strict:
                raise
            what = "the power modes in the checkpoint cannot be used, and profiling starts over: %s"
            warn(what, error, see="checkpoints.md")
        return None

    def _from_cache(self) -> History | None:
        key = self._key()
        profile = self._cache.load(key) if self._cache is not None and key is not None else None
        if profile is None or len(profile) < self._minimum:
            return None
        self._read = profile
        return History(profile, f"an earlier run ({profile.provenance.details.get('date', 'of unknown date')})")

    def _key(self) -> Key | None:
        return None if self._workload is None or self._board is None else Key(self._workload, self._board)
