"""What a device must implement, and what the base class does by default."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from fakes import TINY

from lightning_powertrain import BaseDevice, PowerMode
from lightning_powertrain.devices import Health, PowerReading, PowerSource, SystemClock


class Least(BaseDevice):
    """No more than what is required."""

    def __init__(self) -> None:
        self.board = TINY
        self.mode = TINY.modes.mode(0)
        self.restored = 0

    def current_mode(self) -> PowerMode:
        return self.mode

    def apply(self, mode: Mapping[str, int]) -> PowerMode:
        self.mode = PowerMode(**mode)
        return self.mode

    def read_power(self) -> PowerReading:
        return PowerReading(5.0, {"VDD_IN": 5.0})

    def snapshot(self) -> None:
        pass

    def restore(self) -> None:
        self.restored += 1


def test_what_a_device_must_implement() -> None:
    assert BaseDevice.__abstractmethods__ == {"current_mode", "apply", "read_power", "snapshot", "restore"}
    assert PowerSource.__abstractmethods__ == {"read_power"}


def test_a_device_that_lacks_a_method_cannot_be_made() -> None:
    class NeverRestored(Least):
        restore = BaseDevice.restore

    with pytest.raises(TypeError, match="restore"):
        NeverRestored()  # type: ignore[abstract]


def test_the_defaults_of_a_device() -> None:
    device = Least()
    assert device.modes is device.modes
    assert len(device.modes) == len(TINY.modes)
    assert isinstance(device.clock, SystemClock)
    assert (device.simulated, device.settle_s) == (False, 2.0)
    assert device.health() == Health()
    assert device.read_energy() is None
    before = dict(vars(device))
    device.minibatch_ended()
    with device.computing(), device.computing():
        pass
    assert vars(device) == before


def test_closing_a_device_restores_it() -> None:
    device = Least()
    device.close()
    assert device.restored == 1


def test_a_device_may_have_fewer_modes_than_its_board() -> None:
    device = Least()
    device.modes = TINY.modes.subset({"cores": (4,)})
    assert len(device.modes) == len(TINY.modes) / 3
