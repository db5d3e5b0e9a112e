"""A job with several boards, each process of which is a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from fakes import arguments

from lightning_powertrain.devices import BaseDevice
from lightning_powertrain.distributed import Coordinator, TuningTask, Worker
from lightning_powertrain.selection import parse_budget
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Phase

MINIBATCHES_AFTER_TUNING = 20


class ThreadCommunicator:
    """All-gather between threads, over a barrier."""

    def __init__(self, rank: int, barrier: threading.Barrier, shared: list[Any]) -> None:
        self.rank = rank
        self.exchanges = 0
        self._barrier = barrier
        self._shared = shared

    def all_gather(self, value: Any) -> list[Any]:
        self.exchanges += 1
        self._shared[self.rank] = value
        self._barrier.wait(timeout=20)
        values = list(self._shared)
        self._barrier.wait(timeout=20)
        return values

    def close(self) -> None: ...

    def abort(self) -> None:
        """Make every exchange fail, as the end of a process does."""
        self._barrier.abort()


class ThreadedJob:
    """Trains on several boards, each in a thread.

    Args:
        devices: The boards by rank; None for a process that drives none.
        budget: The budget of each board.
        tuning: Other arguments of the Tuner.
    """

    def __init__(self, devices: Sequence[BaseDevice | None], budget: Any, **tuning: Any) -> None:
        barrier, shared = threading.Barrier(len(devices)), [None] * len(devices)
        self.communicators = [ThreadCommunicator(rank, barrier, shared) for rank in range(len(devices))]
        strict = bool(tuning.get("strict"))
        predictor = tuning.pop("predictor")

        def make_tuner(task: TuningTask) -> Tuner:
            boards = task.boards
            own_predictor = predictor[boards.board.key] if isinstance(predictor, dict) else predictor
            objective = budget if task.objective is None else task.objective
            given = arguments(pollers=boards.pollers, predictor=own_predictor, **tuning)
            return Tuner(objective, device=boards, verbose=False, **given)

        self.coordinator = Coordinator(
            self.communicators[0], devices[0], make_tuner, budget=parse_budget(budget), strict=strict
        )
        pairs = zip(self.communicators[1:], devices[1:])
        workers = [Worker(communicator, device, strict=strict) for communicator, device in pairs]
        self.tuners: list[Coordinator | Worker] = [self.coordinator, *workers]
        self.length: int | None = None
        self.errors: list[Exception | None] = [None] * len(devices)

    def run(self, minibatches: int, on_minibatch: Callable[[int, int], object] = lambda rank, minibatch: None) -> None:
        """Train, until tuning has ended or for at most ``minibatches``.

        ``on_minibatch`` is called at the end of each minibatch.
        """

        def work(rank: int) -> None:
            try:
                self.tuners[rank].start(minibatches=self.length)
                without_exchange = 0
                for minibatch in range(minibatches):
                    exchanges = self.communicators[rank].exchanges
                    on_minibatch(rank, minibatch)
                    self.tuners[rank].minibatch_ended()
                    is_idle = self.communicators[rank].exchanges == exchanges
                    without_exchange = without_exchange + 1 if is_idle else 0
                    if without_exchange == MINIBATCHES_AFTER_TUNING:
                        break
            except Exception as error:
                self.errors[rank] = error

        threads = [threading.Thread(target=work, args=(rank,)) for rank in range(len(self.tuners))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def stop(self) -> None:
        for tuner in self.tuners:
            tuner.stop()

    @property
    def is_locked(self) -> bool:
        return self.coordinator.phase is Phase.LOCKED
