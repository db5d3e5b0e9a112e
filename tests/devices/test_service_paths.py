"""The service may write where the knobs of every board are, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from plain_board import PlainBoard
from virtual_board import BOARDS, MountedBoard

from lightning_powertrain.devices.helper_setup.service import WRITABLE
from lightning_powertrain.devices.roothelper.discovery import find_knobs


def outside(root: Path) -> list[Path]:
    """Files of knobs that the service could not write."""
    allowed = [root.resolve() / path[1:] for path in WRITABLE]
    files = [path.resolve() for path in find_knobs(root).files()]
    assert files
    return [path for path in files if not any(folder in path.parents for folder in allowed)]


def test_on_a_plain_board(tmp_path: Path) -> None:
    PlainBoard(tmp_path)
    assert outside(tmp_path) == []


@pytest.mark.parametrize("name", BOARDS)
def test_on_a_virtual_board(virtual_board: Callable[..., MountedBoard], name: str) -> None:
    assert outside(virtual_board(name).root) == []
