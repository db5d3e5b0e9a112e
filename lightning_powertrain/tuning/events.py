"""What a tuner tells those who watch it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal

from lightning_powertrain.boards import ModeSpace, PowerMode
from lightning_powertrain.profiling import Measurement, Profile
from lightning_powertrain.selection import Selection
from lightning_powertrain.tuning.forecast import Forecast
from lightning_powertrain.tuning.known import Known
from lightning_powertrain.tuning.watch import Drift
from lightning_powertrain.warning import warn


class Phase(IntEnum):
    """Where a tuner stands. The numbers are what loggers show."""

    OFF = 0
    """The board is left alone: before the job, after it, or because tuning was not possible."""
    WARMING_UP = 1
    """The job runs in the mode that it started in, which is measured."""
    PROFILING = 2
    """The job runs in sampled modes, one after the other."""
    FITTING = 3
    """The predictor learns from what was measured."""
    VERIFYING = 4
    """The chosen mode is set, and measured."""
    LOCKED = 5
    """The chosen mode stays to the end of the job, or until what it costs has moved for good."""


@dataclass(frozen=True)
class Progress:
    """How far profiling is.

    Args:
        done: Sampled modes measured so far.
        total: Sampled modes to measure in all.
        seconds_left: Time that the rest will take, on the device's clock.
        is_open: Whether profiling may end before that many, as soon as the choice is settled.
    """

    done: int
    total: int
    seconds_left: float
    is_open: bool = False


Action = Literal["kept", "chosen again", "profiled again"]


@dataclass(frozen=True)
class Correction:
    """What was done about a drift.

    Args:
        drift: What had moved.
        action: Whether the mode was kept, or chosen again with corrected predictions, or after a short new profile.
        mode: The mode that stays since.
        seconds: What the correction took, on the device's clock.
    """

    drift: Drift
    action: Action
    mode: PowerMode
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """All that tuning found out.

    Args:
        modes: The modes of the board.
        profile: What was measured: the mode that the job started in, the sampled ones, and the chosen ones that were
            tried. After a correction only what was measured since the drift, first the mode that had been locked (or,
            after a new profile, the mode that the job started in): the rest is no measure of this job any more.
        forecast: What the predictor makes of the other modes, computed when it is asked for.
        selection: The choice.
        profiling_s: Seconds that profiling took, on the device's clock, without validation and other interruptions.
        reused: Modes of the profile that were measured before this job, and not again.
        corrections: What was done about drifts since the first lock, oldest first.
    """

    modes: ModeSpace
    profile: Profile
    forecast: Forecast
    selection: Selection
    profiling_s: float
    reused: frozenset[PowerMode] = frozenset()
    corrections: tuple[Correction, ...] = ()

    @property
    def sampled(self) -> tuple[Measurement, ...]:
        """What was measured besides the mode that the job started in; nothing that was measured while throttled."""
        return self.profile.besides(self.selection.start)

    @property
    def measured_now(self) -> tuple[Measurement, ...]:
        """What was measured in this job besides the start; nothing that was measured while throttled."""
        return tuple(each for each in self.sampled if each.mode not in self.reused)

    @property
    def simulated(self) -> bool:
        """Whether the figures come from a simulation; whatever shows them must say so."""
        return self.profile.provenance.simulated

    def __str__(self) -> str:
        """What fits on a screen: the choice, the start, the budget, and what profiling took."""
        selection, start = self.selection, self.selection.start
        measured = selection.measured
        lines = [
            f"Power mode: {selection.mode}",
            f"expected: {selection.time_ms:.4g} ms a minibatch, {selection.power_w:.3g} W",
            "not measured" if measured is None else f"measured: {measured.time_ms:.4g} ms, {measured.power_w:.3g} W",
            f"start: {start.time_ms:.4g} ms, {start.power_w:.3g} W ({start.mode})",
            f"budget: {selection.objective}",
            f"profiling: {len(self.measured_now)} power modes in {self.profiling_s:.0f} s",
            *(f"correction: {each.action}, {each.mode}" for each in self.corrections),
        ]
        return "\n".join(lines) + ("\nsimulated figures" if self.simulated else "")


class Observer:
    """Watches a tuner. Subclass it and override what you need; each method is called from the training process."""

    def phase_changed(self, phase: Phase) -> None:
        """The tuner went on to another phase."""

    def recalled(self, known: Known) -> None:
        """Measurements from before are used. They may yet be dropped, if what is measured now contradicts them."""

    def measured(self, measurement: Measurement, progress: Progress) -> None:
        """A mode was measured: first the one the job started in (``progress.done == 0``), then each sampled one.

        If the board throttled meanwhile (``measurement.throttled_by``), the measurement does not count.
        """

    def selected(self, outcome: Outcome) -> None:
        """A mode was chosen: one that is set and has yet to be measured, or the best measured one if none needs trying.

        Comes again if the mode did not keep what was predicted of it.
        """

    def verified(self, outcome: Outcome) -> None:
        """A measured mode (``outcome.selection.measured``) was found the best and stays."""

    def ended_early(self, sentence: str) -> None:
        """The job ended before a mode was chosen. The sentence says so, and how much was measured."""

    def drifted(self, drift: Drift) -> None:
        """The locked mode is not what it was, for good: a correction begins, which ends with :meth:`verified`."""

    def closed(self) -> None:
        """The tuner has stopped, for whatever reason; may come twice."""


class Audience:
    """All observers of a tuner. One that fails is left out from then on, with one warning.

    Args:
        observers: The observers.
        strict: Raise what an observer raises.
    """

    def __init__(self, observers: Sequence[Observer], strict: bool) -> None:
        self._observers = list(observers)
        self._strict = strict
        self._closings = 0
        self.phase = Phase.OFF
        """The phase that was told last."""

    def tell(self, event: str, *facts: Any) -> None:
        """Call the method ``event`` of every observer with ``facts``."""
        if event == "phase_changed":
            (self.phase,) = facts
        self._closings += event == "closed"
        closings = self._closings
        for observer in tuple(self._observers):
            if self._closings != closings:
                return  # An observer has stopped the tuner meanwhile: for all others it is over.
            try:
                getattr(observer, event)(*facts)
            except Exception as error:
                if self._strict:
                    raise
                self._observers.remove(observer)
                what = "%s failed and is left out from here on: %r"
                warn(what, type(observer).__name__, error, see="troubleshooting.md#loggers-and-files")
