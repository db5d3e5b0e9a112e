"""The contract of a :class:`~lightning_powertrain.devices.BaseDevice`, as tests that any device can inherit."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from itertools import islice

import pytest

from lightning_powertrain.boards import ModeSpace, PowerMode
from lightning_powertrain.devices import BaseDevice, CpuTimes, Health, Load
from lightning_powertrain.errors import ModeError

_PATIENCE_S = 10.0
_NOT_IN_A_TABLE = -1


class DeviceConformance:
    """Tests that every device passes. Inherit it, and override the fixture :meth:`device`.

    The board must be left alone by everybody else meanwhile, and be free to be set.

    Example::

        class TestMyDevice(DeviceConformance):
            @pytest.fixture
            def device(self) -> Iterator[MyDevice]:
                device = MyDevice()
                yield device
                device.close()

    """

    # What a device overrides.

    @pytest.fixture
    def device(self) -> BaseDevice | Iterator[BaseDevice]:
        """A fresh device for each test, of which no snapshot is held."""
        raise NotImplementedError("override the fixture `device`: it makes the device that is tested")

    def modes_to_try(self, device: BaseDevice) -> Sequence[PowerMode]:
        """Modes that the tests set: the lowest, the highest, one in between, and the lowest with each knob raised."""
        modes = device.modes
        lowest = modes.lowest
        raised = [PowerMode(**{**lowest, knob.name: knob.values[-1]}) for knob in modes.knobs]
        return [lowest, modes.highest, modes.mode(len(modes) // 2), *(mode for mode in raised if mode in modes)]

    def reads_back(self, device: BaseDevice, mode: PowerMode) -> PowerMode:
        """What the device reads back once ``mode`` is set: override it for what a board cannot read in some modes."""
        return mode

    def settings(self, device: BaseDevice) -> object:
        """All settings of the board: override it if :meth:`apply` changes more than :meth:`current_mode` returns."""
        return device.current_mode()

    # What is tested.

    def test_its_modes_are_those_of_its_board(self, device: BaseDevice) -> None:
        """There are modes, and the board's own knobs span them."""
        assert len(device.modes) > 0
        assert device.modes.array.shape == (len(device.modes), len(device.modes.knobs))
        assert device.board.key
        tables = {knob.name: knob for knob in device.board.knobs if knob.values}
        for knob in device.modes.knobs:
            assert list(knob.values) == sorted(set(knob.values)), f"{knob.name} is not ascending"
            assert knob.name in tables, f"the board has no table for {knob.name}"
            assert knob.role == tables[knob.name].role
            assert set(knob.values) <= set(tables[knob.name].values), f"{knob.name} is not the board's table"

    def test_it_reports_the_mode_that_it_is_in(self, device: BaseDevice) -> None:
        """A power mode with a whole number for each knob; asking changes nothing."""
        mode = device.current_mode()
        assert isinstance(mode, PowerMode)
        assert set(mode) == set(device.modes.names)
        assert all(type(value) is int for value in mode.values())
        assert device.current_mode() == mode

    def test_it_sets_any_mode_and_reads_it_back(self, device: BaseDevice) -> None:
        """Whatever mode it was in before."""
        device.snapshot()
        try:
            for mode in self.modes_to_try(device):
                for _ in range(2):
                    read = device.apply(mode)
                    assert isinstance(read, PowerMode)
                    assert read == self.reads_back(device, mode)
                    assert device.current_mode() == read
        finally:
            device.restore()

    def test_it_takes_any_mapping_for_a_mode(self, device: BaseDevice) -> None:
        """A plain dictionary, in another order of knobs."""
        mode = device.modes.lowest
        device.snapshot()
        try:
            assert device.apply(dict(reversed(list(mode.items())))) == self.reads_back(device, mode)
        finally:
            device.restore()

    def test_it_refuses_what_is_not_in_its_tables(self, device: BaseDevice) -> None:
        """Nothing is written then, not even the knobs that would be valid."""
        start = device.modes.highest
        device.snapshot()
        try:
            device.apply(start)
            before = self.settings(device)
            lowest = device.modes.lowest
            foreign = [{**lowest, name: _NOT_IN_A_TABLE} for name in lowest]
            lacking = [{name: lowest[name] for name in lowest if name != missing} for missing in lowest]
            for bad in [*foreign, *lacking, {**lowest, "no_such_knob": 1}, *_not_combined(device.modes)]:
                with pytest.raises(ModeError):
                    device.apply(bad)
                assert self.settings(device) == before, f"{bad} was refused, but something was written"
        finally:
            device.restore()

    def test_it_reads_power(self, device: BaseDevice) -> None:
        """Watts of the whole and of each rail; the whole is a rail, or the sum of some."""
        for _ in range(3):
            reading = device.read_power()
            assert math.isfinite(reading.total_w)
            assert reading.total_w > 0
            assert reading.rails_w, "no rail"
            assert all(math.isfinite(watts) and watts >= 0 for watts in reading.rails_w.values())
            sums = {0.0}
            for watts in reading.rails_w.values():
                sums |= {partial + watts for partial in sums}
            assert any(math.isclose(reading.total_w, partial, rel_tol=1e-6, abs_tol=1e-3) for partial in sums)
            device.minibatch_ended()

    def test_it_reports_whether_it_throttles(self, device: BaseDevice) -> None:
        """At any time, and the count of over-currents never goes back."""
        events = []
        for _ in range(3):
            health = device.health()
            assert isinstance(health, Health)
            assert all(isinstance(cause, str) and cause and "+" not in cause for cause in health.throttled_by)
            events.append(health.over_current_events)
            device.minibatch_ended()
        assert events == sorted(events)
        assert events[0] >= 0

    def test_it_reports_how_busy_it_is(self, device: BaseDevice) -> None:
        """Shares between 0 and 1, and CPU times that never decrease; or nothing, as by default."""
        before = device.read_cpu_times()
        for _ in range(3):
            load, after = device.read_load(), device.read_cpu_times()
            assert isinstance(load, Load)
            assert isinstance(after, CpuTimes)
            assert load.gpu is None or 0 <= load.gpu <= 1
            assert load.emc_active_hz is None or (math.isfinite(load.emc_active_hz) and load.emc_active_hz >= 0)
            for earlier, later in ((before.process_s, after.process_s), (before.children_s, after.children_s)):
                assert (earlier is None) == (later is None)
                assert earlier is None or later is None or 0 <= earlier <= later < math.inf
            assert all(0 <= before.cores_s.get(core, 0.0) <= spent_s for core, spent_s in after.cores_s.items())
            before = after
            device.minibatch_started()
            device.minibatch_ended()

    def test_restore_brings_back_what_snapshot_saw(self, device: BaseDevice) -> None:
        """However many modes were set in between; and a second time changes nothing."""
        before = self.settings(device)
        device.snapshot()
        for mode in self.modes_to_try(device):
            device.apply(mode)
        assert self.settings(device) != before, "the device has only one mode, or did not set any"
        for _ in range(2):
            device.restore()
            assert self.settings(device) == before

    def test_restore_without_a_snapshot_does_nothing(self, device: BaseDevice) -> None:
        """Not even once a snapshot was taken and used."""
        before = self.settings(device)
        device.restore()
        assert self.settings(device) == before

    def test_a_snapshot_that_is_held_is_kept(self, device: BaseDevice) -> None:
        """A second one in the middle of tuning must not take a probing mode for how the board was found."""
        before = self.settings(device)
        device.snapshot()
        for mode in self.modes_to_try(device)[:2]:
            device.apply(mode)
            device.snapshot()
        device.restore()
        assert self.settings(device) == before

    def test_a_snapshot_after_a_restore_is_a_new_one(self, device: BaseDevice) -> None:
        """As when tuning goes back to the mode that the job started in, and at the next job."""
        before = self.settings(device)
        for mode in self.modes_to_try(device)[:2]:
            device.snapshot()
            device.apply(mode)
            device.restore()
            assert self.settings(device) == before

    def test_closing_it_is_idempotent(self, device: BaseDevice) -> None:
        """The second :meth:`BaseDevice.close` does nothing."""
        device.snapshot()
        device.close()
        device.close()

    def test_its_clock_never_goes_back(self, device: BaseDevice) -> None:
        """Whatever happens to the board."""
        times_s = [device.clock.now()]
        device.snapshot()
        try:
            for mode in self.modes_to_try(device):
                device.apply(mode)
                times_s.append(device.clock.now())
                device.minibatch_ended()
                device.read_power()
                times_s.append(device.clock.now())
        finally:
            device.restore()
        times_s.append(device.clock.now())
        assert times_s == sorted(times_s)

    def test_its_clock_calls_back_until_it_is_stopped(self, device: BaseDevice) -> None:
        """As the power poller needs it, while minibatches end."""
        calls: list[float] = []
        cancel = device.clock.every(0.01, lambda: calls.append(device.clock.now()))
        end_s = time.monotonic() + _PATIENCE_S
        while len(calls) < 3 and time.monotonic() < end_s:
            device.minibatch_ended()
            time.sleep(0.001)
        cancel()
        made = len(calls)
        assert made >= 3, "the clock did not call back"
        assert calls == sorted(calls)
        for _ in range(3):
            device.minibatch_ended()
            time.sleep(0.02)
        assert len(calls) == made, "the clock calls back after it was stopped"

    def test_it_says_how_it_is_to_be_measured(self, device: BaseDevice) -> None:
        """How long its sensors take to settle, and whether it is real; by the attributes of the base class."""
        assert isinstance(device, BaseDevice)
        assert math.isfinite(device.settle_s)
        assert device.settle_s >= 0
        assert type(device.simulated) is bool


def _not_combined(modes: ModeSpace) -> list[PowerMode]:
    """A mode whose values are all in the tables, but that the board does not have; none if it has all combinations."""
    if len(modes) == math.prod(modes.shape):
        return []
    return list(islice((mode for mode in ModeSpace(modes.knobs) if mode not in modes), 1))
