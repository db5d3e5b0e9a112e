"""Fixtures for tests of the callback."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from fakes import Oracle
from timed import TimedDevice

from lightning_powertrain.profiling import WindowPlan


@pytest.fixture
def short_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Boards without noise need no second for each mode: 80 minibatches, and Lightning takes a millisecond for each."""
    monkeypatch.setattr("lightning_powertrain.tuning.opening.WindowPlan", partial(WindowPlan, minimum_s=0.25))


@pytest.fixture
def board(oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> Iterator[TimedDevice]:
    """A board whose clock only the job moves, and a predictor that knows it."""
    monkeypatch.setattr("lightning_powertrain.tuning.options.default_predictor", lambda reference, seed: oracle)
    device = TimedDevice()
    yield device
    assert device.mode == device.found, "the board was not restored"
