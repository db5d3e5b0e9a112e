"""The callback warns at the start of a job whose stock mode has part of the GPU off."""

from __future__ import annotations

from pathlib import Path

import pytest
from jobs import LIGHTNING_WARNINGS, Model, data, powertrain, trainer
from plain_board import PlainBoard, start_helper

from lightning_powertrain.devices import SysfsDevice

pytestmark = LIGHTNING_WARNINGS


@pytest.mark.parametrize(("mask", "times"), [("240\n", 1), ("0\n", 0)])
def test_the_job_is_warned_once_of_what_no_clock_makes_up_for(
    mask: str, times: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    board = PlainBoard(tmp_path)
    (tmp_path / "sys/devices/17000000.ga10b/tpc_pg_mask").write_text(mask)
    before = board.settings()
    device = SysfsDevice(tmp_path, lambda: start_helper(tmp_path))
    trainer(powertrain(device)).fit(Model(), data(minibatches=4))
    device.close()
    given = [each.getMessage() for each in caplog.records if "GPU clusters off" in each.getMessage()]
    assert len(given) == times
    assert all(
        "4 of 8 GPU clusters off, and no clock makes up for that: `sudo nvpmodel -m 0`" in each for each in given
    )
    assert board.settings() == before
