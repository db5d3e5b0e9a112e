"""What one job leaves to the next: in its checkpoints, and in the cache of profiles."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.callbacks import _lightning as pl
from lightning_powertrain.callbacks.fingerprint import workload_fingerprint
from lightning_powertrain.callbacks.state import known_from, mismatch, state_of
from lightning_powertrain.devices import BaseDevice
from lightning_powertrain.errors import ArgumentError, FileFormatError
from lightning_powertrain.logs import log_swallowed, warn
from lightning_powertrain.profiling import Key, Profile, ProfileCache, board_fingerprint, named_fingerprint
from lightning_powertrain.tuning import History, Observer, Outcome


class Memory(Observer):
    """Remembers what was measured of this very workload on this very board.

    Args:
        cache: True for the usual folder, False for none, or a folder.
        minimum: Measurements with which a cached profile is of use.
        budget: What the job looks for, as text.
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
        """Take note of the state of a job that is to be gone on with, whatever it holds; it is looked at later."""
        self._state, self._resumes = state, True

    def state(self, profile: Profile | None, kept: PowerMode | None) -> dict[str, Any]:
        """What a checkpoint should hold now.

        Args:
            profile: What this job knows; None before it knows anything. Then it hands on what it got: one that goes
                on for a while on another computer comes back to its board as it was.
            kept: The mode that is locked.
        """
        if self._resumes or profile is None or self._board is None:
            return dict(self._state) if isinstance(self._state, dict) else {}
        return state_of(profile, self._board, self._workload, self._budget, kept)

    # A job, from its start to the mode that it keeps.

    def job_started(self) -> None:
        """Begin another job; it goes on from a state only if that was loaded for it."""
        if not self._resumes:
            self._state = {}
        self._resumes = False
        self._board = self._workload = self._read = None

    def recall(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        batch: object,
        device: BaseDevice,
        simulated: str | None,
    ) -> History | None:
        """What is known of the job whose first minibatch this is; None if nothing is.

        Args:
            trainer: The Trainer.
            pl_module: What it trains.
            batch: The first minibatch.
            device: The board, or the group of all boards of the job.
            simulated: Name of the workload that a simulated board trains instead of the module; None if it does not.
        """
        self._board = board_fingerprint(device)
        if simulated is not None:
            self._workload = named_fingerprint(simulated)
        else:
            try:
                self._workload = workload_fingerprint(trainer, pl_module, batch)
            except Exception as error:  # Any object may be a minibatch.
                log_swallowed("taking the fingerprint of the workload, which the profile cache needs,", error)
        return self._from_checkpoint(device) or self._from_cache()

    def verified(self, outcome: Outcome) -> None:
        """Keep the profile for later jobs, unless another job has left a larger one meanwhile.

        What was measured after a drift is of the middle of a job, and later ones begin at the beginning.
        """
        key = self._key()
        if self._cache is None or key is None or outcome.corrections:
            return
        there = self._cache.load(key)
        if there is None or there == self._read or len(there) <= len(outcome.profile):
            about = outcome.profile.provenance
            dated = replace(about, details={**about.details, "date": time.strftime("%Y-%m-%d")})
            self._cache.store(key, replace(outcome.profile, provenance=dated))

    def _from_checkpoint(self, device: BaseDevice) -> History | None:
        if self._state == {}:
            return None
        assert self._board is not None
        try:
            different = mismatch(self._state, self._board, self._workload)
            if different is None:
                return known_from(self._state, device.modes.knobs, self._budget)
            warn("the checkpoint is of %s: measuring power modes starts over", different, see="checkpoints.md")
        except FileFormatError as error:
            if self._strict:
                raise
            warn("measuring power modes starts over: %s", error, see="checkpoints.md")
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
