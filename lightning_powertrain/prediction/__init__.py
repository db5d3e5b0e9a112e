"""What the modes that were not measured would cost."""

from lightning_powertrain.prediction.predictor import Prediction, Predictor

__all__ = ["Prediction", "Predictor"]
