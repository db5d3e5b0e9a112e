"""The fingerprint of a board: whose profiles may serve which board."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import FakeDevice
from plain_board import PlainBoard

from lightning_powertrain.boards import Board, Knob, ModeSpace
from lightning_powertrain.devices import SimulatedDevice, SysfsDevice
from lightning_powertrain.devices.helper_client import HelperClient
from lightning_powertrain.errors import DeviceError
from lightning_powertrain.profiling import Key, ProfileCache, board_fingerprint


def no_helper() -> HelperClient:
    raise DeviceError("the helper is not installed")


def opened(root: Path) -> str:
    """Fingerprint of the board under ``root``."""
    device = SysfsDevice(root, no_helper)
    try:
        return board_fingerprint(device)
    finally:
        device.close()


def on(board: Board, simulated: bool = False, modes: ModeSpace | None = None) -> str:
    device = FakeDevice()
    device.board, device.simulated = board, simulated
    device.modes = modes or device.modes
    return board_fingerprint(device)


def test_a_simulated_board_is_the_same_whatever_it_trains() -> None:
    one = SimulatedDevice("orin-agx-64gb", "resnet18", seed=1)
    other = SimulatedDevice("orin-agx-64gb", "lstm", seed=2, ambient_c=40.0)
    assert board_fingerprint(one) == board_fingerprint(other)
    assert board_fingerprint(one) != board_fingerprint(SimulatedDevice("agx-xavier"))


def test_a_simulated_board_is_never_a_real_one() -> None:
    """Even if all else is equal."""
    from cache_worker import profile

    board = FakeDevice().board
    real, simulated = (Key("the same workload", on(board, simulated=simulated)) for simulated in (False, True))
    ProfileCache().store(simulated, profile(1))
    assert ProfileCache().load(simulated) == profile(1)
    assert ProfileCache().load(real) is None


def test_a_real_board_has_its_serial_number_and_release(tmp_path: Path) -> None:
    PlainBoard(tmp_path)
    (tmp_path / "proc/device-tree/serial-number").write_text("1421123456789\0")
    found = json.loads(opened(tmp_path))
    release = "# R35 (release), REVISION: 4.1"
    assert found["identity"] == {"serial": "1421123456789", "release": release, "tpc_pg_mask": "240"}
    assert found["board"] == "orin-agx-64gb"
    assert found["simulated"] is False
    assert found["knobs"]["gpu_hz"] == ["gpu", 114750000, 522750000, 1300500000]


def test_a_board_without_identity_has_a_fingerprint(tmp_path: Path) -> None:
    PlainBoard(tmp_path)
    (tmp_path / "etc/nv_tegra_release").unlink()
    (tmp_path / "sys/devices/17000000.ga10b/tpc_pg_mask").unlink()
    assert json.loads(opened(tmp_path))["identity"] == {}


@pytest.mark.parametrize("file", ["proc/device-tree/serial-number", "etc/nv_tegra_release"])
def test_another_board_or_release_has_another_fingerprint(tmp_path: Path, file: str) -> None:
    texts = []
    for name in ("one", "one", "other"):
        root = tmp_path / str(len(texts))
        PlainBoard(root)
        (root / file).write_text(f"{name}\n")
        texts.append(opened(root))
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize(
    "change",
    [
        lambda board: replace(board, key="other"),
        lambda board: replace(board, title="Other"),
        lambda board: replace(board, identity={"serial": "1"}),
    ],
)
def test_whatever_the_board_is_counts(change: Callable[[Board], Board]) -> None:
    board = FakeDevice().board
    assert on(board) == on(board) != on(change(board))


def test_tables_count() -> None:
    board, knobs = FakeDevice().board, FakeDevice().modes.knobs
    other = ModeSpace((Knob("cores", "cores", (1, 2)), *knobs[1:]))
    assert on(board) != on(board, modes=other)
