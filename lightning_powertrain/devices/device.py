"""The base class of devices: boards that can be set to different power modes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property

from lightning_powertrain.boards import Board, ModeSpace, PowerMode
from lightning_powertrain.devices.activity import CpuTimes, Load
from lightning_powertrain.devices.clock import VirtualClock
from lightning_powertrain.devices.power_source import Health, PowerSource


class BaseDevice(PowerSource):
    """A board that can be set to different power modes.

    A device needs the attribute ``board`` and the methods :meth:`current_mode`, :meth:`apply`, :meth:`read_power`,
    :meth:`snapshot` and :meth:`restore`. Everything else has a default.

    A device only writes values from its own tables, never touches power-gating masks, never triggers a reboot, and
    reads back what it wrote. All methods but :meth:`read_power`, :meth:`read_load` and :meth:`health` are called in the
    thread of the training loop, which waits for them. A method that fails raises a
    :class:`~lightning_powertrain.errors.DeviceError`: tuning then stops, the board is restored, and training continues.

    Attributes:
        board: What is known of this kind of board: its key, its knobs, its stock presets. Set it in ``__init__``; it
            must stay the same.
        modes: The power modes that the device can be set to, by default all of its board. It must stay the same.
        clock: The clock that times its minibatches and samples; by default that of the system. It must stay the same
            object.
        simulated: Whether its figures come from a simulation, by default False. All reports and logs then say so. It
            must stay the same.
        settle_s: Seconds after a switch of modes until the power sensor shows the new mode only, by default 2, which
            suits the INA3221 of a Jetson (it averages over about 0.43 s at NVIDIA's settings). Read once, when tuning
            starts; the tuner discards what it measures in this time.
    """

    board: Board
    settle_s: float = 2.0

    @cached_property
    def modes(self) -> ModeSpace:
        """The power modes that the device can be set to, by default all of its board. It must stay the same."""
        return self.board.modes

    @abstractmethod
    def current_mode(self) -> PowerMode:
        """The mode that the board has at this instant, read from the board.

        Called when tuning starts, and before some switches of modes. It must not change any setting.
        """

    @abstractmethod
    def apply(self, mode: Mapping[str, int]) -> PowerMode:
        """Set a mode and return what the board reads back, which may differ.

        Called for each mode that is measured, and for the mode that stays, always after :meth:`snapshot`. It must
        change nothing but the knobs in ``mode``, and must not return before the mode is set.

        Args:
            mode: A value for each knob. Accept any mapping, in any order of knobs.

        Raises:
            ModeError: If the mode is not in :attr:`modes`; nothing was written then. ``self.modes.index(mode)`` raises
                it.
            DeviceError: If the board refused a write.
        """

    @abstractmethod
    def snapshot(self) -> None:
        """Save every setting that :meth:`apply` may change, for :meth:`restore`.

        Called when tuning starts, before the first :meth:`apply`, and again after :meth:`restore` in the middle of a
        job. While a snapshot is held it must do nothing: what counts are the settings before tuning. A device may take
        a snapshot by itself before it first writes to the board. It must not change any setting.

        Raises:
            DeviceError: If the settings could not be saved.
        """

    @abstractmethod
    def restore(self) -> None:
        """Restore every setting that :meth:`snapshot` saved, and drop the snapshot.

        Called when tuning ends, also after an error, and where the job is to continue in the mode that it started in.
        It must do nothing without a snapshot, so it is idempotent. A :meth:`snapshot` after it is a new one.

        Raises:
            DeviceError: If a setting could not be restored. The snapshot is kept then, and another call tries again.
        """

    def health(self) -> Health:
        """Whether heat or current slows the board down at this instant; by default nothing does.

        Called about once a second from a thread of :attr:`clock`, also while another method runs. It must not change
        any setting. A device without it is tuned as if it never throttled: windows in which it does are not discarded.
        """
        return Health()

    def read_load(self) -> Load:
        """How busy GPU and memory are at this instant; by default nothing is known.

        Called about ten times a second from a thread of :attr:`clock`, also while another method runs, as long as modes
        are measured. It must not change any setting, and should return within a millisecond. What it returns describes
        a measurement and never decides whether one counts; where it fails, that reading is left out.
        """
        return Load()

    def read_cpu_times(self) -> CpuTimes:
        """CPU seconds of the cores, of this process and of its child processes so far; by default nothing is known.

        Called at both ends of a measurement window. It must not change any setting, and should return within
        milliseconds. What it returns describes a measurement and never decides whether one counts; where it fails, the
        measurement is without it.
        """
        return CpuTimes()

    def minibatch_started(self) -> None:
        """Advance a virtual clock by the time for which the loop waits for data; by default nothing happens.

        Called by the tuner when the loop has the data of its next minibatch, if the loop reports that. A simulation
        overrides this method where its minibatches wait for data; :meth:`minibatch_ended` then advances its clock by
        the rest of the minibatch. It must change nothing but the simulated time.
        """

    def computing(self) -> AbstractContextManager[None]:
        """A context in which the tuner computes while training waits; by default it does nothing.

        Entered each time that the tuner decides. A simulation overrides it, because its virtual clock does not move by
        itself: it advances the clock by the time that its board would take for what the body computed. It may be
        nested. It must change nothing but the simulated time.
        """
        return nullcontext()

    def wait(self, seconds: float) -> None:
        """Advance a virtual clock by the time for which this board waits for the others of its job.

        Called on every board of a distributed job, before the tuner evaluates a round. On a real board the time has
        already passed, and nothing happens. A simulation overrides it if its board draws less power while it waits.
        """
        if isinstance(self.clock, VirtualClock):
            self.clock.advance(seconds)

    def close(self) -> None:
        """Restore the board and release what was opened; by default :meth:`restore`.

        Called by whoever opened the device, once it is no longer needed; no other method is called after it. It must
        be idempotent.
        """
        self.restore()
