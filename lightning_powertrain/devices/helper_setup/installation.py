"""Everything that ``powertrain setup-helper`` writes, in the order in which it is written."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from lightning_powertrain.devices.helper_setup.root_only import check_only_root_writes, make_folder, write_file
from lightning_powertrain.devices.helper_setup.service import UNITS, Service
from lightning_powertrain.devices.helper_setup.sudo_rule import SUDOERS, check_with_visudo, is_ordinary, rule, users_of
from lightning_powertrain.devices.helper_setup.system_python import system_python
from lightning_powertrain.devices.helper_ways import INSTALL_FOLDER, LAUNCHER, MARKER, PYTHON_FLAGS, SOURCE_FOLDER
from lightning_powertrain.errors import ArgumentError, DeviceError


@dataclass(frozen=True)
class Installation:
    """Where the helper goes, and who may start it.

    Args:
        user: Who may set power modes.
        sudo: Whether sudo lets the user start it; else a service of systemd does.
        python: The system's Python.
        folder: Where the copy goes, outside any virtual environment.
        sudoers: The file of the rule.
        units: Where systemd looks for units.

    Raises:
        ArgumentError: If there is no such user, or it is root, who needs no leave.
    """

    user: str
    sudo: bool = False
    python: Path = field(default_factory=lambda: system_python())
    folder: Path = INSTALL_FOLDER
    sudoers: Path = SUDOERS
    units: Path = UNITS

    def __post_init__(self) -> None:
        if not is_ordinary(self.user):
            raise ArgumentError.of("--user", self.user, "the user who trains, who exists here and is not root")

    @property
    def helper(self) -> Path:
        """The folder that Python runs."""
        return self.folder / "roothelper"

    @property
    def launcher(self) -> Path:
        """The executable that sudo or systemd starts."""
        return self.folder / LAUNCHER

    @property
    def service(self) -> Service:
        return Service(self.launcher, self.units)

    @property
    def script(self) -> str:
        """The launcher: the kernel takes the interpreter from its first line, whatever the caller typed."""
        run = f"runpy.run_path({str(self.helper)!r}, run_name='__main__')"
        return f"#!{self.python} {PYTHON_FLAGS}\nimport runpy\n\n{run}\n"

    def rule(self) -> str:
        """The rule for those who have one already, and for this user if sudo is the way; empty if for nobody."""
        users = {*users_of(self.sudoers), *([self.user] if self.sudo else [])}
        return rule(sorted(users), self.launcher) if users else ""

    @property
    def marker(self) -> str:
        """Marks the copy as installed, and lists the ways to it for a client."""
        service = not self.sudo or self.service.installed
        return "".join(f"{way}\n" for way, there in (("service", service), ("sudo", self.rule())) if there)

    def describe(self) -> Iterator[str]:
        """What :meth:`install` does, line by line."""
        yield f"copy these files to {self.helper}, owned by root:"
        for source in sources():
            digest = hashlib.sha256(source.read_bytes()).hexdigest()
            yield f"  {digest}  {source}"
        yield from _written(self.folder / MARKER, self.marker)
        yield from _written(self.launcher, self.script)
        if rule := self.rule():
            yield from _written(self.sudoers, rule, ", checked with visudo -c before it is put in place")
        if not self.sudo:
            for path, text in self.service.files().items():
                yield from _written(path, text)
            yield "run:"
            yield from (f"  {' '.join(command)}" for command in self.service.commands(self.user))

    def install(self) -> None:
        """Put the copy in place, and then the ways to it.

        Raises:
            DeviceError: If somebody other than root could change the copy, visudo refuses the rule, or systemd fails.
        """
        with explained():
            make_folder(self.folder.parent)
            with self._checked_rule() as put_in_place:
                self._copy()
                put_in_place()
            if not self.sudo:
                self.service.install(self.user)

    @contextmanager
    def _checked_rule(self) -> Iterator[Callable[[], None]]:
        """The rule in a file whose name sudo ignores, and what puts it in the place of the one that is there."""
        draft, rule = self.sudoers.with_name(f".{self.sudoers.name}.new"), self.rule()
        if not rule:
            yield lambda: self.sudoers.unlink(missing_ok=True)
            return
        make_folder(self.sudoers.parent)
        try:
            check_with_visudo(rule, draft)
            yield lambda: os.replace(draft, self.sudoers)  # noqa: PTH105
        finally:
            draft.unlink(missing_ok=True)

    def _copy(self) -> None:
        draft, marker = self.folder.with_name(f".{self.folder.name}.new"), self.marker
        clear(draft)
        make_folder(draft / self.helper.name)
        for source in sources():
            write_file(draft / self.helper.name / source.name, source.read_text(encoding="utf-8"), 0o644)
        write_file(draft / MARKER, marker, 0o644)
        write_file(draft / LAUNCHER, self.script, 0o755)
        clear(self.folder)
        draft.replace(self.folder)
        check_only_root_writes(self.launcher)


def remove(folder: Path = INSTALL_FOLDER, sudoers: Path = SUDOERS, units: Path = UNITS) -> bool:
    """Take the ways and the copy away; whether there was anything to take."""
    with explained():
        had_service = Service(folder / LAUNCHER, units).remove()
        found = had_service or sudoers.exists() or folder.exists()
        sudoers.unlink(missing_ok=True)
        clear(folder)
    return found


def describe_removal(folder: Path = INSTALL_FOLDER, sudoers: Path = SUDOERS, units: Path = UNITS) -> Iterator[str]:
    """What :func:`remove` does, line by line."""
    service = Service(folder / LAUNCHER, units)
    if service.installed:
        yield from (f"run {' '.join(command)}" for command in service.removal())
        yield from (f"remove {path}" for path in service.files())
    yield f"remove {sudoers}"
    yield f"remove {folder}"


def sources() -> list[Path]:
    """The helper's own files."""
    return sorted(SOURCE_FOLDER.glob("*.py"))


def clear(folder: Path) -> None:
    """Remove a folder of ours, if it is there."""
    if folder.is_symlink():
        raise DeviceError(f"{folder} is a link, and a link is not removed for you: `sudo rm {folder}`")
    if folder.exists():
        shutil.rmtree(folder)


@contextmanager
def explained() -> Iterator[None]:
    """Say in one line why the system does not let root write here, and what helps."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.EROFS:
            raise DeviceError(
                f"{error.filename} lies on a file system that is read-only, as on overlay or balena images: "
                "`sudo mount -o remount,rw /` makes it writable. As root, no helper needs to be installed"
            ) from error
        raise DeviceError(f"the root helper cannot be installed: {error}") from error


def _written(path: Path, text: str, how: str = "") -> Iterator[str]:
    yield f"write {path}{how}:"
    yield from (f"  {line}".rstrip() for line in text.splitlines())
