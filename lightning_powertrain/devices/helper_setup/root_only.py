"""What root may run: files that nobody else can change, and how such files are written."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from lightning_powertrain.errors import DeviceError

_MOST_LINKS = 40
"""As many as the kernel follows."""


def check_only_root_writes(path: Path) -> None:
    """Raise unless only root can change what ``path`` leads to.

    Every folder and every link that the kernel passes on the way is checked, not only the file at the end.

    Raises:
        DeviceError: If somebody else owns or can write one of them.
        OSError: If one of them does not exist.
    """
    for each in _steps(path):
        found = each.lstat()
        others = stat.S_IWGRP | stat.S_IWOTH
        if stat.S_ISLNK(found.st_mode) or (stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX):
            others = 0  # The mode of a link means nothing, and in a sticky folder nobody renames the files of root.
        if found.st_uid != 0 or found.st_mode & others:
            raise DeviceError(
                f"{each} can be changed by other users than root, so root must not run programs from it. "
                f"`sudo chown root {each} && sudo chmod go-w {each}` corrects that"
            )


def check_tree(folder: Path) -> None:
    """The same for everything in a folder; packages that were installed on top of it are not looked at."""
    check_only_root_writes(folder)
    for place, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name not in ("site-packages", "dist-packages")]
        for name in (*folders, *files):
            entry = Path(place, name)
            found = entry.lstat()
            if stat.S_ISLNK(found.st_mode) or found.st_uid != 0 or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                check_only_root_writes(entry)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, readable for everybody whatever the caller's umask is.

    Raises:
        DeviceError: If somebody else than root can change it.
    """
    for each in reversed((folder, *folder.parents)):
        if not each.exists():
            each.mkdir()
            each.chmod(0o755)
    check_only_root_writes(folder)


def write_file(path: Path, text: str, mode: int) -> None:
    """Write a new file in the place of an old one, with exactly these rights and through no link."""
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as target:  # noqa: PTH123
        target.write(text)
        os.fchmod(target.fileno(), mode)


def _steps(path: Path) -> Iterator[Path]:
    """Everything that the kernel passes on the way to a path."""
    place, links = Path("/"), 0
    ahead = list(reversed(path.absolute().parts))
    while ahead:
        part = ahead.pop()
        if part == "..":
            place = place.parent
            continue
        place = place / part  # The first part of an absolute path is the root.
        yield place
        if place.is_symlink():
            links += 1
            if links > _MOST_LINKS:
                raise DeviceError(f"{path} is a loop of symbolic links")
            ahead.extend(reversed(Path(os.readlink(place)).parts))
            place = place.parent
