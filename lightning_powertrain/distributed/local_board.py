"""The board that one process drives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from lightning_powertrain.devices import BaseDevice, Pollers
from lightning_powertrain.distributed.channel import error_text
from lightning_powertrain.distributed.messages import Message, Registration, Reply, Report, Request
from lightning_powertrain.errors import PowerTrainError
from lightning_powertrain.logs import log_swallowed
from lightning_powertrain.tuning.threads import TorchThreads

M = TypeVar("M", bound=Message)

# A measurement window is short, and over-current events are counted between the samples in it.
_HEALTH_PERIOD_S = 0.1


class LocalBoard:
    """Samples the board of this process, executes requests for it, and restores it.

    Methods that return a message do not raise. The message carries the failure instead, so that all processes receive
    it in the same exchange.

    Args:
        rank: The rank of this process.
        device: Its board; None if another process drives the board of this node.
        match_threads: See :class:`~lightning_powertrain.tuner.Tuner`.
    """

    def __init__(self, rank: int, device: BaseDevice | None, match_threads: bool = False) -> None:
        self._rank = rank
        self._device = device
        self._pollers = Pollers(device) if device is not None else None
        self._threads = TorchThreads(device.modes.knobs, match_threads) if device is not None else None
        self._last_round_s = self._health_sampled_s = 0.0
        self._failure = ""

    @property
    def last_round_s(self) -> float:
        """When the last round began, in seconds on the clock of this board."""
        return self._last_round_s

    def record_failure(self, error: Exception) -> None:
        """Keep an error, to send it in the next message. The first error counts."""
        log_swallowed("tuning on this board", error)
        self._failure = self._failure or error_text(error)

    def register(self) -> Registration:
        """Take a snapshot of the board, start sampling, and describe the board."""
        return _attempt(self._register, Registration)

    def minibatch_ended(self) -> None:
        """Call at the end of each minibatch."""
        if self._device is not None:
            try:
                self._device.minibatch_ended()
            except Exception as error:
                self.record_failure(error)

    def report(self) -> Report:
        """The samples since the last round."""
        return _attempt(self._report, Report)

    def synchronize(self, reports: Sequence[Report]) -> None:
        """Begin a round, when the reports of all processes have arrived.

        On real boards the all-gather has waited for the slowest board; simulated ones wait here.
        """
        device = self._device
        if device is None:
            return
        elapsed_s = device.clock.now() - self._last_round_s
        device.wait(max(0.0, max(report.elapsed_s for report in reports) - elapsed_s))
        self._last_round_s = device.clock.now()

    def execute(self, request: Request) -> Reply:
        """Set the power mode or restore the board, if the request is for this rank."""
        if self._rank not in request.ranks:
            return Reply()
        return _attempt(lambda: self._execute(request), Reply)

    def stop_sampling(self) -> None:
        """Stop sampling; the board keeps its power mode."""
        if self._pollers is not None:
            self._pollers.stop()

    def restore(self) -> None:
        """Stop sampling, and restore the board and the number of threads. Idempotent.

        Raises:
            DeviceError: If a setting could not be restored.
        """
        self.stop_sampling()
        if self._threads is not None:
            self._threads.restore()
        if self._device is not None:
            self._device.restore()

    def _register(self) -> Registration:
        self._raise_failure()
        device, pollers = self._device, self._pollers
        if device is None or pollers is None:
            return Registration()
        device.snapshot()
        pollers.start()
        self._last_round_s = device.clock.now()
        return Registration("", device.board, device.modes, device.current_mode(), device.settle_s, device.simulated)

    def _report(self) -> Report:
        self._raise_failure()
        device, pollers = self._device, self._pollers
        if device is None or pollers is None:
            return Report()
        now_s, last_s = device.clock.now(), self._last_round_s
        if now_s - self._health_sampled_s >= _HEALTH_PERIOD_S:
            pollers.health.poll()
            self._health_sampled_s = now_s
        power = tuple((at_s - last_s, watts) for at_s, watts in pollers.power.taken())
        health = tuple((at_s - last_s, health) for at_s, health in pollers.health.taken())
        return Report("", now_s - last_s, power, health)

    def _execute(self, request: Request) -> Reply:
        assert self._device is not None
        assert self._threads is not None
        if request.mode is None:
            self._device.restore()
            self._device.snapshot()
            self._threads.restore()
            return Reply(mode=self._device.current_mode())
        read_back = self._device.apply(request.mode)
        self._threads.match(read_back)
        return Reply(mode=read_back)

    def _raise_failure(self) -> None:
        if self._failure:
            raise PowerTrainError(self._failure)


def _attempt(act: Callable[[], M], message_type: type[M]) -> M:
    """The message that ``act`` returns, or one with the failure."""
    try:
        return act()
    except Exception as error:
        log_swallowed("preparing a message to the other processes", error)
        return message_type(failure=error_text(error))
