"""Moves a device through power modes during a training job, and locks the best one."""

from lightning_powertrain.tuning.advice import Advice
from lightning_powertrain.tuning.breakdown import Breakdown
from lightning_powertrain.tuning.drift import Drift
from lightning_powertrain.tuning.energy_rates import EnergyRates
from lightning_powertrain.tuning.forecast import Forecast
from lightning_powertrain.tuning.history import REUSED_FROM, History
from lightning_powertrain.tuning.job_ledger import Spent
from lightning_powertrain.tuning.job_plan import JobRecord, PlannedJob
from lightning_powertrain.tuning.observers import Observer, Progress
from lightning_powertrain.tuning.options import ProfilingOptions
from lightning_powertrain.tuning.outcome import Correction, Outcome
from lightning_powertrain.tuning.phase import Phase
from lightning_powertrain.tuning.status import Status

__all__ = [
    "REUSED_FROM",
    "Advice",
    "Breakdown",
    "Correction",
    "Drift",
    "EnergyRates",
    "Forecast",
    "History",
    "JobRecord",
    "Observer",
    "Outcome",
    "Phase",
    "PlannedJob",
    "ProfilingOptions",
    "Progress",
    "Spent",
    "Status",
]
