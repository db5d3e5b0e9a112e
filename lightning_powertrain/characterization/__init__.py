"""Measures power modes spread over a whole board, unattended, with a workload that it trains itself.

What results is a profile from which a reference can be fitted.
"""

from lightning_powertrain.characterization.characterize import Characterization, characterize
from lightning_powertrain.characterization.plan import DEFAULT_MINUTES, DEFAULT_MODES, CharacterizationPlan
from lightning_powertrain.characterization.self_check import SelfCheck, check_profile
from lightning_powertrain.characterization.survey import Stage
from lightning_powertrain.characterization.training import Training, find_training, wake_gpu

__all__ = [
    "DEFAULT_MINUTES",
    "DEFAULT_MODES",
    "Characterization",
    "CharacterizationPlan",
    "SelfCheck",
    "Stage",
    "Training",
    "characterize",
    "check_profile",
    "find_training",
    "wake_gpu",
]
