"""Writes what a tuner does to experiment loggers, whatever framework they belong to."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.logs import warn
from lightning_powertrain.profiling import Measurement
from lightning_powertrain.reporting.breakdown import breakdown_notes
from lightning_powertrain.reporting.displays import Display, Table, TensorBoardDisplay, display_of
from lightning_powertrain.reporting.figures import pareto_figure
from lightning_powertrain.reporting.tables import (
    choice_headings,
    choice_rows,
    energy_j,
    limits,
    marked,
    mode_table,
    notes,
    title,
)
from lightning_powertrain.reporting.writing import LoggerWriter, separated
from lightning_powertrain.tuning import Drift, Observer, Outcome, Phase, PlannedJob, Progress

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Names are part of the public interface: docs/logging.md lists them.
PHASE = "powertrain/phase"
SIMULATED = "powertrain/simulated"
MODE = "powertrain/mode/"
TIME_MS = "powertrain/time_ms"
POWER_W = "powertrain/power_w"
ENERGY_J = "powertrain/energy_j"
TEMPERATURE_C = "powertrain/temperature_c"
THROTTLED = "powertrain/throttled"
EXCESS = "powertrain/excess"
PREDICTED_TIME_MS = "powertrain/predicted_time_ms"
PREDICTED_POWER_W = "powertrain/predicted_power_w"
PREDICTED_ENERGY_J = "powertrain/predicted_energy_j"
PREDICTED_EXCESS = "powertrain/predicted_excess"
BUDGET_TIME_MS = "powertrain/budget_time_ms"
BUDGET_POWER_W = "powertrain/budget_power_w"
PROFILING_S = "powertrain/profiling_s"
DRIFT_TIME = "powertrain/drift_time"
DRIFT_POWER = "powertrain/drift_power"
CORRECTIONS = "powertrain/corrections"
JOB_HOURS = "powertrain/job_hours"
JOB_WH = "powertrain/job_wh"
EXPECTED_HOURS = "powertrain/expected_hours"
EXPECTED_WH = "powertrain/expected_wh"
CHANGE_HOURS = "powertrain/next_change_hours"
MODES_TABLE = "powertrain/modes"
CHOICE_TABLE = "powertrain/choice"
PHASES_TABLE = "powertrain/phases"
PARETO_FIGURE = "powertrain/pareto"

_LIMITS = {"time_ms": BUDGET_TIME_MS, "power_w": BUDGET_POWER_W}

CHARTS = {
    "minibatch time (ms)": [TIME_MS, PREDICTED_TIME_MS, BUDGET_TIME_MS],
    "power (W)": [POWER_W, PREDICTED_POWER_W, BUDGET_POWER_W, "power/power_w"],
    "minibatch energy (J)": [ENERGY_J, PREDICTED_ENERGY_J],
}
"""What belongs together: titles of charts, and patterns of the names in each. Those under power/ are PowerMonitor's.

