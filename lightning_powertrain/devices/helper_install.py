"""Installing the root helper: a copy that only root can change, and a sudoers rule for exactly one command."""

from __future__ import annotations

import hashlib
import json
import os
import pwd
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lightning_powertrain.devices.helper_client import INSTALL_FOLDER, PYTHON_FLAGS, SOURCE_FOLDER
from lightning_powertrain.errors import ArgumentError, DeviceError

OLDEST_PYTHON = (3, 8)
_PYTHONS = ("/usr/bin/python3", *(f"/usr/bin/python3.{minor}" for minor in range(14, 7, -1)), "/usr/local/bin/python3")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*\$?")
_MARKER = "INSTALLED"
SUDOERS = Path("/etc/sudoers.d/lightning-powertrain")


@dataclass(frozen=True)
class Installation:
    """Where the helper goes, and who may start it.

    Args:
        user: Who may start it without a password.
        python: The system's Python.
        folder: Where the copy goes, outside any virtual environment.
        sudoers: The file of the rule.

    Raises:
        ArgumentError: If there is no such user, or it is root, who needs no rule.
    """

    user: str
    python: Path = field(default_factory=lambda: system_python())
    folder: Path = INSTALL_FOLDER
    sudoers: Path = SUDOERS

    def __post_init__(self) -> None:
        try:
            ordinary = _USER.fullmatch(self.user) is not None and pwd.getpwnam(self.user).pw_uid != 0
        except KeyError:
            ordinary = False
        if not ordinary:
            raise ArgumentError.of("--user", self.user, "the user who trains, who exists here and is not root")

    @property
    def helper(self) -> Path:
        """The folder that Python runs."""
        return self.folder / "roothelper"

    @property
    def rule(self) -> str:
        """The sudoers rule: this one command, with these arguments and no other."""
        return f"{self.user} ALL=(root) NOPASSWD: {self.python} {PYTHON_FLAGS} {self.helper}\n"

    @property
    def marker(self) -> str:
        """What tells the copy that it is installed, and a client how to start it."""
        return json.dumps({"python": str(self.python)}) + "\n"

    def describe(self) -> Iterator[str]:
        """What :meth:`install` does, line by line."""
        yield f"copy these files to {self.helper}, owned by root:"
        for source in sources():
            digest = hashlib.sha256(source.read_bytes()).hexdigest()
            yield f"  {digest}  {source}"
        yield f"write {self.helper / _MARKER}:"
        yield f"  {self.marker.rstrip()}"
        yield f"write {self.sudoers}, checked with visudo -c before it is put in place:"
        yield f"  {self.rule.rstrip()}"

    def install(self) -> None:
        """Put the copy and the rule in place, in this order.

        Raises:
            DeviceError: If somebody other than root could change the copy, or visudo refuses the rule.
        """
        for each in self.folder, self.sudoers:
            each.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            check_only_root_writes(each.parent)
        _check_with_visudo(self.rule, draft := self.sudoers.with_name(f".{self.sudoers.name}.new"))
        try:
            self._copy()
            draft.replace(self.sudoers)
        finally:
            draft.unlink(missing_ok=True)

    def _copy(self) -> None:
        if self.folder.exists():
            shutil.rmtree(self.folder)
        self.folder.mkdir(mode=0o755)
        self.helper.mkdir(mode=0o755)
        for source in sources():
            _write(self.helper / source.name, source.read_text(encoding="utf-8"), 0o644)
        _write(self.helper / _MARKER, self.marker, 0o644)


def remove(folder: Path = INSTALL_FOLDER, sudoers: Path = SUDOERS) -> bool:
    """Take the rule and the copy away; whether there was anything to take."""
    found = sudoers.exists() or folder.exists()
    sudoers.unlink(missing_ok=True)
    if folder.exists():
        shutil.rmtree(folder)
    return found


def sources() -> list[Path]:
    """The helper's own files."""
    return sorted(SOURCE_FOLDER.glob("*.py"))


def system_python() -> Path:
    """A Python that only root can change and that is new enough.

    Raises:
        DeviceError: If there is none.
    """
    for python in map(Path, _PYTHONS):
        if python.exists() and _new_enough(python):
            try:
                check_only_root_writes(python.resolve())
            except DeviceError:
                continue
            return python
    wanted = ".".join(map(str, OLDEST_PYTHON))
    raise DeviceError(
        f"the root helper needs a system Python of at least {wanted}: `sudo apt-get install python{wanted}`"
    )


def check_only_root_writes(path: Path) -> None:
    """Raise unless ``path`` and all folders above it belong to root and nobody else can write them."""
    path = path.resolve()
    for each in (path, *path.parents):
        found = each.lstat()
        sticky_folder = stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX
        if found.st_uid != 0 or (found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not sticky_folder):
            raise DeviceError(f"{each} can be changed by others than root, so nothing that root runs may be in it")


def _new_enough(python: Path) -> bool:
    code = f"import sys; sys.exit(sys.version_info < {OLDEST_PYTHON})"
    return subprocess.run([python, PYTHON_FLAGS, "-c", code], check=False, capture_output=True).returncode == 0


def _check_with_visudo(rule: str, draft: Path) -> None:
    """Leave the rule in ``draft``, whose name sudo ignores, if visudo accepts it."""
    visudo = shutil.which("visudo", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if visudo is None:
        raise DeviceError(
            "sudo is not installed here: `apt-get install sudo`. As root, no helper needs to be installed"
        )
    _write(draft, rule, 0o440)
    checked = subprocess.run([visudo, "-c", "-f", draft], check=False, capture_output=True, text=True)
    if checked.returncode != 0:
        draft.unlink()
        raise DeviceError(f"visudo refuses the sudoers rule: {(checked.stderr or checked.stdout).strip()}")


def _write(path: Path, text: str, mode: int) -> None:
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as target:  # noqa: PTH123
        target.write(text)
    path.chmod(mode)
