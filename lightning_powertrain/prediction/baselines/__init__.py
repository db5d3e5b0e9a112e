"""The paper's method and its baselines, for comparison with what came after them."""

from lightning_powertrain.prediction.baselines.boosting import GradientBoosting
from lightning_powertrain.prediction.baselines.forest import RandomForest
from lightning_powertrain.prediction.baselines.linear import LinearRegression
from lightning_powertrain.prediction.baselines.paper import PaperNetworks, PaperTransfer, fit_paper_networks

__all__ = [
    "GradientBoosting",
    "LinearRegression",
    "PaperNetworks",
    "PaperTransfer",
    "RandomForest",
    "fit_paper_networks",
]
