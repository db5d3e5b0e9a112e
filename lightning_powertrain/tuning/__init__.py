"""Moves a device through power modes during a training job, and locks the best one."""

from lightning_powertrain.tuning.checks import check_device, check_predictor, check_seed, check_switches
from lightning_powertrain.tuning.events import Correction, Observer, Outcome, Phase, Progress
from lightning_powertrain.tuning.known import Known
from lightning_powertrain.tuning.plan import check_hard, check_modes, check_precision, check_share
from lightning_powertrain.tuning.status import Status
from lightning_powertrain.tuning.tuner import Tuner
from lightning_powertrain.tuning.watch import Drift

__all__ = [
    "Correction",
    "Drift",
    "Known",
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
