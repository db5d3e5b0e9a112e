"""Jobs as small as can be, for tests of the callback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from fakes import FakeDevice, arguments
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_powertrain import PowerTrainCallback

LIGHTNING_WARNINGS = [
    # What Lightning itself warns of in jobs as small as these.
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*is smaller than the logging interval"),
    pytest.mark.filterwarnings("ignore:.*GPU available but not used"),
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec."),
]

RESNET = "simulated:orin-agx-64gb:resnet18"


class Model(pl.LightningModule):
    """Everything whose result depends on order or random state: dropout, batch norm, momentum."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Dropout(0.3), nn.ReLU(), nn.Linear(16, 1))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor | None:
        features, targets = batch
        return nn.functional.mse_loss(self.network(features), targets)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1e-2, momentum=0.9)


class Validated(Model):
    def __init__(self, device: FakeDevice) -> None:
        super().__init__()
        self.device_under_test = device

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.device_under_test.clock.advance(1.0)


class StopWhen(pl.Callback):
    """Ends a job of no given length."""

    def __init__(self, is_enough: Callable[[], bool]) -> None:
        self._is_enough = is_enough

    def on_train_batch_end(self, trainer: pl.Trainer, *details: Any) -> None:
        trainer.should_stop = self._is_enough()


def data(minibatches: int = 1000, size: int = 4, shuffle: bool = True) -> DataLoader[tuple[Tensor, ...]]:
    features = torch.randn(minibatches * size, 8, generator=torch.Generator().manual_seed(1))
    return DataLoader(TensorDataset(features, features.sum(dim=1, keepdim=True)), batch_size=size, shuffle=shuffle)


def trainer(*callbacks: pl.Callback, **options: Any) -> pl.Trainer:
    quiet: dict[str, Any] = {
        "max_epochs": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "accelerator": "cpu",
    }
    return pl.Trainer(callbacks=list(callbacks), **{**quiet, **options})


def powertrain(device: Any = RESNET, **options: Any) -> PowerTrainCallback:
    usual: dict[str, Any] = {"budget": "30 W", "max_modes": 10, "max_share": 1.0, "verbose": False}
    return PowerTrainCallback(device=device, **arguments(**{**usual, **options}))


def locked(callback: PowerTrainCallback) -> bool:
    return callback.selection is not None and callback.selection.measured is not None


def weights(*callbacks: pl.Callback, **options: Any) -> dict[str, Tensor]:
    pl.seed_everything(7)
    model = Model()
    trainer(*callbacks, **options).fit(model, data())
    return {name: value.clone() for name, value in model.state_dict().items()}
