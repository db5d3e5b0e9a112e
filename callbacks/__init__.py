"""The Lightning callbacks: they translate Trainer events and decide nothing."""

from lightning_powertrain.callbacks.powertrain import PowerTrainCallback

__all__ = ["PowerTrainCallback"]
