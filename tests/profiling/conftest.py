"""Fixtures for tests of the cache of profiles."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lightning_powertrain.profiling import ProfileCache


@pytest.fixture(scope="module")
def no_waiting_for_the_disk() -> Iterator[None]:
    """What is synced makes a difference only when the power fails."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda file: None)
        yield


@pytest.fixture
def cache(cache_folder: Path) -> ProfileCache:
    return ProfileCache()


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What was warned of since it was last asked."""

    def messages() -> list[str]:
        found = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
        caplog.clear()
        return found

    return messages
