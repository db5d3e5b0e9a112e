"""A real tuner, in wall time, on a virtual board that throttles in one of its modes."""

from __future__ import annotations

import time
from typing import Callable

import pytest
from fakes import Oracle
from plain_board import start_helper
from virtual_board import MountedBoard

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.boards import IntArray, PowerMode
from lightning_powertrain.devices import SysfsDevice
from lightning_powertrain.prediction import Prediction
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Phase

Mount = Callable[..., MountedBoard]


class HighestFirst(Oracle):
    """Predicts that the highest clocks are fastest, at the same power."""

    def predict(self, modes: IntArray) -> Prediction:
        height = (modes / modes.max(axis=0)).sum(axis=1)
        return Prediction(1e3 - height, height)

    def reference_time_ms(self, modes: IntArray) -> None:
        return None


class Heating(SysfsDevice):
    """Every mode with the highest GPU clock makes the virtual board throttle, as long as it is set."""

    settle_s = 0.3
    board_of_files: MountedBoard

    def apply(self, mode: PowerMode) -> PowerMode:  # type: ignore[override]
        read = super().apply(mode)
        self.board_of_files.throttle(int(read["gpu_hz"] == self.modes.highest["gpu_hz"]))
        return read


def test_a_mode_in_which_the_board_throttles_is_left_again(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp6")
    before = board.settings()
    Heating.board_of_files = board
    device = Heating(board.root, lambda: start_helper(board.root))
    with Tuner(
        "500 W", device=device, max_modes=4, verbose=False, options=ProfilingOptions(predictor=HighestFirst())
    ).start() as tuner:
        end_s = time.monotonic() + 60
        while tuner.phase is not Phase.LOCKED and time.monotonic() < end_s:
            time.sleep(0.01)
            tuner.minibatch_ended()
        assert tuner.outcome is not None
        outcome = tuner.outcome
    device.close()
    throttled = outcome.profile.throttled
    assert {each.throttled_by for each in throttled} == {"gpu-throttle-alert"}
    assert device.modes.highest in outcome.profile.throttling_modes
    assert outcome.selection.mode["gpu_hz"] < device.modes.highest["gpu_hz"]
    assert board.settings() == before


def test_its_board_reports_over_currents(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp6")
    device = SysfsDevice(board.root)
    board.over_current(alarm=2, events=4)
    assert device.health().over_current_events == pytest.approx(4)