TensorBoard smooths the lines of a chart and joins their points, so only what is continuous has one: tables show the
phases, the throttled windows, and the cores and clocks of each mode.
"""

COURSE_CHARTS = {
    "time of the job (h)": [JOB_HOURS, EXPECTED_HOURS],
    "energy of the job (Wh)": [JOB_WH, EXPECTED_WH],
}
"""The same of a job with a budget for the whole of it."""


class LoggerReporter(Observer):
    """Scalars to every logger; also tables and the Pareto figure to those that show them.

    A logger is anything with ``log_metrics(metrics, step=...)``. One that raises is left out from then on, with one
    warning. Hyper-parameters are left alone. Nothing is written once the tuner has closed, until it starts another job.

    Args:
        loggers: Gives the loggers; asked at each event.
        step: Gives the step that loggers put on their x-axis.
        simulated: Whether the figures come from a simulation; each set of scalars says so.
        has_course: Whether the budget is one for the whole job, whose course is then logged too.
    """

    def __init__(
        self,
        loggers: Callable[[], Sequence[Any]],
        step: Callable[[], int],
        *,
        simulated: bool,
        has_course: bool = False,
    ) -> None:
        self._writer = LoggerWriter(loggers, step, about="the power mode")
        # A table that fails is not worth the scalars.
        self._display_writer = LoggerWriter(self._writer.working, step, about="the tables of power modes")
        self._step = step
        self._simulated = simulated
        self._charts = {**CHARTS, **COURSE_CHARTS} if has_course else CHARTS
        self._phases: list[tuple[int, Phase]] = []
        self._budget: dict[str, float] = {}
        self._closed = False
        self._draws = True

    def phase_changed(self, phase: Phase) -> None:
        if phase is Phase.WARMING_UP:
            self._closed = False
            self._budget = {}
            self._phases = []
            self._display_writer.each(self._lay_out)
        # The predictor decides after each window: a table of that would be as long as the profile.
        if phase is not Phase.DECIDING and phase not in (before for _, before in self._phases[-1:]):
            self._phases.append((self._step(), phase))
        self._log_scalars({PHASE: phase})

    def measured(self, measurement: Measurement, progress: Progress) -> None:
        self._log_scalars(_measured_scalars(measurement))

    def selected(self, outcome: Outcome) -> None:
        selection = outcome.selection
        # From here on each set holds it: a line for whatever else shows power or time.
        self._budget = {_LIMITS[cost]: limit for cost, limit in limits(selection.objective).items()}
        self._log_scalars(
            {
                **_mode_scalars(selection.mode),
                PREDICTED_TIME_MS: selection.time_ms,
                PREDICTED_POWER_W: selection.power_w,
                PREDICTED_ENERGY_J: energy_j(selection.time_ms, selection.power_w),
                PREDICTED_EXCESS: selection.excess,
                PROFILING_S: outcome.profiling_s,
            }
        )
        self._show(outcome, {MODES_TABLE: _modes_table(outcome), CHOICE_TABLE: _choice_table(outcome)})

    def verified(self, outcome: Outcome) -> None:
        if outcome.corrections:
            self._log_scalars({CORRECTIONS: len(outcome.corrections), PROFILING_S: outcome.profiling_s})
        measured, excess = outcome.selection.measured, outcome.selection.measured_excess
        if measured is not None and excess is not None:
            self._log_scalars({**_measured_scalars(measured), EXCESS: excess})
        self._show(outcome, {CHOICE_TABLE: _choice_table(outcome), PHASES_TABLE: self._phases_table(outcome)})

    def _phases_table(self, outcome: Outcome) -> Table:
        rows = [(str(step), phase.name.lower().replace("_", " ")) for step, phase in self._phases]
        return Table(f"Phases: {title(outcome)}", ("from step", "phase"), rows)

    def drifted(self, drift: Drift) -> None:
        change = {DRIFT_TIME: drift.time_ratio - 1, DRIFT_POWER: drift.power_ratio - 1}
        self._log_scalars({**_measured_scalars(drift.now), **change})

    def planned(self, outcome: Outcome) -> None:
        if outcome.course is not None:
            self._log_scalars(_course_scalars(outcome.course.now))

    def closed(self) -> None:
        self._closed = True

    def _lay_out(self, logger: Any, step: int) -> None:
        display = display_of(logger)
        if isinstance(display, TensorBoardDisplay):
            display.lay_out(marked("powertrain", self._simulated), self._charts)

    def _log_scalars(self, scalars: Mapping[str, float]) -> None:
        if not self._closed:
            self._writer.scalars({SIMULATED: self._simulated, **self._budget, **scalars})

    def _show(self, outcome: Outcome, tables: Mapping[str, Table]) -> None:
        draw = functools.lru_cache(maxsize=None)(functools.partial(pareto_figure, outcome))

        def write(logger: Any, step: int) -> None:
            display = display_of(logger)
            if display is None:
                return
            for name, table in tables.items():
                display.table(separated(name, logger), table, step)
            self._add_figure(display, separated(PARETO_FIGURE, logger), draw, step)

        if not self._closed:
            self._display_writer.each(write)

    def _add_figure(self, display: Display, name: str, draw: Callable[[], Figure], step: int) -> None:
        """Draw, or say once why that is not possible: a figure is not worth the tables."""
        if not self._draws:
            return
        try:
            display.figure(name, draw(), step)
        except Exception as error:
            self._draws = False
            warn("no Pareto figure: %s", error, see="logging.md")


def _measured_scalars(measurement: Measurement) -> dict[str, float]:
    return {
        **_mode_scalars(measurement.mode),
        TIME_MS: measurement.time_ms,
        POWER_W: measurement.power_w,
        ENERGY_J: energy_j(measurement.time_ms, measurement.power_w),
        THROTTLED: bool(measurement.throttled_by),
        **({} if measurement.temperature_c is None else {TEMPERATURE_C: measurement.temperature_c}),
    }


def _course_scalars(now: PlannedJob) -> dict[str, float]:
    change = {} if now.change_s is None else {CHANGE_HOURS: now.change_s / 3600}
    return {
        **_mode_scalars(now.mode),
        JOB_HOURS: now.spent.seconds / 3600,
        JOB_WH: now.spent.joules / 3600,
        EXPECTED_HOURS: now.total.seconds / 3600,
        EXPECTED_WH: now.total.joules / 3600,
        **change,
    }


def _mode_scalars(mode: PowerMode) -> dict[str, float]:
    return {MODE + name: value for name, value in mode.items()}


def _modes_table(outcome: Outcome) -> Table:
    return Table(f"Measured power modes: {title(outcome)}", *mode_table(outcome))


def _choice_table(outcome: Outcome) -> Table:
    lines = [*notes(outcome), *breakdown_notes(outcome)]
    return Table(f"Power mode: {title(outcome)}", choice_headings(outcome), choice_rows(outcome.selection), lines)
