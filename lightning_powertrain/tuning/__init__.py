"""Moves a device through power modes during a training job, and locks the best one."""

from lightning_powertrain.tuning.checks import check_device, check_predictor, check_seed, check_switches
from lightning_powertrain.tuning.drift import Drift
from lightning_powertrain.tuning.history import REUSED_FROM, History
from lightning_powertrain.tuning.observers import Observer, Progress
from lightning_powertrain.tuning.outcome import Correction, Outcome
from lightning_powertrain.tuning.phase import Phase
from lightning_powertrain.tuning.plan import check_hard, check_modes, check_precision, check_share
from lightning_powertrain.tuning.status import Status
from lightning_powertrain.tuning.tuner import Tuner

__all__ = [
    "REUSED_FROM",
    "Correction",
    "Drift",
    "History",
    "Observer",
    "Outcome",
    "Phase",
    "Progress",
    "Status",
    "Tuner",
    "check_device",
    "check_hard",
    "check_modes",
    "check_precision",
    "check_predictor",
    "check_seed",
    "check_share",
    "check_switches",
]
