"""The paper's method, for comparison with what came after it."""

from lightning_powertrain.prediction.baselines.paper import PaperTransfer

__all__ = ["PaperTransfer"]
