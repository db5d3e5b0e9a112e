"""Writes what a tuner does to experiment loggers, whatever framework they belong to."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.profiling import Measurement
from lightning_powertrain.reporting.figures import pareto_figure
from lightning_powertrain.reporting.tables import (
    CHOICE_HEADINGS,
    choice_rows,
    energy_j,
    markdown_table,
    mode_table,
    notes,
    title,
)
from lightning_powertrain.reporting.writing import LoggerWriter
from lightning_powertrain.tuning.events import Observer, Outcome, Phase, Progress
from lightning_powertrain.tuning.watch import Drift

_log = logging.getLogger("lightning_powertrain")

# Names are part of the public interface: docs/logging.md lists them.
PHASE = "powertrain/phase"
SIMULATED = "powertrain/simulated"
MODE = "powertrain/mode/"
TIME_MS = "powertrain/time_ms"
POWER_W = "powertrain/power_w"
ENERGY_J = "powertrain/energy_j"
THROTTLED = "powertrain/throttled"
EXCESS = "powertrain/excess"
PREDICTED_TIME_MS = "powertrain/predicted_time_ms"
PREDICTED_POWER_W = "powertrain/predicted_power_w"
PREDICTED_ENERGY_J = "powertrain/predicted_energy_j"
PREDICTED_EXCESS = "powertrain/predicted_excess"
PROFILING_S = "powertrain/profiling_s"
DRIFT_TIME = "powertrain/drift_time"
DRIFT_POWER = "powertrain/drift_power"
CORRECTIONS = "powertrain/corrections"
MODES_TABLE = "powertrain/modes"
CHOICE_TABLE = "powertrain/choice"
PARETO_FIGURE = "powertrain/pareto"


class LoggerReporter(Observer):
    """Scalars to every logger; to those of TensorBoard also tables and the Pareto figure.

    A logger is anything with ``log_metrics(metrics, step=...)``. One that raises is left out from then on, with one
    warning. Hyper-parameters are left alone. Nothing is written once the tuner has closed, until it starts another job.

    Args:
        loggers: Gives the loggers; asked at each event.
        step: Gives the step that loggers put on their x-axis.
        simulated: Whether the figures come from a simulation; each set of scalars says so.
    """

    def __init__(self, loggers: Callable[[], Sequence[Any]], step: Callable[[], int], *, simulated: bool) -> None:
        self._writer = LoggerWriter(loggers, step, about="the power mode")
        self._simulated = simulated
        self._closed = False
        self._draws = True

    def phase_changed(self, phase: Phase) -> None:
        if phase is Phase.WARMING_UP:
            self._closed = False
        self._log_scalars({PHASE: phase})

    def measured(self, measurement: Measurement, progress: Progress) -> None:
        self._log_scalars(_measured_scalars(measurement))

    def selected(self, outcome: Outcome) -> None:
        selection = outcome.selection
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
        self._log_report(outcome, {MODES_TABLE: _modes_markdown(outcome), CHOICE_TABLE: _choice_markdown(outcome)})

    def verified(self, outcome: Outcome) -> None:
        if outcome.corrections:
            self._log_scalars({CORRECTIONS: len(outcome.corrections), PROFILING_S: outcome.profiling_s})
        measured, excess = outcome.selection.measured, outcome.selection.measured_excess
        if measured is not None and excess is not None:
            self._log_scalars({**_measured_scalars(measured), EXCESS: excess})
        self._log_report(outcome, {CHOICE_TABLE: _choice_markdown(outcome)})

    def drifted(self, drift: Drift) -> None:
        change = {DRIFT_TIME: drift.time_ratio - 1, DRIFT_POWER: drift.power_ratio - 1}
        self._log_scalars({**_measured_scalars(drift.now), **change})

    def closed(self) -> None:
        self._closed = True

    def _log_scalars(self, scalars: Mapping[str, float]) -> None:
        if not self._closed:
            self._writer.scalars({SIMULATED: self._simulated, **scalars})

    def _log_report(self, outcome: Outcome, tables: Mapping[str, str]) -> None:
        def write(logger: Any, step: int) -> None:
            experiment = _tensorboard(logger)
            if experiment is None:
                return
            for name, text in tables.items():
                experiment.add_text(name, text, step)
            self._add_figure(experiment, outcome, step)

        if not self._closed:
            self._writer.each(write)

    def _add_figure(self, experiment: Any, outcome: Outcome, step: int) -> None:
        """Draw, or say once why that is not possible: a figure is not worth a logger."""
        if not self._draws:
            return
        try:
            experiment.add_figure(PARETO_FIGURE, pareto_figure(outcome), step, close=False)
        except Exception as error:
            self._draws = False
            _log.warning("No Pareto figure: %s", error)


def _measured_scalars(measurement: Measurement) -> dict[str, float]:
    return {
        **_mode_scalars(measurement.mode),
        TIME_MS: measurement.time_ms,
        POWER_W: measurement.power_w,
        ENERGY_J: energy_j(measurement.time_ms, measurement.power_w),
        THROTTLED: bool(measurement.throttled_by),
    }


def _mode_scalars(mode: PowerMode) -> dict[str, float]:
    return {MODE + name: value for name, value in mode.items()}


def _modes_markdown(outcome: Outcome) -> str:
    return f"**Measured power modes: {title(outcome)}**\n\n{markdown_table(*mode_table(outcome))}"


def _choice_markdown(outcome: Outcome) -> str:
    table = markdown_table(CHOICE_HEADINGS, choice_rows(outcome.selection))
    return "\n\n".join([f"**Power mode: {title(outcome)}**", table, *notes(outcome)])


def _tensorboard(logger: Any) -> Any | None:
    """The summary writer behind a TensorBoard logger, or None for any other logger."""
    experiment = getattr(logger, "experiment", None)
    # Asked of the class: dummies and mocks answer to any name, but only as objects.
    kind = type(experiment)
    return experiment if hasattr(kind, "add_text") and hasattr(kind, "add_figure") else None
