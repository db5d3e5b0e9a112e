"""What the modes that were not measured would cost."""

from lightning_powertrain.prediction.grey_box_transfer import GreyBoxTransfer
from lightning_powertrain.prediction.nearest_reference import NearestReference, default_predictor
from lightning_powertrain.prediction.predictor import BasePredictor, Prediction
from lightning_powertrain.prediction.reference import (
    DEFAULT_REFERENCE,
    ReferenceProfile,
    fit_reference,
    load_reference,
    reference_names,
)
from lightning_powertrain.prediction.reference_model import ReferenceModel

__all__ = [
    "DEFAULT_REFERENCE",
    "BasePredictor",
    "GreyBoxTransfer",
    "NearestReference",
    "Prediction",
    "ReferenceModel",
    "ReferenceProfile",
    "default_predictor",
    "fit_reference",
    "load_reference",
    "reference_names",
]
