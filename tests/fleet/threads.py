"""The processes of a job as threads of one, for what needs no real ones."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from lightning_powertrain.devices import Device
from lightning_powertrain.fleet import Leader, Member, Task
from lightning_powertrain.selection import parse_budget
from lightning_powertrain.tuning import Phase, Tuner

AFTERWARDS = 20


class ThreadPeers:
    """Gathers over a barrier; one that leaves without a word breaks it for all, as a dead process does."""

    def __init__(self, rank: int, barrier: threading.Barrier, board: list[Any]) -> None:
        self.rank = rank
        self.gathers = 0
        self._barrier = barrier
        self._board = board

    def gather(self, mine: Any) -> list[Any]:
        self.gathers += 1
        self._board[self.rank] = mine
        self._barrier.wait(timeout=20)
        everyone = list(self._board)
        self._barrier.wait(timeout=20)
        return everyone

    def close(self) -> None: ...

    def die(self) -> None:
        self._barrier.abort()


class Job:
    """Trains on several boards, each in a thread of its own.

    Args:
        devices: Their boards, by rank; None for a process that drives none.
        budget: Of each board.
        tuning: Options of the Tuner.
    """

    def __init__(self, devices: Sequence[Device | None], budget: Any, **tuning: Any) -> None:
        barrier, board = threading.Barrier(len(devices)), [None] * len(devices)
        self.peers = [ThreadPeers(rank, barrier, board) for rank in range(len(devices))]
        strict = bool(tuning.get("strict"))

        predictor = tuning.pop("predictor")

        def make(task: Task) -> Tuner:
            boards = task.boards
            knows = predictor[boards.board.key] if isinstance(predictor, dict) else predictor
            sought = budget if task.objective is None else task.objective
            return Tuner(boards, sought, samplers=boards.samplers, predictor=knows, **tuning)

        self.leader = Leader(self.peers[0], devices[0], make, objective=parse_budget(budget), strict=strict)
        members = [Member(peers, device, strict=strict) for peers, device in zip(self.peers[1:], devices[1:])]
        self.parts: list[Leader | Member] = [self.leader, *members]
        self.length: int | None = None
        self.errors: list[Exception | None] = [None] * len(devices)

    def run(self, minibatches: int, on_minibatch: Callable[[int, int], object] = lambda rank, minibatch: None) -> None:
        """Start all parts, and train for at most so many minibatches: a few more once there are no more meetings.

        ``on_minibatch`` is called at the end of each.
        """

        def work(rank: int) -> None:
            try:
                self.parts[rank].start(minibatches=self.length)
                alone = 0
                for minibatch in range(minibatches):
                    gathers = self.peers[rank].gathers
                    on_minibatch(rank, minibatch)
                    self.parts[rank].minibatch_ended()
                    alone = alone + 1 if self.peers[rank].gathers == gathers else 0
                    if alone == AFTERWARDS:
                        break
            except Exception as error:
                self.errors[rank] = error

        threads = [threading.Thread(target=work, args=(rank,)) for rank in range(len(self.parts))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def stop(self) -> None:
        for part in self.parts:
            part.stop()

    @property
    def is_locked(self) -> bool:
        return self.leader.phase is Phase.LOCKED
