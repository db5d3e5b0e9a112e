"""A characterization on a virtual board, through the root helper."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
from plain_board import start_helper
from survival.board import QuickClock
from virtual_board import MountedBoard, mounted, why_unavailable

from lightning_powertrain.characterization import Characterization, CharacterizationPlan, Training, characterize
from lightning_powertrain.devices import SysfsDevice
from lightning_powertrain.profiling import Profile

pytestmark = pytest.mark.skipif(bool(why_unavailable()), reason=f"no virtual board: {why_unavailable()}")


class QuickBoard(SysfsDevice):
    """Few modes, on a clock that is eight times as fast."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, lambda: start_helper(root))
        self.clock = QuickClock()
        lowest = {knob.name: (knob.values[0],) for knob in self.modes.knobs}
        self.modes = self.modes.subset({**lowest, "cores": (1, 2), "gpu_hz": self.modes.knobs[2].values[:3]})


@pytest.fixture
def board() -> Iterator[MountedBoard]:
    with mounted("orin-agx-jp6") as found:
        yield found


def measured(board: MountedBoard, path: Path, step: Any) -> Characterization:
    device = QuickBoard(board.root)
    try:
        return characterize(device, Training("toy", repeat(None), step), CharacterizationPlan(), path)
    finally:
        device.close()


def test_it_measures_and_restores_also_after_ctrl_c(
    board: MountedBoard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightning_powertrain.characterization.waits._WARM_UP_S", 1.0)
    path, found = tmp_path / "board.csv", board.settings()

    def work(minibatch: Any) -> None:
        time.sleep(0.002)

    def stop(minibatch: Any) -> None:
        work(minibatch)
        if path.exists() and len(Profile.load(path)) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measured(board, path, stop)
    assert board.settings() == found
    result = measured(board, path, work)
    assert board.settings() == found
    assert (result.check.modes, result.check.repeated, result.is_complete) == (6, 5, True)
    details = result.profile.provenance.details
    assert details["jetpack"].startswith("6.")
    assert details["kernel"]
    assert "VDD_GPU_SOC" in details["rails"]
    assert all(each.signals.rails_w for each in result.profile.measurements)
    assert not result.profile.provenance.simulated
