"""From the name of a device to the device."""

from __future__ import annotations

from lightning_powertrain.boards import load_board
from lightning_powertrain.devices.device import Device
from lightning_powertrain.devices.simulated import SimulatedDevice
from lightning_powertrain.devices.sysfs import find_jetson
from lightning_powertrain.errors import ArgumentError, one_of
from lightning_powertrain.simulation import load_workload, simulated_board_names

_PREFIX = "simulated:"


def open_device(name: str | None = None, seed: int = 0) -> Device:
    """The device called ``name``.

    Args:
        name: None for the Jetson that this process runs on; ``"simulated:BOARD"`` for a simulated board that trains
            ResNet-18, ``"simulated:BOARD:WORKLOAD"`` for another workload.
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


def parse_simulated(name: str) -> tuple[str, str | None]:
    """Board and workload in the name of a simulated device; no workload if it names none.

    Raises:
        ArgumentError: If the name is not of the form, or the board or workload is unknown.

    >>> parse_simulated("simulated:agx-xavier")
    ('agx-xavier', None)
    """
    simulated = isinstance(name, str) and name.startswith(_PREFIX)
    board, _, workload = name[len(_PREFIX) :].partition(":") if simulated else ("", "", "")
    if board not in simulated_board_names():
        forms = 'None (the Jetson this runs on), or "simulated:BOARD" or "simulated:BOARD:WORKLOAD", where BOARD is'
        raise ArgumentError.of("device", name, f"{forms} {one_of(board, simulated_board_names())}")
    if workload:
        load_workload(workload)
    load_board(board)
    return board, workload or None
