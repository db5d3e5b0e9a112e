"""A worker: drives the board of its process as the coordinator requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lightning_powertrain.devices import BaseDevice
from lightning_powertrain.distributed.channel import Channel
from lightning_powertrain.distributed.communicator import Communicator
from lightning_powertrain.distributed.local_board import LocalBoard
from lightning_powertrain.distributed.messages import EndOfRound, EndOfTuning, Request
from lightning_powertrain.logs import log_swallowed
from lightning_powertrain.tuning import History, Phase
from lightning_powertrain.tuning.status import warn_not_restored


class Worker:
    """Executes the requests of the coordinator on the board of this process.

    It implements the interface of :class:`~lightning_powertrain.tuner.Tuner`, so that a training loop calls the same
    methods in every process. The coordinator holds all results; here they are None.

    Args:
        communicator: Connects the processes of the job.
        device: The board; None if another process drives the board of this node.
        strict: Raise errors.
        match_threads: See :class:`~lightning_powertrain.tuner.Tuner`.
    """

    def __init__(
        self,
        communicator: Communicator,
        device: BaseDevice | None,
        *,
        strict: bool = False,
        match_threads: bool = False,
    ) -> None:
        self._channel = Channel(communicator)
        self._board = LocalBoard(communicator.rank, device, match_threads)
        self._strict = strict

    @property
    def phase(self) -> Phase:
        """Always off: only the coordinator has a phase."""
        return Phase.IDLE

    @property
    def device(self) -> None:
        """None: only the coordinator holds the group of boards."""

    @property
    def profile(self) -> None:
        """None: only the coordinator holds the measurements."""

    @property
    def reusable_profile(self) -> None:
        """None: only the coordinator holds the measurements."""

    @property
    def outcome(self) -> None:
        """None: only the coordinator holds the results."""

    def start(self, **_arguments: Any) -> Worker:
        """Register the board with the coordinator. Only the coordinator uses the arguments of Tuner.start."""
        self._exchange(lambda: self._channel.all_gather(self._board.register()))
        return self

    def warm_start(self, history: History) -> None:
        """Does nothing: only the coordinator uses earlier measurements."""

    def minibatch_started(self) -> None:
        """Does nothing: how long each process waits for data is not measured."""

    def minibatch_ended(self, *, cycle_complete: bool = True) -> None:
        """Report the end of a minibatch; see :class:`~lightning_powertrain.tuner.Tuner`."""
        self._board.minibatch_ended()
        if cycle_complete and self._channel.is_open:
            self._exchange(lambda: self._board.synchronize(self._channel.all_gather(self._board.report())))

    def interrupt(self) -> None:
        """Does nothing: only the coordinator measures time."""

    def give_up(self, error: Exception) -> None:
        """Report an error that prevents tuning. Tuning ends in all processes at the next round."""
        self._board.record_failure(error)

    def stop(self) -> None:
        """Restore the board. Idempotent, and allowed at any time."""
        self._channel.close()
        self._restore()

    def _exchange(self, first: Callable[[], object]) -> None:
        """Take part in a round, or in the registration; ``first`` is its first exchange."""
        try:
            first()
            self._execute_requests()
        except Exception as error:  # The coordinator receives the failure too, and warns.
            self._restore()
            if self._strict:
                raise
            log_swallowed("tuning several boards", error)

    def _execute_requests(self) -> None:
        """Execute requests until the coordinator ends the round."""
        while True:
            message = self._channel.receive()
            if isinstance(message, EndOfRound):
                return
            if isinstance(message, EndOfTuning):
                self._end_tuning(message)
                return
            assert isinstance(message, Request)
            self._channel.all_gather(self._board.execute(message))

    def _end_tuning(self, message: EndOfTuning) -> None:
        self._channel.stop()
        if message.keep_mode:
            self._board.stop_sampling()
        else:
            self._restore()

    def _restore(self) -> None:
        self._channel.stop()
        try:
            self._board.restore()
        except Exception as error:
            if self._strict:
                raise
            warn_not_restored(error)
