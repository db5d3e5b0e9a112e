"""Profiles that outlive their job: one folder, one entry a workload and board.

An entry is a folder of its own that is complete before it gets its name and never changes afterwards. Its name ends in
a number that counts up with each replacement (the clock of a board that was just switched on may be years behind) and
something random. The highest name counts, and whoever writes removes the lower ones. So no process waits for another, a
reader sees the old entry or the new one and never a mixture, and a process may be killed at any moment.

Of two jobs that finish at once one wins; their profiles are not merged: neither has seen whether the other's
measurements hold.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from pathlib import Path

from lightning_powertrain.errors import FileFormatError
from lightning_powertrain.logs import log_swallowed, warn
from lightning_powertrain.profiling.cache_entry import Entry, Key, read_entry, saved_s, size_bytes, sync, write_entry
from lightning_powertrain.profiling.profile import Profile

VARIABLE = "POWERTRAIN_CACHE"
"""Environment variable that names the folder; empty or ``off`` for no cache."""

MOST_ENTRIES = 100
"""Entries that are kept; beyond that the oldest go."""

_ENTRY = re.compile(r"[0-9a-f]{32}-(\d{8})-[0-9a-f]{8}")
_SCRATCH = re.compile(r"\.scratch-[0-9a-f]{8}")

# Writing takes milliseconds: what is older was left behind by a process that was killed.
_ABANDONED_S = 3600.0

# A cache that others have filled is emptied over several jobs.
_MOST_DISCARDED = 20

_LAST_NUMBER = 99_999_999

# How often an entry may be replaced under the eyes of a reader until it gives up.
_MOST_ATTEMPTS = 10


class ProfileCache:
    """Keeps profiles for later jobs. It never fails a job: what goes wrong is one warning, and counts as a miss.

    Args:
        folder: Where; None for the folder that the environment variable ``POWERTRAIN_CACHE`` names (no cache if that is
            empty or ``off``), or else ``lightning-powertrain`` in ``$XDG_CACHE_HOME`` or ``~/.cache``.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self._warned = False
        self._folder: Path | None
        try:
            self._folder = _usual_folder() if folder is None else Path(folder)
        except RuntimeError as error:  # This user has no home.
            self._folder = None
            self._warn(error)

    @property
    def folder(self) -> Path | None:
        """Where the entries lie; None if the cache is switched off."""
        return self._folder

    def load(self, key: Key) -> Profile | None:
        """The profile of ``key``; None if there is none that can be read."""
        try:
            return self._load(key)
        except Exception as error:
            self._warn(error)
            return None

    def store(self, key: Key, profile: Profile) -> None:
        """Keep ``profile`` under ``key``, in place of what was there."""
        if self._folder is None:
            return
        scratch = self._folder / _scratch_name()
        try:
            scratch.mkdir(parents=True)
            write_entry(scratch, key, profile)
            entry = self._folder / self._next_name(key)
            scratch.rename(entry)
            sync(self._folder)
            self._tidy(key, entry)
        except Exception as error:
            self._warn(error)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def entries(self) -> tuple[Entry, ...]:
        """All that lies in the cache, the newest first; what was removed meanwhile is left out."""
        found = []
        for folder in self._folders(""):
            try:
                key, profile = read_entry(folder)
                found.append(Entry(folder, saved_s(folder), size_bytes(folder), key, profile))
            except FileFormatError as error:
                log_swallowed("reading an entry of the profile cache", error)
                if folder.exists():
                    found.append(Entry(folder, saved_s(folder), size_bytes(folder)))
        return tuple(sorted(found, key=lambda entry: entry.saved_s, reverse=True))

    def remove(self, entry: Entry) -> None:
        """Remove an entry.

        Raises:
            OSError: If it cannot be removed.
        """
        _discard(entry.folder)

    def _load(self, key: Key) -> Profile | None:
        for _ in range(_MOST_ATTEMPTS):
            folders = sorted(self._folders(key.name), reverse=True)
            damaged: FileFormatError | None = None
            for folder in folders[:_MOST_ATTEMPTS]:
                try:
                    return read_entry(folder)[1]
                except FileFormatError as error:
                    log_swallowed("reading an entry of the profile cache", error)
                    if folder.exists():
                        damaged = error  # An older entry may still be sound.
            if damaged is not None:
                raise damaged
            if not folders:
                return None
            # All of them have just been replaced.
        return None

    def _folders(self, start: str) -> list[Path]:
        """Entries whose names start so. Nothing else in the folder is ours, and nothing else is ever touched."""
        if self._folder is None:
            return []
        return [path for path in self._folder.glob(f"{start}*") if _ENTRY.fullmatch(path.name)]

    def _next_name(self, key: Key) -> str:
        numbers = [_number(path) for path in self._folders(key.name)]
        highest = max((number for number in numbers if number < _LAST_NUMBER), default=0)
        return f"{key.name}-{highest + 1:08}-{secrets.token_hex(4)}"

    def _tidy(self, key: Key, entry: Path) -> None:
        """Remove what ``entry`` replaces, the oldest entries beyond the limit, and what killed processes left."""
        assert self._folder is not None
        for path in self._folders(key.name)[:_MOST_DISCARDED]:
            if path.name < entry.name or (path != entry and (_number(path) >= _LAST_NUMBER or not _is_sound(path))):
                _discard(path)
        others = sorted((path for path in self._folders("") if path != entry), key=saved_s)
        for path in others[: min(_MOST_DISCARDED, max(0, len(others) + 1 - MOST_ENTRIES))]:
            _discard(path)
        for path in self._folder.glob(".scratch-*"):
            if _SCRATCH.fullmatch(path.name) and time.time() - saved_s(path) > _ABANDONED_S:
                shutil.rmtree(path, ignore_errors=True)

    def _warn(self, error: Exception) -> None:
        if self._warned:
            log_swallowed("using the profile cache", error)
            return
        self._warned = True
        reason = error if isinstance(error, FileFormatError) else repr(error)
        what = "the profile cache is disabled for this run (%s): %s"
        warn(what, self._folder or VARIABLE, reason, see="cache.md#what-can-go-wrong")


def _usual_folder() -> Path | None:
    named = os.environ.get(VARIABLE)
    if named is not None:
        return Path(named).expanduser() if named not in ("", "off") else None
    xdg = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG base directory specification has relative paths ignored.
    return (xdg if xdg.is_absolute() else Path.home() / ".cache") / "lightning-powertrain"


def _is_sound(folder: Path) -> bool:
    try:
        read_entry(folder)
    except FileFormatError as error:
        log_swallowed("reading an entry of the profile cache", error)
        return False
    return True


def _number(folder: Path) -> int:
    """Which replacement of its key an entry is."""
    return int(folder.name.split("-")[1])


def _discard(folder: Path) -> None:
    """Remove an entry. It loses its name first, so that no reader finds half of it."""
    scratch = folder.with_name(_scratch_name())
    try:
        folder.rename(scratch)
    except FileNotFoundError:  # Another process was quicker.
        return
    shutil.rmtree(scratch, ignore_errors=True)


def _scratch_name() -> str:
    return f".scratch-{secrets.token_hex(4)}"
