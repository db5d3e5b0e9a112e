"""A root helper that has set a mode, on any board."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from plain_board import start_helper

from lightning_powertrain.devices.helper_client import HelperClient

LOW = {"cores": 2, "cpu_khz": 115200, "gpu_hz": 114750000, "emc_hz": 204000000}


class AnyBoard(Protocol):
    root: Path

    def settings(self) -> dict[str, str]: ...

    def reboot(self) -> None: ...


def lowest(client: HelperClient) -> dict[str, int]:
    """A mode that no board boots in."""
    return {name: knob["values"][0] for name, knob in client.ask("status")["knobs"].items()}


def wait_until(reached: Callable[[], bool]) -> None:
    end_s = time.monotonic() + 20
    while not reached():
        assert time.monotonic() < end_s, "it never came to this"
        time.sleep(0.02)


def at_work(board: AnyBoard) -> tuple[HelperClient, dict[str, str]]:
    """A helper that has set a mode, and what the board was like before."""
    before = board.settings()
    client = start_helper(board.root)
    client.ask("hold")
    client.ask("apply", mode=lowest(client))
    assert board.settings() != before
    return client, before
