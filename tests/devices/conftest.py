"""Fixtures for tests of devices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Callable

import pytest
from helper_at_work import AnyBoard
from plain_board import PlainBoard
from virtual_board import MountedBoard, mounted, why_unavailable

from lightning_powertrain.devices.roothelper import switching
from lightning_powertrain.devices.roothelper.server import STATE, Keeper
from lightning_powertrain.devices.roothelper.snapshot import Store

Mount = Callable[..., MountedBoard]


@pytest.fixture(scope="session")
def _mounts() -> Iterator[Mount]:
    """Mounts each board once: coming up takes longer than most tests."""
    boards: dict[str, MountedBoard] = {}
    with ExitStack() as mounts:

        def mount(name: str) -> MountedBoard:
            if name not in boards:
                boards[name] = mounts.enter_context(mounted(name))
            return boards[name]

        yield mount


@pytest.fixture
def virtual_board(request: pytest.FixtureRequest) -> Mount:
    """Gives a virtual board by name, as freshly mounted; skips where none can be mounted."""
    if why_unavailable():
        pytest.skip(why_unavailable())
    mount: Mount = request.getfixturevalue("_mounts")

    def fresh(name: str, **options: Any) -> MountedBoard:
        board = mount(name)
        board.reset(**options)
        return board

    return fresh


@pytest.fixture(scope="module")
def keeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Keeper, PlainBoard]]:
    """A helper in this process, and its board of plain files, which need no time to settle."""
    board = PlainBoard(tmp_path_factory.mktemp("fuzzed"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(switching, "_PATIENCE_S", 0.0)
        yield Keeper(board.root, Store(board.root / STATE, board.root)), board


@pytest.fixture(params=["plain", "orin-agx-jp5", "tx2-jp4"])
def board(request: pytest.FixtureRequest, tmp_path: Path) -> AnyBoard:
    """A board of plain files, or a virtual one that behaves."""
    if request.param == "plain":
        return PlainBoard(tmp_path)
    mount: Callable[[str], AnyBoard] = request.getfixturevalue("virtual_board")
    return mount(request.param)
