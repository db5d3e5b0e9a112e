"""A tiny board that is characterized on its virtual clock."""

from __future__ import annotations

from itertools import repeat
from pathlib import Path
from typing import Any, Callable

import pytest
from fakes import FakeDevice

from lightning_powertrain.characterization import Characterization, CharacterizationPlan, Training, characterize

Measure = Callable[..., Characterization]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tiny.csv"


@pytest.fixture
def measure(device: FakeDevice, path: Path, monkeypatch: pytest.MonkeyPatch) -> Measure:
    """Characterizes the tiny board; it has to be as it was found afterwards, also after an error."""

    device.settle_s = 0.5
    monkeypatch.setattr("lightning_powertrain.characterization.waits._WARM_UP_S", 5.0)

    def run(
        step: Callable[[Any], object] = lambda minibatch: None, tell: Any = lambda stage: None, **plan: Any
    ) -> Characterization:
        training = Training("toy", repeat(None), step, runs_on="a test")
        try:
            asked = CharacterizationPlan(**{"modes": 12, **plan})
            return characterize(device, training, asked, path, note="a desk", tell=tell)
        finally:
            assert device.mode == device.found, "the board was not restored"
            assert device.clock._timers == [], "something still polls"

    return run
