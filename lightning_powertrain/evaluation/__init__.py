"""The paper's experiments and ours, on simulated or recorded profiles."""

from lightning_powertrain.evaluation.ground_truth import simulated_profile

__all__ = ["simulated_profile"]
