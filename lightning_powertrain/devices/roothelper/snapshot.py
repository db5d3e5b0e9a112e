"""What the board was like before the first write, on disk: it must outlive whoever wrote to the board.

Settings in sysfs last until a reboot, and so does ``/run``; where it does not, the boot id shows that.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

_TEXT = re.compile(r"(-?[0-9]{1,20}|[A-Za-z0-9_-]{1,32})\n?")
"""What a file of a knob says: a number, or the name of a governor."""
_LARGEST = 1 << 20
_LOCK, _SNAPSHOT, _DRAFT, _DAMAGED = "lock", "snapshot.json", "snapshot.draft", "snapshot.damaged"
_KEPT = "kept.json"
"""A snapshot that no helper restores unasked: the board's own settings, while it stays in a mode that was kept."""
_NO_PLAIN_FILE = (errno.ELOOP, errno.EISDIR, errno.ENXIO)
_WAYS_OUT = {
    errno.EROFS: "`sudo mount -o remount,rw /run` makes it writable; a container mounts it with `-v {0}:{0}`",
    errno.ENOSPC: "`df /run` shows how full it is",
}


def restorable(texts: Mapping[Path, str]) -> dict[Path, str]:
    """Those that a file of a knob can be set to."""
    return {path: text for path, text in texts.items() if _TEXT.fullmatch(text)}


class StateError(Exception):
    """What is kept on disk cannot be read or written now. Whatever was saved stays."""


