"""Fixtures for tests of devices."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Callable

import pytest
from virtual_board import MountedBoard, mounted, why_unavailable

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
