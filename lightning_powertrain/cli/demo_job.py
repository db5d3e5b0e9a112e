"""The job of ``powertrain demo``; imports Lightning, so it is imported only when the demo runs."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from lightning_powertrain.callbacks import PowerTrainCallback

# The job that the demo stands for: 100 epochs of the paper's ResNet job, 3,125 minibatches each. Only its beginning is
# run, since from the moment a mode is locked the rest is the same again and again.
EPOCHS = 100
_MINIBATCHES = 3125
_LOCKED_MINIBATCHES = 200


class Regression(pl.LightningModule):
    """As small as a job can be: what the board has to do is simulated."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(8, 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        features, targets = batch
        return torch.nn.functional.mse_loss(self.layer(features), targets)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1e-2)


class StopOnceLocked(pl.Callback):
    """Ends the job some minibatches after a power mode was locked."""

    def __init__(self, powertrain: PowerTrainCallback) -> None:
        self._powertrain = powertrain
        self._locked = 0

    def on_train_batch_end(self, trainer: pl.Trainer, *details: Any) -> None:
        selection = self._powertrain.selection
        self._locked += selection is not None and selection.measured is not None
        trainer.should_stop = self._locked >= _LOCKED_MINIBATCHES


def fit(callback: PowerTrainCallback, seed: int, out: Path) -> Path:
    """Run the beginning of the job; returns the folder of its logs."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    # What Lightning says of itself and of jobs as small as this one is no news of the demo.
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    features = torch.randn(_MINIBATCHES * 16, 8, generator=torch.Generator().manual_seed(seed))
    data = DataLoader(TensorDataset(features, features.sum(dim=1, keepdim=True)), batch_size=16)
    logger = TensorBoardLogger(out.parent, name=out.name)
    trainer = pl.Trainer(
        max_epochs=EPOCHS,
        accelerator="cpu",
        logger=logger,
        callbacks=[callback, StopOnceLocked(callback)],
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    trainer.fit(Regression(), data)
    return Path(logger.log_dir)
