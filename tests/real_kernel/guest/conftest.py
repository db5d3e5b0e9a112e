"""Fixtures of the scenarios that run on the board."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from board import read, settings

_V1 = Path("/sys/fs/cgroup/cpuset")
_V2 = Path("/sys/fs/cgroup")


@pytest.fixture(scope="session", params=["root", "sudo", "service"])
def user(request: pytest.FixtureRequest) -> Iterator[str]:
    """Who trains: root, or an ordinary user who reaches the helper by sudo or by the service."""
    if request.param == "root":
        yield "root"
        return
    way = ["--sudo"] if request.param == "sudo" else []
    subprocess.run(["powertrain", "setup-helper", "--user", "alice", *way], check=True)
    yield "alice"
    subprocess.run(["powertrain", "setup-helper", "--remove"], check=True)


@pytest.fixture(autouse=True)
def _as_found() -> Iterator[None]:
    """Each scenario leaves the board as it found it."""
    before = settings()
    yield
    assert settings() == before


@pytest.fixture
def control_group() -> Iterator[str]:
    """A control group with a cpuset, as a container has it: of version 1 on kernel 5.10, of version 2 on 6.1."""
    version_1 = (_V1 / "cpuset.cpus").exists()
    folder = (_V1 if version_1 else _V2) / "container"
    if not version_1:
        (_V2 / "cgroup.subtree_control").write_text("+cpuset")
    folder.mkdir()
    if version_1:
        for name in ("cpuset.cpus", "cpuset.mems"):
            (folder / name).write_text(read(_V1 / name))
    yield str(folder)
    for pid in read(folder / "cgroup.procs").split():
        (folder.parent / "cgroup.procs").write_text(pid)
    folder.rmdir()
