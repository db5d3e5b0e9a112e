"""The board of one process, as the processes of the same job see it."""

from __future__ import annotations

from collections.abc import Sequence

from lightning_powertrain.devices import Device, Samplers, SimulatedDevice, VirtualClock
from lightning_powertrain.errors import PowerTrainError
from lightning_powertrain.fleet.messages import Done, Hello, Order, Report, attempt, described
from lightning_powertrain.tuning.threads import TorchThreads
from lightning_powertrain.warning import log_swallowed

# A window is short, and events on a board are counted between the samples in it.
_HEALTH_EVERY_S = 0.1


class Station:
    """Holds the board of this process, samples it, and does what it is told.

    Args:
        rank: Which process this is.
        device: Its board; None for a process that drives none, because another one on the same board does.
        match_threads: See :class:`~lightning_powertrain.tuning.Tuner`.
    """

    def __init__(self, rank: int, device: Device | None, match_threads: bool = False) -> None:
        self._rank = rank
        self._device = device
        self._samplers = Samplers(device) if device is not None else None
        self._threads = TorchThreads(device.modes.knobs, match_threads) if device is not None else None
        self._met_s = self._checked_s = 0.0
        self._failure = ""

    @property
    def met_s(self) -> float:
        """When the last meeting was, on the clock of this board."""
        return self._met_s

    def fail(self, error: Exception) -> None:
        """Remember what went wrong, to be told at the next meeting."""
        log_swallowed("tuning on this board", error)
        self._failure = self._failure or described(error)

    def hello(self) -> Hello:
        """Take hold of the board, and say which it is."""
        return attempt(self._hello, lambda failure: Hello(failure=failure))

    def minibatch_ended(self) -> None:
        """Take note that a minibatch of training has ended."""
        if self._device is not None:
            try:
                self._device.minibatch_ended()
            except Exception as error:
                self.fail(error)

    def report(self) -> Report:
        """What there is to tell at a meeting."""
        return attempt(self._report, lambda failure: Report(failure=failure))

    def met(self, reports: Sequence[Report]) -> None:
        """Take note that all processes have met.

        On virtual clocks this is where the faster boards wait for the slowest, as in the step that all take together.
        """
        device = self._device
        if device is None:
            return
        if isinstance(device.clock, VirtualClock):
            elapsed_s = device.clock.now() - self._met_s
            wait_s = max(0.0, max(report.elapsed_s for report in reports) - elapsed_s)
            if isinstance(device, SimulatedDevice):
                device.wait(wait_s)
            else:
                device.clock.advance(wait_s)
        self._met_s = device.clock.now()

    def obey(self, order: Order) -> Done:
        """Do what is ordered, if it is meant for this process."""
        if self._rank not in order.ranks:
            return Done()
        return attempt(lambda: self._obey(order), lambda failure: Done(failure=failure))

    def stop_sampling(self) -> None:
        """Leave the board as it is."""
        if self._samplers is not None:
            self._samplers.stop()

    def let_go(self) -> None:
        """Put the board back as it was found; twice is as once.

        Raises:
            DeviceError: If some setting could not be put back.
        """
        self.stop_sampling()
        if self._threads is not None:
            self._threads.put_back()
        if self._device is not None:
            self._device.restore()

    def _hello(self) -> Hello:
        if self._failure:
            raise PowerTrainError(self._failure)
        device, samplers = self._device, self._samplers
        if device is None or samplers is None:
            return Hello()
        device.snapshot()
        samplers.start()
        self._met_s = device.clock.now()
        return Hello("", device.board, device.modes, device.current_mode(), device.settle_s, device.simulated)

    def _report(self) -> Report:
        if self._failure:
            raise PowerTrainError(self._failure)
        device, samplers = self._device, self._samplers
        if device is None or samplers is None:
            return Report()
        now_s, met_s = device.clock.now(), self._met_s
        if now_s - self._checked_s >= _HEALTH_EVERY_S:
            samplers.health.sample()
            self._checked_s = now_s
        power = tuple((at_s - met_s, watts) for at_s, watts in samplers.power.taken())
        health = tuple((at_s - met_s, health) for at_s, health in samplers.health.taken())
        return Report("", now_s - met_s, power, health)

    def _obey(self, order: Order) -> Done:
        assert self._device is not None
        assert self._threads is not None
        if order.mode is None:
            self._device.restore()
            self._device.snapshot()
            self._threads.put_back()
            return Done(mode=self._device.current_mode())
        read = self._device.apply(order.mode)
        self._threads.match(read)
        return Done(mode=read)
