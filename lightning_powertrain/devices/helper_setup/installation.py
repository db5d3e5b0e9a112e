"""Everything that ``powertrain setup-helper`` writes, in the order in which it is written."""

from __future__ import annotations

import errno
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lightning_powertrain.devices.helper_client import INSTALL_FOLDER, LAUNCHER, PYTHON_FLAGS, SOURCE_FOLDER
from lightning_powertrain.devices.helper_setup.root_only import check_only_root_writes, make_folder, write_file
from lightning_powertrain.devices.helper_setup.sudo_rule import SUDOERS, check_with_visudo, is_ordinary, rule, users_of
from lightning_powertrain.devices.helper_setup.system_python import system_python
from lightning_powertrain.errors import ArgumentError, DeviceError

_MARKER = "INSTALLED"
_MARK = "This copy takes no arguments.\n"


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
        if not is_ordinary(self.user):
            raise ArgumentError.of("--user", self.user, "the user who trains, who exists here and is not root")

    @property
    def helper(self) -> Path:
        """The folder that Python runs."""
        return self.folder / "roothelper"

    @property
    def launcher(self) -> Path:
        """The executable that sudo starts."""
        return self.folder / LAUNCHER

    @property
    def script(self) -> str:
        """The launcher: the kernel takes the interpreter from its first line, whatever the caller typed."""
        run = f"runpy.run_path({str(self.helper)!r}, run_name='__main__')"
        return f"#!{self.python} {PYTHON_FLAGS}\nimport runpy\n\n{run}\n"

    def rule(self) -> str:
        """The rule for this user and those who have one already; it replaces that of an earlier version."""
        return rule(sorted({*users_of(self.sudoers), self.user}), self.launcher)

    def describe(self) -> Iterator[str]:
        """What :meth:`install` does, line by line."""
        yield f"copy these files to {self.helper}, owned by root:"
        for source in sources():
            digest = hashlib.sha256(source.read_bytes()).hexdigest()
            yield f"  {digest}  {source}"
        yield f"write {self.helper / _MARKER}:"
        yield from _indented(_MARK)
        yield f"write {self.launcher}:"
        yield from _indented(self.script)
        yield f"write {self.sudoers}, checked with visudo -c before it is put in place:"
        yield from _indented(self.rule())

    def install(self) -> None:
        """Put the copy and the rule in place, in this order.

        Raises:
            DeviceError: If somebody other than root could change the copy, or visudo refuses the rule.
        """
        with explained():
            for each in self.folder, self.sudoers:
                make_folder(each.parent)
            draft = self.sudoers.with_name(f".{self.sudoers.name}.new")
            try:
                check_with_visudo(self.rule(), draft)
                self._copy()
                draft.replace(self.sudoers)
            finally:
                draft.unlink(missing_ok=True)

    def _copy(self) -> None:
        draft = self.folder.with_name(f".{self.folder.name}.new")
        clear(draft)
        make_folder(draft / self.helper.name)
        for source in sources():
            write_file(draft / self.helper.name / source.name, source.read_text(encoding="utf-8"), 0o644)
        write_file(draft / self.helper.name / _MARKER, _MARK, 0o644)
        write_file(draft / LAUNCHER, self.script, 0o755)
        clear(self.folder)
        draft.replace(self.folder)
        check_only_root_writes(self.launcher)


def remove(folder: Path = INSTALL_FOLDER, sudoers: Path = SUDOERS) -> bool:
    """Take the rule and the copy away; whether there was anything to take."""
    with explained():
        found = sudoers.exists() or folder.exists()
        sudoers.unlink(missing_ok=True)
        clear(folder)
    return found


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


def _indented(text: str) -> Iterator[str]:
    yield from (f"  {line}".rstrip() for line in text.splitlines())
