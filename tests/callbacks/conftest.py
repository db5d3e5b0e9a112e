"""Fixtures for tests of the callback."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fakes import Oracle
from timed import TimedDevice


@pytest.fixture
def board(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> Iterator[TimedDevice]:
    """A board whose clock only the job moves, and a predictor that knows it."""
    monkeypatch.setattr("lightning_powertrain.tuning.options.default_predictor", lambda reference, seed: oracle)
    device = TimedDevice()
    yield device
    assert device.mode == device.found, "the board was not restored"
