"""The callback added by the environment variables: see :mod:`lightning_powertrain.callbacks.autoload`."""

from __future__ import annotations

from typing import Any

from lightning_powertrain.callbacks import _lightning as pl
from lightning_powertrain.callbacks.powertrain import PowerTrainCallback


class AutomaticPowerTrain(PowerTrainCallback):
    """Does nothing where the Trainer has a :class:`PowerTrainCallback` that the user added.

    A Trainer adds it to the very list that the user gave. Where that list goes into a second Trainer, this callback is
    a leftover there, and only the last one of the list tunes. Lightning refuses two callbacks that override
    ``state_dict`` under one key, so this class adds its state to a checkpoint in ``on_save_checkpoint`` instead.
    """

    @property
    def state_dict(self) -> Any:
        """Lightning's own method, which Lightning takes for "has no state"."""
        return super(PowerTrainCallback, self).state_dict

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        super().on_save_checkpoint(trainer, pl_module, checkpoint)
        if self._is_wanted(trainer) and (state := PowerTrainCallback.state_dict(self)):
            checkpoint["callbacks"][self.state_key] = state

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if self._is_wanted(trainer):
            super().setup(trainer, pl_module, stage)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._is_wanted(trainer):
            super().on_train_start(trainer, pl_module)

    def _is_wanted(self, trainer: pl.Trainer) -> bool:
        everybody = trainer.callbacks  # type: ignore[union-attr]  # not declared by Lightning
        tuning = [callback for callback in everybody if isinstance(callback, PowerTrainCallback)]
        return tuning[-1] is self and all(isinstance(callback, AutomaticPowerTrain) for callback in tuning)
