"""The method of the PowerTrain paper: two neural networks, transferred from a reference workload (arXiv 2407.13944)."""

from lightning_powertrain.prediction.baselines.paper.fitted import FitErrors, PaperNetworks
from lightning_powertrain.prediction.baselines.paper.fitting import fit_paper_networks
from lightning_powertrain.prediction.baselines.paper.networks import NetworkPair
from lightning_powertrain.prediction.baselines.paper.transfer import PaperTransfer

__all__ = ["FitErrors", "NetworkPair", "PaperNetworks", "PaperTransfer", "fit_paper_networks"]
