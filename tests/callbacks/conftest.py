"""A job on a board that tests can see through."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fakes import FakeDevice, Oracle


@pytest.fixture
def tiny(device: FakeDevice, oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDevice]:
    """The tiny board and a predictor that knows it, so that what a callback does can be told exactly."""
    monkeypatch.setattr("lightning_powertrain.callbacks.powertrain.default_predictor", lambda reference, seed: oracle)
    device.settle_s = 0.2
    yield device
    assert device.mode == device.found, "the board was not put back"
