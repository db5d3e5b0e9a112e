"""Observers of a session: the base class, and the list that notifies them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.logs import warn
from lightning_powertrain.profiling import Measurement
from lightning_powertrain.tuning.drift import Drift
from lightning_powertrain.tuning.history import History
from lightning_powertrain.tuning.outcome import Outcome
from lightning_powertrain.tuning.phase import Phase


@dataclass(frozen=True)
class Progress:
    """How far profiling is.

    Args:
        done: Sampled modes measured so far.
        total: Sampled modes to measure in all.
        seconds_left: Expected time of the rest on the device's clock, with verifications and computing.
        seconds_spent: Time that profiling has taken so far.
        most_seconds_left: Time that the rest takes at most; None if it is known well enough when profiling ends.
        is_open: Whether profiling may end before that many, as soon as the choice is settled.
    """

    done: int
    total: int
    seconds_left: float
    seconds_spent: float = 0.0
    most_seconds_left: float | None = None
    is_open: bool = False


class Observer:
    """Watches a tuner. Subclass it and override what you need; each method is called from the training process."""

    def phase_changed(self, phase: Phase) -> None:
        """The tuner went on to another phase."""

    def warm_started(self, history: History) -> None:
        """Measurements from before are used. They may yet be dropped, if what is measured now contradicts them."""

    def measured(self, measurement: Measurement, progress: Progress) -> None:
        """A mode was measured: first the one the job started in (``progress.done == 0``), then each sampled one.

        If the board throttled meanwhile (``measurement.throttled_by``), the measurement does not count.
        """

    def selected(self, outcome: Outcome) -> None:
        """A mode was chosen: one that is set and has yet to be measured, or the best measured one if none needs trying.

        Comes again if the mode did not keep what was predicted of it.
        """

    def board_warming(self, mode: PowerMode, most_s: float) -> None:
        """Training continues in a mode for up to ``most_s`` seconds, to see what it draws on a warm board.

        Comes only where it may draw more than the limit then. The choice is final afterwards.
        """

    def verified(self, outcome: Outcome) -> None:
        """A measured mode (``outcome.selection.measured``) was found the best and stays."""

    def ended_early(self, sentence: str) -> None:
        """The job ended before a mode was chosen. The sentence says so, and how much was measured."""

    def drifted(self, drift: Drift) -> None:
        """The locked mode is not what it was, for good: a correction begins, which ends with :meth:`verified`."""

    def planned(self, outcome: Outcome) -> None:
        """The plan of a job with a budget for the whole of it was made anew: ``outcome.course.now`` holds it.

        Comes after :meth:`verified`, and then about 200 times in a job. The mode may be another one since.
        """

    def closed(self) -> None:
        """The tuner has stopped, for whatever reason; may come twice."""


class ObserverList(Observer):
    """Notifies several observers, in order. One that fails is removed, with one warning.

    Args:
        observers: The observers.
        strict: Raise what an observer raises.
    """

    def __init__(self, observers: Sequence[Observer], strict: bool) -> None:
        self._observers = list(observers)
        self._strict = strict
        self._closings = 0

    def phase_changed(self, phase: Phase) -> None:
        self._notify(lambda observer: observer.phase_changed(phase))

    def warm_started(self, history: History) -> None:
        self._notify(lambda observer: observer.warm_started(history))

    def measured(self, measurement: Measurement, progress: Progress) -> None:
        self._notify(lambda observer: observer.measured(measurement, progress))

    def selected(self, outcome: Outcome) -> None:
        self._notify(lambda observer: observer.selected(outcome))

    def board_warming(self, mode: PowerMode, most_s: float) -> None:
        self._notify(lambda observer: observer.board_warming(mode, most_s))

    def verified(self, outcome: Outcome) -> None:
        self._notify(lambda observer: observer.verified(outcome))

    def ended_early(self, sentence: str) -> None:
        self._notify(lambda observer: observer.ended_early(sentence))

    def drifted(self, drift: Drift) -> None:
        self._notify(lambda observer: observer.drifted(drift))

    def planned(self, outcome: Outcome) -> None:
        self._notify(lambda observer: observer.planned(outcome))

    def closed(self) -> None:
        self._closings += 1
        self._notify(lambda observer: observer.closed())

    def _notify(self, call: Callable[[Observer], None]) -> None:
        closings = self._closings
        for observer in tuple(self._observers):
            if self._closings != closings:
                return  # An observer has stopped the tuner meanwhile: the others were notified of that.
            try:
                call(observer)
            except Exception as error:
                if self._strict:
                    raise
                self._observers.remove(observer)
                what = "%s failed and will no longer be notified: %r"
                warn(what, type(observer).__name__, error, see="troubleshooting.md#loggers-and-files")
