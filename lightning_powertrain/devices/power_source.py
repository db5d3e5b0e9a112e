"""The base class of everything whose power can be read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from lightning_powertrain.devices.clock import Clock, SystemClock


@dataclass(frozen=True)
class PowerReading:
    """The values of the power sensors at one instant.

    Args:
        total_w: Power of the whole module, in watts.
        rails_w: Power of each rail, in watts.
    """

    total_w: float
    rails_w: Mapping[str, float]


@dataclass(frozen=True)
class Health:
    """Whether heat or current slows a board down.

    Args:
        throttled_by: What slows it down at this instant, such as ``("cpu-throttle-alert",)``; empty if nothing does.
        over_current_events: Over-current and under-voltage events since it booted.
        temperature_c: Temperature of the die, in degrees Celsius; None if it cannot be read.
    """

    throttled_by: tuple[str, ...] = ()
    over_current_events: int = 0
    temperature_c: float | None = None


class PowerSource(ABC):
    """Something whose power can be read, such as a GPU; every device is one.

    A power source needs :meth:`read_power`. Everything else has a default.

    Attributes:
        clock: The clock that times its minibatches and samples; by default that of the system. It must stay the same
            object. A source that simulates has a :class:`~lightning_powertrain.devices.VirtualClock` of its own.
        simulated: Whether its figures come from a simulation, by default False. All reports and logs then say so. It
            must stay the same.
    """

    clock: Clock = SystemClock()
    simulated: bool = False

    @abstractmethod
    def read_power(self) -> PowerReading:
        """Power at this instant, as the sensors show it.

        Called several times a second from a thread of :attr:`clock`, also while another method runs. It must not
        change any setting, and should return within milliseconds.

        Raises:
            DeviceError: If it cannot be read at this instant; the sample is skipped then, and sampling continues.
        """

    def read_energy(self) -> float | None:
        """Joules since an arbitrary start; by default None, for hardware that does not count its energy.

        Called by ``PowerMonitor`` each time that it logs. Energy is integrated from samples of the power where this
        returns None.
        """
        return None

    def health(self) -> Health | None:
        """Whether heat or current slows it down at this instant; by default None, which means unknown.

        Called about once a second from a thread of :attr:`clock`. It must not change any setting.
        """
        return None

    def minibatch_ended(self) -> None:  # noqa: B027
        """Advance a virtual clock by the time of one minibatch; by default nothing happens.

        Called by the tuner at the end of each minibatch of training, in the thread of the training loop. On hardware,
        time passes by itself: only a simulation overrides this method. It must change nothing but the simulated time.
        """

    def close(self) -> None:  # noqa: B027
        """Release what was opened; by default nothing happens.

        Called by whoever opened the source, once it is no longer needed. It must be idempotent.
        """
