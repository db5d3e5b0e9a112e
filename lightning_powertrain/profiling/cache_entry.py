"""One entry of the profile cache on disk: a folder with a profile, what it holds for, and checksums of both."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from lightning_powertrain.errors import FileFormatError
from lightning_powertrain.profiling.profile import Profile

_FORMAT = "lightning-powertrain cache 1"
_ABOUT, _PROFILE = "entry.json", "profile.csv"

# The largest profiles have thousands of modes and take 1 MB. What is larger, or no regular file, is not ours.
_LARGEST_FILE = 16 * 2**20


@dataclass(frozen=True)
class Key:
    """What a profile holds for. Any budget can be served from it, so no budget is part of it.

    Args:
        workload: Fingerprint of the workload.
        board: Fingerprint of the board.
    """

    workload: str
    board: str

    @property
    def name(self) -> str:
        """What the names of its entries start with: half a SHA-256, in hexadecimal."""
        return hashlib.sha256(json.dumps([self.workload, self.board]).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Entry:
    """What lies in the cache.

    Args:
        folder: Where.
        saved_s: When it was written, in seconds since 1970.
        size_bytes: Size of its files.
        key: What it holds for; None if it cannot be read: damaged, or written by another version.
        profile: The profile; None if it cannot be read.
    """

    folder: Path
    saved_s: float
    size_bytes: int
    key: Key | None = None
    profile: Profile | None = None


def write_entry(folder: Path, key: Key, profile: Profile) -> None:
    """Write an entry, down to the disk, into a folder that gets its final name only afterwards."""
    profile.save(folder / _PROFILE)
    about = {"format": _FORMAT, "key": asdict(key), "sha256": _checksums(folder)}
    (folder / _ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    for path in (*folder.iterdir(), folder):
        sync(path)


def read_entry(folder: Path) -> tuple[Key, Profile]:
    """An entry, every byte of which counts: its name is the checksum of the key, and the key's file holds the others.

    Raises:
        FileFormatError: If it is damaged, or was written by another version.
    """
    try:
        about = json.loads(_bytes_of(folder / _ABOUT))
        if about["format"] != _FORMAT:
            raise ValueError(f"its format is {about['format']!r}, expected {_FORMAT!r}")
        key = Key(**about["key"])
        if not folder.name.startswith(key.name) or about["sha256"] != _checksums(folder):
            raise ValueError("a checksum does not match")
        return key, Profile.load(folder / _PROFILE)
    except Exception as error:  # Any bytes may lie in these files.
        raise FileFormatError(
            f"{folder} is not a profile that can be read ({error}). It will be replaced; `powertrain cache clear` "
            "removes it too"
        ) from error


def _checksums(folder: Path) -> dict[str, str]:
    names = (_PROFILE, Path(_PROFILE).with_suffix(".json").name)
    return {name: hashlib.sha256(_bytes_of(folder / name)).hexdigest() for name in names}


def _bytes_of(path: Path) -> bytes:
    """A regular file of a bounded size: anything else might never end, or never begin.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is something else.
    """
    found = path.stat()
    if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST_FILE:
        raise ValueError(f"{path.name} is no regular file of at most {_LARGEST_FILE >> 20} MB")
    return path.read_bytes()


def sync(path: Path) -> None:
    """Have what was written reach the disk: boards lose their power without notice."""
    source = os.open(path, os.O_RDONLY)
    try:
        os.fsync(source)
    finally:
        os.close(source)


def saved_s(folder: Path) -> float:
    """When a folder was last written to; 0 if it is gone."""
    return _or_zero(lambda: folder.stat().st_mtime)


def size_bytes(folder: Path) -> int:
    """Size of the files in a folder; 0 if it is gone."""
    return int(_or_zero(lambda: sum(path.stat().st_size for path in folder.iterdir())))


def _or_zero(number: Callable[[], float]) -> float:
    try:
        return number()
    except OSError:
        return 0.0
