"""Fixtures for tests of devices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from virtual_board import MountedBoard, mounted, why_unavailable


@pytest.fixture
def virtual_board() -> Iterator[Callable[..., MountedBoard]]:
    """Mounts virtual boards by name and unmounts them when the test ends; skips where that cannot be done."""
    if why_unavailable():
        pytest.skip(why_unavailable())
    with ExitStack() as mounts:

        def mount(name: str, **options: Any) -> MountedBoard:
            return mounts.enter_context(mounted(name, **options))

        yield mount
