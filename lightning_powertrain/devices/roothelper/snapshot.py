"""What the board was like before the first write, on disk: it must outlive whoever wrote to the board.

Settings in sysfs last until a reboot, and so does ``/run``; where it does not, the boot id tells.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from lightning_powertrain.devices.roothelper.reading import read_raw

_TEXT = re.compile(r"(-?[0-9]{1,20}|[A-Za-z0-9_-]{1,32})\n?")
"""What a file of a knob says: a number, or the name of a governor."""


class Store:
    """A folder that only root can enter, with the snapshot and the lock that one helper at a time holds.

    Args:
        folder: Made if it is not there.
        root: Where the board's file systems are; the snapshot names files relative to it.

    Raises:
        PermissionError: If the folder is somebody else's, or not a folder.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = os.lstat(folder)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise PermissionError(f"{folder} is not a folder of this user")
        folder.chmod(0o700)
        self._root = root
        self._file = folder / "snapshot.json"
        self._folder = folder
        self._lock: int | None = None

    def lock(self) -> bool:
        """Become the only one who may write to the board; the system takes the lock back when this process ends."""
        if self._lock is None:
            lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                return False
            self._lock = lock
        return True

    def unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def save(self, texts: Mapping[Path, str]) -> None:
        """Returns once the texts are on disk, as one whole."""
        files = {str(path.relative_to(self._root)): text for path, text in texts.items() if _TEXT.fullmatch(text)}
        draft = self._file.with_suffix(".draft")
        with draft.open("w", encoding="ascii") as target:
            json.dump({"boot_id": self._boot_id(), "files": files}, target)
            target.flush()
            os.fsync(target.fileno())
        draft.replace(self._file)
        self._sync_folder()

    def load(self) -> dict[Path, str]:
        """What was saved since the last reboot; nothing if nothing was, or if the file is damaged."""
        try:
            found = json.loads(self._file.read_bytes())
            files = {self._root / path: text for path, text in found["files"].items()}
            sound = all(_TEXT.fullmatch(text) for text in files.values())
            return files if sound and found["boot_id"] == self._boot_id() else {}
        except (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
            return {}

    def forget(self) -> None:
        """Call when the board is as it was."""
        if self._file.exists():
            self._file.unlink()
            self._sync_folder()

    def _boot_id(self) -> str:
        return (read_raw(self._root / "proc/sys/kernel/random/boot_id") or "").strip()

    def _sync_folder(self) -> None:
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
