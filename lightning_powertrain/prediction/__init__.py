"""What the modes that were not measured would cost."""

from lightning_powertrain.prediction.bundled import load_reference, reference_names
from lightning_powertrain.prediction.default import DEFAULT_REFERENCE, default_predictor
from lightning_powertrain.prediction.grey_box_transfer import GreyBoxTransfer
from lightning_powertrain.prediction.predictor import Prediction, Predictor
from lightning_powertrain.prediction.reference import Reference, fit_reference

__all__ = [
    "DEFAULT_REFERENCE",
    "GreyBoxTransfer",
    "Prediction",
    "Predictor",
    "Reference",
    "default_predictor",
    "fit_reference",
    "load_reference",
    "reference_names",
]
