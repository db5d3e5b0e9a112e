"""The callback that nobody wrote down: see :mod:`lightning_powertrain.callbacks.autoload`."""

from __future__ import annotations

from itertools import count

from lightning_powertrain.callbacks import _lightning as pl
from lightning_powertrain.callbacks.powertrain import PowerTrainCallback

_numbers = count()


class AutomaticPowerTrain(PowerTrainCallback):
    """Steps aside where the Trainer has a :class:`PowerTrainCallback` that was asked for.

    A Trainer adds it to the very list that the user gave; where that list goes into a second Trainer, this one is a
    leftover there. So each has a ``state_key`` of its own, lest Lightning refuse the second, and the last one counts.

    Args:
        budget: What to look for.
    """

    def __init__(self, budget: float | str | None = None) -> None:
        super().__init__(budget)
        self._key = f"AutomaticPowerTrain-{next(_numbers)}"

    @property
    def state_key(self) -> str:
        return self._key

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
