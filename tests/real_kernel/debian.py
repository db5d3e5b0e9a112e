"""Debian packages of other releases and architectures, downloaded and unpacked, never installed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


ENVIRONMENT = {**os.environ, "PATH": f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"}
"""For commands: some of the tools are only in folders that an ordinary user's PATH lacks."""


class MissingError(Exception):
    """What the machine is made of cannot be had here. The message says what and why."""


class Suite:
    """A release of Debian, as an apt of its own that leaves the apt of this computer alone.

    Args:
        name: Code name of the release.
        folder: Where its lists and packages are kept.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._archives = folder / "archives"
        for part in ("lists/partial", "archives/partial", "archives/none/partial"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        architectures = sorted({"arm64", run("dpkg", "--print-architecture").strip()})
        (folder / "sources.list").write_text(
            f"deb [arch={','.join(architectures)} signed-by={_KEYRING}] {_mirror()} {name} main\n", encoding="ascii"
        )
        options = {
            "Dir::Etc::sourcelist": str(folder / "sources.list"),
            "Dir::Etc::sourceparts": "/dev/null",
            "Dir::State::lists": str(folder / "lists"),
            "Dir::State::status": str(folder / "status"),
            "Dir::Cache::archives": str(self._archives),
            "APT::Architecture": "arm64",
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "root",
            "Debug::NoLocking": "true",
        }
        self._options = [f"-o{key}={value}" for key, value in options.items()]
        self._options += [f"-oAPT::Architectures::={architecture}" for architecture in architectures]
        self._apt("apt-get", "-qq", "update")

    def depends(self, package: str) -> str:
        """The package that a metapackage stands for."""
        for line in self._apt("apt-cache", "depends", package).splitlines():
            kind, _, name = line.strip().partition(": ")
            if kind == "Depends":
                return name
        raise MissingError(f"{package} of {self.name} depends on nothing")

    def fetch(self, packages: Iterable[str]) -> list[Path]:
        """The archives of these packages, and of no other."""
        found = []
        for package in packages:
            name, _, architecture = package.partition(":")
            pattern = f"{name}_*_{architecture or '*'}.deb"
            if not list(self._archives.glob(pattern)):
                self._apt("apt-get", "-qq", "download", package)
            found.append(next(self._archives.glob(pattern)))
        return found

    def fetch_all(self, packages: Iterable[str]) -> list[Path]:
        """The archives of these packages and of all that they need."""
        # What is downloaded already is not among the addresses.
        none = f"-oDir::Cache::archives={self._archives / 'none'}"
        wanted = self._apt("apt-get", none, "-qq", "-y", "--print-uris", "install", *packages)
        names = [line.split()[1] for line in wanted.splitlines() if line.startswith("'")]
        self._apt("apt-get", "-qq", "-y", "--download-only", "install", *packages)
        return [self._archives / name for name in names]

    def _apt(self, program: str, *arguments: str) -> str:
        return run(program, *self._options, *arguments, cwd=self._archives, failure=MissingError)


def unpack(archive: Path, folder: Path, *members: str) -> None:
    """Unpacks an archive, or the named members of it."""
    folder.mkdir(parents=True, exist_ok=True)
    script = 'dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --keep-directory-symlink --wildcards "${@:3}"'
    run("bash", "-o", "pipefail", "-c", script, "unpack", str(archive), str(folder), *members)


def run(*command: str, cwd: Path | None = None, failure: type[Exception] = RuntimeError) -> str:
    """What a command prints.

    Raises:
        MissingError: If the command is not installed.
        Exception: If it fails: ``failure``, with its last words.
    """
    try:
        done = subprocess.run(
            command, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
    except FileNotFoundError as error:
        raise MissingError(f"{command[0]} is not installed") from error
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-5:]
        raise failure(f"{' '.join(command)[:200]} failed: {' / '.join(last)}")
    return done.stdout


def _mirror() -> str:
    """Where this computer itself takes Debian's packages from."""
    for line in run("apt-get", "indextargets", "--format", "$(REPO_URI) $(COMPONENT)").splitlines():
        address, _, component = line.partition(" ")
        if component == "main" and address.rstrip("/").endswith("/debian"):
            return address
    raise MissingError("this computer has no mirror of Debian among its package sources")
