"""Boards that are reached through sysfs, as root or as an ordinary user."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Callable

import pytest
from plain_board import start_helper

from lightning_powertrain.devices import SysfsDevice
from lightning_powertrain.devices.helper_client import HelperClient
from lightning_powertrain.errors import DeviceError

NOBODY = 65534


@contextmanager
def opened(root: Path, start: Callable[[Path], HelperClient] = start_helper) -> Iterator[SysfsDevice]:
    device = SysfsDevice(root, lambda: start(root))
    try:
        yield device
    finally:
        device.close()


@contextmanager
def as_nobody() -> Iterator[None]:
    """Rights of an ordinary user; the real user stays root, so that a helper can be started as sudo would."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def start_as_root(root: Path) -> HelperClient:
    """What sudo does."""
    user = os.geteuid()
    os.seteuid(0)
    try:
        return start_helper(root)
    finally:
        os.seteuid(user)


def no_helper(root: Path) -> HelperClient:
    raise DeviceError("the helper is not installed")
