"""Every device of ours passes the conformance suite, and the suite fails for devices that are broken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Callable

import pytest
from fakes import FakeDevice
from plain_board import start_helper
from virtual_board import BOARDS, MountedBoard

from lightning_powertrain.boards import ListedModes, ModeSpace, PowerMode
from lightning_powertrain.devices import BaseDevice, CpuTimes, Health, Load, PowerReading, SimulatedDevice, SysfsDevice
from lightning_powertrain.errors import DeviceError
from lightning_powertrain.testing import DeviceConformance

Mount = Callable[..., MountedBoard]


class TestSimulatedDevice(DeviceConformance):
    @pytest.fixture(params=["orin-agx-64gb", "agx-xavier", "orin-nano-8gb", "foreign-200"])
    def device(self, request: pytest.FixtureRequest) -> SimulatedDevice:  # type: ignore[override]
        return SimulatedDevice(request.param)


class TestSysfsDevice(DeviceConformance):
    @pytest.fixture(params=BOARDS)
    def mounted_board(self, request: pytest.FixtureRequest, virtual_board: Mount) -> MountedBoard:
        self.board = virtual_board(request.param)
        return self.board

    @pytest.fixture
    def device(self, mounted_board: MountedBoard) -> Iterator[SysfsDevice]:  # type: ignore[override]
        root = mounted_board.root
        device = SysfsDevice(root, lambda: start_helper(root))
        yield device
        device.close()

    def modes_to_try(self, device: BaseDevice) -> list[PowerMode]:
        """The two that have nothing in common; others are tried elsewhere, and files take their time."""
        return [device.modes.mode(0), device.modes.highest]

    def reads_back(self, device: BaseDevice, mode: PowerMode) -> PowerMode:
        """The clock of a cluster whose cores are all offline cannot be read."""
        if mode.get("denver_cores") != 0:
            return mode
        lowest = device.modes.mode(0)["denver_khz"]
        return PowerMode(**{**mode, "denver_khz": lowest})

    def settings(self, device: BaseDevice) -> object:
        return self.board.settings()


class TestFakeDevice(DeviceConformance):
    @pytest.fixture
    def device(self) -> FakeDevice:  # type: ignore[override]
        return FakeDevice()


class TestUnevenDevice(DeviceConformance):
    """Not all combinations of its knobs exist."""

    @pytest.fixture
    def device(self) -> FakeDevice:  # type: ignore[override]
        return Uneven()


class Uneven(FakeDevice):
    def __init__(self) -> None:
        super().__init__()
        # The mode in which it starts, and fast memory otherwise.
        modes = [mode for mode in self.modes if mode == self.mode or mode["emc_hz"] == 800000000]
        self.modes = ListedModes(self.modes.knobs, modes)


class TooWilling(Uneven):
    """Sets combinations that it does not have."""

    def apply(self, mode: Mapping[str, int]) -> PowerMode:
        ModeSpace(self.modes.knobs).index(mode)
        self.mode = PowerMode(**mode)
        return self.mode


class Forgetful(FakeDevice):
    def restore(self) -> None:
        self.saved = None


class Overwriting(FakeDevice):
    def snapshot(self) -> None:
        self.saved = self.mode


class Hoarding(FakeDevice):
    """Holds its first snapshot for ever, and comes back from it in another mode the second time."""

    def restore(self) -> None:
        if self.saved is not None:
            self.mode = self.saved if self.restored == 0 else self.modes.highest
            self.restored += 1


class Restless(FakeDevice):
    def restore(self) -> None:
        if self.saved is None:
            self.mode = self.modes.highest
        super().restore()


class Deaf(FakeDevice):
    def apply(self, mode: Mapping[str, int]) -> PowerMode:
        self.modes.index(mode)
        return PowerMode(**mode)


class Careless(FakeDevice):
    def apply(self, mode: Mapping[str, int]) -> PowerMode:
        self.mode = PowerMode(**{name: mode.get(name, value) for name, value in self.mode.items()})
        self.modes.index(mode)
        return self.mode


class Unfiltered(FakeDevice):
    def apply(self, mode: Mapping[str, int]) -> PowerMode:
        self.mode = PowerMode(**mode)
        return self.mode


class Ordered(FakeDevice):
    def apply(self, mode: Mapping[str, int]) -> PowerMode:
        if tuple(mode) != self.modes.names:
            raise DeviceError("these knobs are in the wrong order")
        return super().apply(mode)


class Untyped(FakeDevice):
    def current_mode(self) -> Any:
        return dict(self.mode)


class Powerless(FakeDevice):
    def read_power(self) -> PowerReading:
        return PowerReading(0.0, {"VDD_IN": 0.0})


class Inconsistent(FakeDevice):
    def read_power(self) -> PowerReading:
        return PowerReading(7.0, {"VDD_IN": 5.0, "VDD_CPU": 1.0})


class Foreign(FakeDevice):
    def __init__(self) -> None:
        super().__init__()
        self.modes = ModeSpace((*self.modes.knobs[:-1], self.modes.knobs[0].__class__("dla_hz", "other", (1, 2))))


class BackwardClock(FakeDevice):
    def read_power(self) -> PowerReading:
        self.clock.advance(-1.0)
        return super().read_power()


class SilentClock(FakeDevice):
    def minibatch_ended(self) -> None:
        pass


class Vague(FakeDevice):
    settle_s = float("nan")


class Forgiving(FakeDevice):
    """Its over-currents are counted since the last look."""

    events = 3

    def health(self) -> Health:
        self.events -= 1
        return Health(("over-current",), self.events)


class Percent(FakeDevice):
    """Its load is no share."""

    def read_load(self) -> Load:
        return Load(gpu=62.5)


class Falling(FakeDevice):
    """Workers that have ended no longer count."""

    workers = 3

    def read_cpu_times(self) -> CpuTimes:
        self.workers -= 1
        return CpuTimes({0: 1.0}, 2.0, 5.0 * self.workers)


class Brittle(FakeDevice):
    is_open = True

    def close(self) -> None:
        if not self.is_open:
            raise DeviceError("already closed")
        self.is_open = False


BROKEN: dict[type[FakeDevice], str] = {
    Forgetful: "test_restore_brings_back_what_snapshot_saw",
    Overwriting: "test_a_snapshot_that_is_held_is_kept",
    Hoarding: "test_a_snapshot_after_a_restore_is_a_new_one",
    Restless: "test_restore_without_a_snapshot_does_nothing",
    Deaf: "test_it_sets_any_mode_and_reads_it_back",
    Careless: "test_it_refuses_what_is_not_in_its_tables",
    Unfiltered: "test_it_refuses_what_is_not_in_its_tables",
    TooWilling: "test_it_refuses_what_is_not_in_its_tables",
    Ordered: "test_it_takes_any_mapping_for_a_mode",
    Untyped: "test_it_reports_the_mode_that_it_is_in",
    Powerless: "test_it_reads_power",
    Inconsistent: "test_it_reads_power",
    Foreign: "test_its_modes_are_those_of_its_board",
    BackwardClock: "test_its_clock_never_goes_back",
    SilentClock: "test_its_clock_calls_back_until_it_is_stopped",
    Brittle: "test_closing_it_is_idempotent",
    Forgiving: "test_it_reports_whether_it_throttles",
    Percent: "test_it_reports_how_busy_it_is",
    Falling: "test_it_reports_how_busy_it_is",
    Vague: "test_it_says_how_it_is_to_be_measured",
}


@pytest.mark.parametrize(("broken", "test"), BROKEN.items())
def test_a_broken_device_fails(broken: type[FakeDevice], test: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning_powertrain.testing.device_conformance._PATIENCE_S", 0.05)
    with pytest.raises((AssertionError, DeviceError, pytest.fail.Exception)):
        getattr(DeviceConformance(), test)(broken())


def test_every_test_of_the_suite_can_fail() -> None:
    assert {name for name in dir(DeviceConformance) if name.startswith("test_")} == set(BROKEN.values())
