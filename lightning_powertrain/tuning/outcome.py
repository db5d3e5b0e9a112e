"""What a session found out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from lightning_powertrain.boards import ModeSpace, PowerMode
from lightning_powertrain.profiling import Measurement, Profile
from lightning_powertrain.selection import Selection
from lightning_powertrain.tuning.advice import Advice, advice
from lightning_powertrain.tuning.breakdown import Breakdown
from lightning_powertrain.tuning.drift import Drift
from lightning_powertrain.tuning.energy_rates import EnergyRates
from lightning_powertrain.tuning.forecast import Forecast
from lightning_powertrain.tuning.job_plan import JobRecord
from lightning_powertrain.tuning.job_totals import job_totals

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
        minibatches: Length of the job; None if not known, and with a budget for the whole of it: see ``course``.
        rates: Price and carbon intensity of the energy, as far as the user gave them.
        course: The course of a job with a budget for the whole of it; None without one, and before the first plan.
    """

    modes: ModeSpace
    profile: Profile
    forecast: Forecast
    selection: Selection
    profiling_s: float
    reused: frozenset[PowerMode] = frozenset()
    corrections: tuple[Correction, ...] = ()
    minibatches: int | None = None
    rates: EnergyRates = field(default_factory=EnergyRates)
    course: JobRecord | None = None

    @property
    def sampled(self) -> tuple[Measurement, ...]:
        """What was measured besides the mode that the job started in; nothing that was measured while throttled."""
        return self.profile.besides(self.selection.start)

    @property
    def measured_now(self) -> tuple[Measurement, ...]:
        """What was measured in this job besides the start; nothing that was measured while throttled."""
        return tuple(each for each in self.sampled if each.mode not in self.reused)

    @property
    def start_breakdown(self) -> Breakdown:
        """Where time and power go in the start mode; empty where its window did not show it."""
        return Breakdown.of(self.selection.start, self.profile.provenance)

    @property
    def chosen_breakdown(self) -> Breakdown:
        """The same in the chosen mode; empty also as long as that was not measured."""
        measured = self.selection.measured
        return Breakdown() if measured is None else Breakdown.of(measured, self.profile.provenance)

    @property
    def advice(self) -> tuple[Advice, ...]:
        """What would make the job faster in the chosen mode, beyond its clocks; nothing without evidence."""
        measured = self.selection.measured
        return () if measured is None else advice(measured, self.profile.provenance)

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
            *self._job_lines(),
            *(f"correction: {each.action}, {each.mode}" for each in self.corrections),
            *(f"advice: {each.text}" for each in self.advice),
        ]
        return "\n".join(lines) + ("\nsimulated figures" if self.simulated else "")

    def _job_lines(self) -> Iterator[str]:
        totals = job_totals(self)
        if totals is not None:
            yield f"whole job: {totals.chosen} instead of {totals.start} in the start mode"
