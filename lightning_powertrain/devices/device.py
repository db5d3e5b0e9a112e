"""What the rest of the library asks of a board."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from lightning_powertrain.boards import Board, ModeSpace, PowerMode
from lightning_powertrain.devices.clock import Clock


@dataclass(frozen=True)
class PowerReading:
    """What the power sensors say at one instant.

    Args:
        total_w: Power of the whole module, in watts.
        rails_w: Power of each rail, in watts.
    """

    total_w: float
    rails_w: Mapping[str, float]


@dataclass(frozen=True)
class Health:
    """Whether a board holds itself back.

    Args:
        throttled_by: What slows it down now, such as ``("cpu-throttle-alert",)``; empty if nothing does.
        over_current_events: Over-current and under-voltage events since it booted.
        temperature_c: Temperature of the die, in degrees Celsius; None if it cannot be read.
    """

    throttled_by: tuple[str, ...] = ()
    over_current_events: int = 0
    temperature_c: float | None = None


class Device(Protocol):
    """A board that can be moved through its power modes.

    A device only ever writes values from its own tables, never touches power-gating masks, never triggers a reboot,
    and reads back what it wrote.

    Attributes:
        board: What is known of this kind of board.
        modes: The power modes that it can be set to.
        clock: The clock on which its minibatches and power samples are timed.
        simulated: Whether its figures come from a simulation; whatever shows them must say so.
        settle_s: Seconds after a switch until the power sensor's filter has forgotten the mode before.
    """

    @property
    def board(self) -> Board: ...

    @property
    def modes(self) -> ModeSpace: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def simulated(self) -> bool: ...

    @property
    def settle_s(self) -> float: ...

    def current_mode(self) -> PowerMode:
        """The mode that the board really has now, read from it."""
        ...

    def apply(self, mode: Mapping[str, int]) -> PowerMode:
        """Set a mode and return what the board reads back, which may differ.

        Raises:
            ModeError: If the mode is not in :attr:`modes`; nothing was written then.
            DeviceError: If the board refused a write.
        """
        ...

    def read_power(self) -> PowerReading:
        """Power at this instant, as the sensors show it."""
        ...

    def health(self) -> Health:
        """Whether heat or current holds the board back at this instant; whatever cannot be read counts as well."""
        ...

    def snapshot(self) -> None:
        """Remember every setting, for :meth:`restore`.

        While a snapshot is held this does nothing: what counts is how the board was found, not what was made of it
        since. A device may take one by itself before it first writes to the board.

        Raises:
            DeviceError: If the settings could not be remembered.
        """
        ...

    def restore(self) -> None:
        """Put every setting back as it was at :meth:`snapshot`, and let go of the snapshot.

        Does nothing without one, so twice is as once, and a :meth:`snapshot` after it is a new one.

        Raises:
            DeviceError: If some setting could not be put back; the snapshot is kept then, and another call tries again.
        """
        ...

    def close(self) -> None:
        """Put every setting back and let go of the board for good; twice is as once."""
        ...

    def minibatch_ended(self) -> None:
        """Take note that a minibatch of training has ended: it makes a virtual clock move. Real boards ignore it."""
        ...
