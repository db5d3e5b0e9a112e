"""The coordinator: runs the tuner in the process of rank 0, for the boards of all processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from lightning_powertrain.devices import BaseDevice
from lightning_powertrain.distributed.board_group import BoardGroup
from lightning_powertrain.distributed.channel import Channel, error_text
from lightning_powertrain.distributed.communicator import Communicator
from lightning_powertrain.distributed.local_board import LocalBoard
from lightning_powertrain.distributed.messages import EndOfRound, EndOfTuning, Registration, Reply, Request
from lightning_powertrain.distributed.task_sequence import TaskSequence, TuningTask, task_sequence
from lightning_powertrain.errors import PowerTrainError
from lightning_powertrain.logs import log_swallowed, warn
from lightning_powertrain.profiling import Profile
from lightning_powertrain.selection import Budget
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import History, Outcome, Phase


class Coordinator:
    """Tunes the boards of all processes, and implements the interface of :class:`~lightning_powertrain.tuner.Tuner`.

    Boards of the same kind form a group, which the tuner drives as one device. Groups are tuned one after the other.
    All communication takes place in rounds; see :mod:`lightning_powertrain.distributed.messages`. Once the last mode is
    locked there are no more rounds.

    Args:
        communicator: Connects the processes of the job. The rank of this process must be 0.
        device: The board of this process; None if it could not be opened, in which case call :meth:`give_up`.
        make_tuner: Returns a tuner for a task.
        budget: The budget of the user.
        hard_limit: See :class:`~lightning_powertrain.tuner.Tuner`.
        strict: Raise errors.
    """

    def __init__(
        self,
        communicator: Communicator,
        device: BaseDevice | None,
        make_tuner: Callable[[TuningTask], Tuner],
        *,
        budget: Budget,
        hard_limit: bool = False,
        strict: bool = False,
    ) -> None:
        self._channel = Channel(communicator)
        self._device = device
        self._board = LocalBoard(communicator.rank, device)
        self._make_tuner = make_tuner
        self._strict = strict
        self._budget = budget
        self._hard_limit = hard_limit
        self._tasks: TaskSequence | None = None
        self._task: TuningTask | None = None
        self._minibatches_left: int | None = None
        self._start_arguments: dict[str, Any] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._tuner: Tuner | None = None
        self._history: History | None = None
        self._accepts_requests = False

    @property
    def phase(self) -> Phase:
        """The phase of the current tuner."""
        return self._tuner.phase if self._tuner else Phase.IDLE

    @property
    def device(self) -> BaseDevice | None:
        """The group of all boards; None if the boards are of different kinds, or if nothing is tuned."""
        return self._task.boards if self._task is not None and not self._task.name else None

    @property
    def profile(self) -> Profile | None:
        """The measurements so far. The power of a mode is that of the board with the highest power."""
        return self._tuner.profile if self._tuner else None

    @property
    def reusable_profile(self) -> Profile | None:
        """The measurements that a later run of this job can use; None if the boards are of different kinds."""
        return self.profile if self.device is not None else None

    @property
    def outcome(self) -> Outcome | None:
        """The result for the kind of board that this process drives; None until a mode was chosen."""
        own = None if self._device is None else self._device.board.key
        return next((outcome for key, outcome in self.outcomes.items() if key == own), None)

    @property
    def outcomes(self) -> dict[str, Outcome]:
        """The results so far, by the key of each kind of board."""
        current = self._tuner.outcome if self._tuner else None
        return {**self._outcomes, **({current.profile.provenance.board: current} if current else {})}

    def start(self, *, minibatches: int | None = None, **arguments: Any) -> Coordinator:
        """Register the boards of all processes and begin to measure; the arguments are those of Tuner.start."""
        self._minibatches_left, self._start_arguments = minibatches, arguments
        try:
            registrations = self._channel.all_gather(self._board.register())
            with self._requests():
                self._tasks = task_sequence(self._groups(registrations), self._budget, self._hard_limit)
                self._start_task(next(self._tasks))
        except Exception as error:
            self._board.restore()
            if self._strict:
                raise
            what = "power-mode tuning is disabled for this job, and training continues in the current power modes: %s"
            warn(what, error_text(error), see="multi-board.md#when-something-goes-wrong")
        return self

    def warm_start(self, history: History) -> None:
        """Give earlier measurements of this job to the tuner in the next round; see Tuner.warm_start."""
        self._history = history

    def minibatch_started(self) -> None:
        """Does nothing: how long each process waits for data is not measured."""

    def minibatch_ended(self, *, cycle_complete: bool = True) -> None:
        """Report the end of a minibatch; see :class:`~lightning_powertrain.tuner.Tuner`."""
        self._board.minibatch_ended()
        if not self._channel.is_open or self._tuner is None:
            return
        if self._minibatches_left is not None:
            self._minibatches_left -= 1
        if not cycle_complete:
            self._tuner.minibatch_ended(cycle_complete=False)
            return
        try:
            self._exchange_reports()
        except Exception as error:
            self._tuner.give_up(error)
            return
        with self._requests():
            if self._history is not None:
                self._tuner.warm_start(self._history)
                self._history = None
            self._tuner.minibatch_ended()
            try:
                self._start_next_task_if_locked()
            except Exception as error:
                self._tuner.give_up(error)

    def interrupt(self) -> None:
        """Report that the next interval is not a minibatch; see :class:`~lightning_powertrain.tuner.Tuner`."""
        if self._tuner is not None:
            self._tuner.interrupt()

    def give_up(self, error: Exception) -> None:
        """Report an error that prevents tuning. The workers restore their boards at the next round."""
        if self._tuner is not None:
            self._tuner.give_up(error)
        else:
            self._board.record_failure(error)

    def stop(self) -> None:
        """Restore the board of this process. Idempotent, and allowed at any time."""
        self._channel.close()
        try:
            if self._tuner is not None:
                self._tuner.stop()
        finally:
            self._board.restore()

    def _exchange_reports(self) -> None:
        """Begin a round: all processes send what they have measured."""
        reports = self._channel.all_gather(self._board.report())
        since_s = self._board.last_round_s
        self._board.synchronize(reports)
        assert self._task is not None
        self._task.boards.pollers.add_reports(reports, since_s)

    def _start_next_task_if_locked(self) -> None:
        assert self._task is not None
        assert self._tuner is not None
        outcome = self._tuner.outcome
        if self.phase is not Phase.LOCKED or self._task.is_last or outcome is None:
            return
        self._outcomes[self._task.boards.board.key] = outcome
        self._tuner.stop()
        assert self._tasks is not None
        self._start_task(self._tasks.send(outcome.selection))

    def _start_task(self, task: TuningTask) -> None:
        self._task = task
        self._tuner = self._make_tuner(task)
        if not self._hard_limit:  # Under a hard budget each task starts in the lowest mode.
            task.boards.apply_start_mode()
        self._tuner.start(minibatches=self._minibatches_left, **self._start_arguments)

    @contextmanager
    def _requests(self) -> Iterator[None]:
        """The part of a round in which the workers wait for requests; the end of the body ends the round."""
        failure = ""
        self._accepts_requests = True
        try:
            yield
        except Exception as error:
            failure = error_text(error)
            raise
        finally:
            self._accepts_requests = False
            if self._channel.is_open:
                self._end_round(failure)

    def _end_round(self, failure: str) -> None:
        is_over = bool(failure) or self.phase in (Phase.IDLE, Phase.LOCKED, Phase.CLOSED)
        keep_mode = is_over and not failure and self.phase is Phase.LOCKED
        try:
            self._channel.all_gather(EndOfTuning(failure, keep_mode) if is_over else EndOfRound())
        except Exception as error:
            if failure:
                log_swallowed("ending a round after a failure", error)
            else:
                self.give_up(error)
        if is_over:
            self._channel.stop()
            self._board.stop_sampling()

    def _send_request(self, request: Request) -> list[Reply]:
        """Send a request to all processes and return their replies.

        Outside a round the other processes do not listen: a request to restore is executed here only, and returns
        nothing.
        """
        if not (self._accepts_requests and self._channel.is_open):
            if request.mode is not None:
                raise PowerTrainError("a power mode of several boards can be set only during a round")
            self._board.restore()
            return []
        try:
            self._channel.all_gather(request)
            return self._channel.all_gather(self._board.execute(request))
        except BaseException:
            if request.mode is None:
                self._board.restore()
            raise

    def _groups(self, registrations: Sequence[Registration]) -> list[BoardGroup]:
        """The boards of each kind; the first group contains the board of this process."""
        drivers = {rank: each for rank, each in enumerate(registrations) if each.board is not None}
        if len({each.simulated for each in drivers.values()}) > 1:
            raise PowerTrainError(
                "this job mixes simulated and real boards; give all processes the same kind of device="
            )
        assert self._device is not None
        kinds: dict[object, dict[int, Registration]] = {}
        for rank, registration in drivers.items():
            kinds.setdefault(registration.kind, {})[rank] = registration
        return [BoardGroup(boards, self._device, self._send_request) for boards in kinds.values()]