class Store:
    """A folder that only root can enter, with the snapshot and the lock that one helper at a time holds.

    Nothing is opened before :meth:`lock`. From then on files are found through the open folder, and never through a
    link. The snapshot stays open for writing until it is forgotten: a file system with such a file cannot be made
    read-only, and the snapshot can be emptied even if its folder is taken away meanwhile.

    Args:
        folder: Made if it is not there.
        root: Where the board's file systems are; the snapshot names files relative to it.
    """

    def __init__(self, folder: Path, root: Path) -> None:
        self._path = folder
        self._root = root
        self._lock: int | None = None
        self._folder = -1
        self._file: int | None = None
        self._saved: dict[Path, str] | None = None
        self.damaged: Path | None = None
        """Where a damaged snapshot was put aside."""

    def lock(self) -> bool:
        """Become the only one who may write to the board; the system takes the lock back when this process ends.

        Raises:
            StateError: If the folder cannot be written, or is not this user's.
        """
        if self._lock is not None:
            return True
        with self._explained():
            self._folder = self._open_folder()
            try:
                lock = self._open(_LOCK, os.O_RDWR | os.O_CREAT)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self._lock = lock
                except BlockingIOError:
                    os.close(lock)
            finally:
                if self._lock is None:
                    os.close(self._folder)
        return self._lock is not None

    def unlock(self) -> None:
        """Let others write to the board; what was saved and not forgotten stays on disk for them."""
        if self._lock is not None:
            self._close_file()
            os.close(self._folder)
            os.close(self._lock)
            self._lock = self._saved = None

    def save(self, texts: Mapping[Path, str]) -> None:
        """Returns once the texts are on disk, as one whole.

        Raises:
            StateError: If they cannot be; what was saved before stays.
        """
        saved = restorable(texts)
        with self._explained():
            files = {str(path.relative_to(self._root)): text for path, text in saved.items()}
            content = json.dumps({"boot_id": self._boot_id(), "files": files})
            with contextlib.suppress(FileNotFoundError):  # left by a helper that was killed
                os.unlink(_DRAFT, dir_fd=self._folder)
            draft = self._open(_DRAFT, os.O_RDWR | os.O_CREAT | os.O_EXCL)
            try:
                with open(draft, "w", encoding="ascii", closefd=False) as target:
                    target.write(content)
                os.fsync(draft)
                self._close_file()
                self._rename(_DRAFT, _SNAPSHOT)
                os.fsync(self._folder)
            except BaseException:
                os.close(draft)
                raise
        self._file, self._saved = draft, saved

    def load(self) -> dict[Path, str]:
        """What was saved since the last reboot and not forgotten; nothing if nothing was.

        A damaged snapshot is put aside, see :attr:`damaged`.

        Raises:
            StateError: If there is a snapshot that cannot be read, or not be emptied afterwards: it is kept.
        """
        if self._saved is not None:
            return self._saved
        with self._explained():
            self._close_file()
            try:
                self._file = self._open(_SNAPSHOT, os.O_RDWR | os.O_NONBLOCK)
            except FileNotFoundError:
                return {}
            except OSError as error:
                if error.errno not in _NO_PLAIN_FILE:
                    raise
                self._put_aside()
                return {}
            try:
                self._saved = self._parsed(self._file)
                if self._saved is None:
                    self._remove()
            except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
                self._put_aside()
        if self._saved is None:
            self._close_file()
        return self._saved or {}

    def forget(self) -> None:
        """Call when the board is as it was. What cannot be removed is emptied, so that nobody restores it again.

        Raises:
            StateError: If neither is possible.
        """
        if self._saved is None:
            return
        emptied = self._emptied()
        self._close_file()
        with self._explained():
            try:
                self._remove()
            except OSError:
                if not emptied:
                    raise
        self._saved = None

    @property
    def keeps(self) -> bool:
        """Whether something was kept, in this boot or an earlier one."""
        return os.access(self._path / _KEPT, os.F_OK)

    def keep(self, texts: Mapping[Path, str]) -> None:
        """Save texts for :meth:`reclaim` alone, in place of the snapshot.

        Raises:
            StateError: If that is not possible; then there is still a snapshot.
        """
        self.save(texts)
        with self._explained():
            self._rename(_SNAPSHOT, _KEPT)
            os.fsync(self._folder)
        self._close_file()
        self._saved = None

    def reclaim(self) -> bool:
        """Make what was kept the snapshot, in place of any other; whether anything was kept.

        Raises:
            StateError: If that is not possible.
        """
        with self._explained():
            try:
                self._rename(_KEPT, _SNAPSHOT)
            except FileNotFoundError:
                return False
            self._close_file()
            self._saved = None
            os.fsync(self._folder)
        return True

    def _emptied(self) -> bool:
        try:
            os.ftruncate(self._file if self._file is not None else -1, 0)
        except OSError:
            return False
        return True

    def _parsed(self, file: int) -> dict[Path, str] | None:
        """What a snapshot says; None if it is one that was emptied, or of another boot."""
        boot_id = self._boot_id()
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise ValueError("not a plain file")
        content = os.pread(file, _LARGEST, 0)
        if not content:
            return None
        found = json.loads(content)
        files = {self._root / path: text for path, text in found["files"].items()}
        if not isinstance(found["boot_id"], str) or not all(_TEXT.fullmatch(text) for text in files.values()):
            raise ValueError("no text of a knob")
        return files if found["boot_id"] == boot_id else None

    def _remove(self) -> None:
        os.unlink(_SNAPSHOT, dir_fd=self._folder)
        os.fsync(self._folder)

    def _rename(self, name: str, new_name: str) -> None:
        os.rename(name, new_name, src_dir_fd=self._folder, dst_dir_fd=self._folder)

    def _put_aside(self) -> None:
        self._rename(_SNAPSHOT, _DAMAGED)
        self.damaged = self._path / _DAMAGED

    def _boot_id(self) -> str:
        return (self._root / "proc/sys/kernel/random/boot_id").read_text(encoding="ascii", errors="replace").strip()

    def _open_folder(self) -> int:
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if os.fstat(folder).st_uid != os.geteuid():
                raise PermissionError(errno.EPERM, "it belongs to somebody else")
            os.fchmod(folder, 0o700)
        except BaseException:
            os.close(folder)
            raise
        return folder

    def _open(self, name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=self._folder)

    def _close_file(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (OSError, MemoryError) as error:
            code = getattr(error, "errno", None) or errno.ENOMEM
            way_out = _WAYS_OUT.get(code, "`sudo ls -la {0}` shows what is there").format(self._path)
            reason = getattr(error, "strerror", None) or os.strerror(code)
            raise StateError(f"the helper's state in {self._path} cannot be used ({reason}): {way_out}") from error
