"""The paper's method and its baselines, for comparison with what came after them."""

from lightning_powertrain.prediction.baselines.linear import LinearRegression
from lightning_powertrain.prediction.baselines.paper import PaperNetworks, PaperTransfer, fit_paper_networks
from lightning_powertrain.prediction.baselines.trees import GradientBoosting, RandomForest

__all__ = [
    "GradientBoosting",
    "LinearRegression",
    "PaperNetworks",
    "PaperTransfer",
    "RandomForest",
    "fit_paper_networks",
]
