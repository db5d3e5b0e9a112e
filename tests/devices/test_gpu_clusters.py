"""How much of the GPU a stock mode has switched off, and when that is not known."""

from __future__ import annotations

from pathlib import Path

import pytest
from plain_board import PlainBoard, start_helper

from lightning_powertrain.boards import load_board
from lightning_powertrain.devices import SysfsDevice
from lightning_powertrain.devices.gpu_clusters import GpuClusters, judged, read_gpu_clusters
from lightning_powertrain.devices.nvpmodel import Nvpmodel, StockMode

MASK = ("TPC_POWER_GATING", "TPC_PG_MASK")
AGX_ORIN = load_board("orin-agx-64gb")


def conf(current: int | None = None, **masks: int) -> Nvpmodel:
    """A file whose modes have these masks, numbered from 0."""
    modes = (StockMode(number, name, {MASK: mask}) for number, (name, mask) in enumerate(masks.items()))
    return Nvpmodel(tuple(modes), 0, current)


STOCK = conf(2, MAXN=0, MODE_15W=248, MODE_30W=240, MODE_50W=0)


@pytest.mark.parametrize(("mask", "off", "loss"), [(240, 4, "4 of 8 GPU clusters"), (248, 5, "5 of 8 GPU clusters")])
def test_a_mask_with_more_off_than_another_mode_names_the_loss_and_the_command(mask: int, off: int, loss: str) -> None:
    clusters = judged(mask, STOCK, AGX_ORIN)
    assert clusters == GpuClusters(mask, "MODE_30W", off, 8, "MAXN", "sudo nvpmodel -m 0")
    assert clusters.loss == loss


def test_the_mask_of_the_stock_mode_counts_where_the_gpu_shows_none() -> None:
    assert judged(None, STOCK, AGX_ORIN).off == 4
    assert judged(None, Nvpmodel(STOCK.modes, 2, None), AGX_ORIN) == GpuClusters(total=8)


def test_a_container_without_the_file_takes_the_catalogues_modes() -> None:
    assert judged(240, Nvpmodel(), AGX_ORIN) == GpuClusters(240, "", 4, 8, "MAXN", "sudo nvpmodel -m 0")


def test_a_file_of_ones_own_that_lacks_such_a_mode_gives_no_command() -> None:
    clusters = judged(240, conf(0, MODE_28_1_W=240), AGX_ORIN)
    assert (clusters.off, clusters.freer, clusters.command) == (4, "MAXN", "")


def test_what_a_module_never_has_is_not_lost() -> None:
    board = load_board("orin-nx-16gb")
    assert judged(240, conf(0, MAXN=240, W15=252), board) == GpuClusters(240, "MAXN", 0, 4)
    assert judged(252, conf(1, MAXN=240, W15=252), board).loss == "2 of 4 GPU clusters"
    assert judged(1, conf(0, MODE_15W_2CORE=1), load_board("xavier-nx")).off == 0


@pytest.mark.parametrize("nvpmodel", [Nvpmodel(), conf(0, ONLY=240), conf(0, MAXN=240, OTHER=252)])
def test_that_all_are_on_is_not_said_of_an_unknown_board(nvpmodel: Nvpmodel) -> None:
    assert judged(240, nvpmodel, None).off is None
    assert judged(0, nvpmodel, None).off == 0


def test_of_modes_that_are_equal_the_one_called_maxn_is_named() -> None:
    assert judged(252, conf(3, W15=240, MAXN_SUPER=240, W25=240, W7=252), None).freer == "MAXN_SUPER"


def test_thors_masks_are_no_masks_of_gpu_clusters(tmp_path: Path) -> None:
    assert all(preset.tpc_pg_mask is None for preset in load_board("thor").presets)
    assert read_gpu_clusters(tmp_path, load_board("thor")) == GpuClusters()


def test_a_job_is_warned_once_and_profiles_of_another_mask_do_not_hold(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    PlainBoard(tmp_path)
    device = SysfsDevice(tmp_path, lambda: start_helper(tmp_path))
    assert device.board.identity["tpc_pg_mask"] == "240"
    assert "GPU clusters" not in caplog.text, "there is no warning for those who only read the board"
    for _ in range(2):
        device.snapshot()
        device.restore()
    device.close()
    (said,) = [each.getMessage() for each in caplog.records if "GPU clusters" in each.getMessage()]
    assert said.startswith(
        "PowerTrain: the stock mode that this job runs in (its name is hidden) has 4 of 8 GPU clusters"
    )
    assert "no clock makes up for that: `sudo nvpmodel -m 0` selects MAXN, which takes a reboot" in said
