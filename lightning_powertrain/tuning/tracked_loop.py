"""What ``Tuner.track`` does: iterates over a data loader, and reports each minibatch to the tuner."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol, TypeVar

from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.profiling import Profile
from lightning_powertrain.tuning.history import History
from lightning_powertrain.tuning.outcome import Outcome
from lightning_powertrain.tuning.phase import Phase

Batch = TypeVar("Batch")


class LoopTuner(Protocol):
    """What a tracked loop calls; see :class:`~lightning_powertrain.tuner.Tuner`."""

    @property
    def phase(self) -> Phase: ...

    @property
    def outcome(self) -> Outcome | None: ...

    @property
    def reusable_profile(self) -> Profile | None: ...

    def start(self, *, minibatches: int | None, prefetched: int, workers: int | None, workload: str) -> object: ...

    def warm_start(self, history: History) -> None: ...

    def minibatch_started(self) -> None: ...

    def minibatch_ended(self, *, cycle_complete: bool) -> None: ...

    def interrupt(self) -> None: ...

    def stop(self) -> None: ...


class TrackedLoop:
    """Reports the minibatches of one training loop after another to a tuner.

    A job is ``epochs`` passes over a loader. The tuner starts with the first pass and stops after the last one, or once
    a pass is left early. A loop inside a pass, such as validation, only interrupts it. A tuner that was already started
    is neither started nor stopped.

    Args:
        tuner: The tuner.
    """

    def __init__(self, tuner: LoopTuner) -> None:
        self._tuner = tuner
        self._is_in_pass = False
        self._passes_left = 0
        self._starts_and_stops = False

    def passes(
        self, loader: Iterable[Batch], *, epochs: int, minibatches: int | None, accumulate: int, workload: str
    ) -> Iterator[Batch]:
        """The minibatches of one pass; arguments as of ``Tuner.track``.

        Raises:
            ArgumentError: If an argument is not valid.
        """
        _check_count("epochs", epochs)
        _check_count("accumulate", accumulate)
        if minibatches is not None:
            _check_count("minibatches", minibatches)
        length = _length(loader)
        if minibatches is None and length is not None:
            minibatches = epochs * length
        return self._pass(loader, length, epochs, minibatches, accumulate, workload)

    def _pass(
        self,
        loader: Iterable[Batch],
        length: int | None,
        epochs: int,
        minibatches: int | None,
        accumulate: int,
        workload: str,
    ) -> Iterator[Batch]:
        if self._is_in_pass:
            self._tuner.interrupt()
            yield from loader
            return
        is_complete, self._is_in_pass = False, True
        try:
            if not self._passes_left:
                self._passes_left = epochs
                self._start(minibatches, loader, workload)
            yield from self._reported(loader, length, accumulate)
            is_complete = True
        finally:
            # After a `break` or an error in the loop, Python closes this generator, and that ends the job.
            self._is_in_pass = False
            self._passes_left = self._passes_left - 1 if is_complete else 0
            if self._starts_and_stops and not self._passes_left:
                self._tuner.stop()

    def _reported(self, loader: Iterable[Batch], length: int | None, accumulate: int) -> Iterator[Batch]:
        for number, batch in enumerate(loader, start=1):
            self._tuner.minibatch_started()
            yield batch
            is_last = number == length
            if is_last:
                self._tuner.interrupt()  # The last minibatch may be a short one.
            self._tuner.minibatch_ended(cycle_complete=is_last or number % accumulate == 0)
        self._tuner.interrupt()  # The edge of an epoch is no minibatch.

    def _start(self, minibatches: int | None, loader: object, workload: str) -> None:
        self._starts_and_stops = self._tuner.phase in (Phase.IDLE, Phase.CLOSED)
        if self._starts_and_stops:
            history = self._history()
            workers = getattr(loader, "num_workers", None)
            self._tuner.start(
                minibatches=minibatches, prefetched=_prefetched(loader), workers=workers, workload=workload
            )
            if history is not None:
                self._tuner.warm_start(history)

    def _history(self) -> History | None:
        """What earlier passes measured, so that a job that was left early need not begin at the beginning."""
        profile, outcome = self._tuner.reusable_profile, self._tuner.outcome
        if profile is None:
            return None
        kept = outcome.selection.mode if outcome is not None and outcome.selection.measured else None
        return History(profile, "the loop before", finished=outcome is not None, kept=kept)


def _check_count(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ArgumentError.of(name, value, "a whole number from 1 up")


def _length(loader: Any) -> int | None:
    """Minibatches of a pass; None for a generator, or for a data set without a length."""
    try:
        return len(loader)
    except (TypeError, NotImplementedError):
        return None


def _prefetched(loader: object) -> int:
    """Minibatches that the workers of a loader keep ready."""
    return (getattr(loader, "num_workers", None) or 0) * (getattr(loader, "prefetch_factor", None) or 0)
