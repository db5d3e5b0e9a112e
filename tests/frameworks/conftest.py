"""Fixtures for jobs of other frameworks."""

from __future__ import annotations

import fakes
import pytest
from fakes import FakeDevice


@pytest.fixture
def slow(tiny: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> FakeDevice:
    """The tiny board with a tenth of its speed, so that few minibatches are as long as a window has to be."""
    really = fakes.true_time_ms
    monkeypatch.setattr(fakes, "true_time_ms", lambda modes: 10 * really(modes))
    return tiny
