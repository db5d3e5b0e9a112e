"""Whose power can be read: less is asked of it than of a board that is to be set."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from lightning_powertrain.devices.clock import Clock
from lightning_powertrain.devices.device import Health, PowerReading
from lightning_powertrain.devices.helper_client import HelperClient
from lightning_powertrain.devices.nvml_power import NvmlPower
from lightning_powertrain.devices.sysfs import SysfsDevice
from lightning_powertrain.devices.sysfs_board import is_jetson
from lightning_powertrain.errors import DeviceError, DeviceNotFoundError


class PowerSource(Protocol):
    """Something whose power can be read; every device is one.

    Attributes:
        clock: The clock on which its power is sampled.
        simulated: Whether its figures come from a simulation; whatever shows them must say so.
    """

    @property
    def clock(self) -> Clock: ...

    @property
    def simulated(self) -> bool: ...

    def read_power(self) -> PowerReading:
        """Power at this instant.

        Raises:
            DeviceError: If it cannot be read.
        """
        ...

    def health(self) -> Health | None:
        """Whether heat or current holds it back at this instant; None if that cannot be told."""
        ...

    def minibatch_ended(self) -> None:
        """Take note that a minibatch of training has ended: it makes a virtual clock move."""
        ...

    def close(self) -> None:
        """Let go of it; twice is as once."""
        ...


@runtime_checkable
class CountsEnergy(Protocol):
    """A source whose hardware counts the energy that it spends, which no sampling can match."""

    def read_energy(self) -> float | None:
        """Joules since an arbitrary start; None if this hardware does not count them."""
        ...


def find_power_source(gpus: Sequence[str] = (), root: str | Path = "/") -> PowerSource:
    """Whatever trains here: the Jetson that this process runs on, else the NVIDIA GPUs that it uses.

    Nothing is ever set: a Jetson is opened without the root helper.

    Args:
        gpus: UUIDs of the GPUs that the job uses, as NVML writes them: ``GPU-ffc79498-...``.
        root: Where the file systems of a Jetson are; anything but ``/`` is for tests.

    Raises:
        DeviceNotFoundError: If there is neither.
    """
    if is_jetson(Path(root)):
        return SysfsDevice(root, helper=_no_helper)
    if gpus:
        return NvmlPower(gpus)
    raise DeviceNotFoundError(
        "this is no Jetson and the job uses no NVIDIA GPU, so there is no power to read. "
        'device="simulated:orin-agx-64gb" shows what it looks like'
    )


def _no_helper() -> HelperClient:
    raise DeviceError("this Jetson was opened to read its power, not to be set")
