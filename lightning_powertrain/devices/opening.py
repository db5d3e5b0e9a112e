"""Opens devices and power sources, by name or by what this process runs on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lightning_powertrain.boards import Board
from lightning_powertrain.devices.device import BaseDevice
from lightning_powertrain.devices.helper_client import HelperClient
from lightning_powertrain.devices.nvml_power import NvmlPower
from lightning_powertrain.devices.power_source import PowerSource
from lightning_powertrain.devices.simulated import SimulatedDevice
from lightning_powertrain.devices.sysfs import SysfsDevice, find_jetson
from lightning_powertrain.devices.sysfs_board import is_jetson
from lightning_powertrain.errors import ArgumentError, DeviceError, DeviceNotFoundError, one_of
from lightning_powertrain.simulation import load_workload, simulated_board, simulated_board_names

_PREFIX = "simulated:"


def open_device(name: str | None = None, seed: int = 0) -> BaseDevice:
    """The device called ``name``.

    Args:
        name: None for the Jetson that this process runs on; ``"simulated:BOARD"`` for a simulated board that trains
            ResNet-18, ``"simulated:BOARD:WORKLOAD"`` for another workload. A board ``foreign-7`` is drawn at random
            from the seed 7.
        seed: Of a simulated board's scatter.

    Raises:
        ArgumentError: If the name has none of these forms, or the board or workload is unknown.
        DeviceNotFoundError: If this is not a Jetson that can be driven.

    >>> open_device("simulated:orin-agx-64gb:lstm").board.key
    'orin-agx-64gb'
    """
    if name is None:
        return find_jetson()
    board, workload = parse_simulated(name)
    return SimulatedDevice(board, workload or "resnet18", seed)


def parse_simulated(name: str) -> tuple[Board, str | None]:
    """Board and workload in the name of a simulated device; no workload if it names none.

    Raises:
        ArgumentError: If the name is not of the form, or the board or workload is unknown.

    >>> board, workload = parse_simulated("simulated:foreign-7:lstm")
    >>> board.title, workload
    ('Foreign board 7', 'lstm')
    """
    simulated = isinstance(name, str) and name.startswith(_PREFIX)
    key, _, workload = name[len(_PREFIX) :].partition(":") if simulated else ("", "", "")
    try:
        board = simulated_board(key)
    except ArgumentError:
        forms = 'None (the Jetson this runs on), or "simulated:BOARD" or "simulated:BOARD:WORKLOAD", where BOARD is'
        known = f"foreign-SEED or {one_of(key, simulated_board_names())}"
        raise ArgumentError.of("device", name, f"{forms} {known}") from None
    if workload:
        load_workload(workload)
    return board, workload or None


def find_power_source(gpus: Sequence[str] = (), root: str | Path = "/") -> PowerSource:
    """The power source of this job: the Jetson that this process runs on, else the NVIDIA GPUs that the job uses.

    Nothing is ever set: a Jetson is opened without the root helper.

    Args:
        gpus: UUIDs of the GPUs that the job uses, as NVML writes them: ``GPU-ffc79498-...``.
        root: Where the file systems of a Jetson are; anything but ``/`` is for tests.

    Raises:
        DeviceNotFoundError: If there is neither.
    """
    if is_jetson(Path(root)):
        return open_to_read(root)
    if gpus:
        return NvmlPower(gpus)
    raise DeviceNotFoundError(
        "this is no Jetson and the job uses no NVIDIA GPU, so there is no power to read. "
        'device="simulated:orin-agx-64gb" shows what it looks like'
    )


def open_to_read(root: str | Path = "/") -> SysfsDevice:
    """The Jetson that this process runs on, without the root helper: it can be read, not set.

    Args:
        root: Where its file systems are; anything but ``/`` is for tests.
    """
    return SysfsDevice(root, helper=_no_helper)


def _no_helper() -> HelperClient:
    raise DeviceError("this Jetson was opened to read its power, not to be set")
