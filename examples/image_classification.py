"""A small CNN with validation: PowerTrainCallback beside the callbacks that a training script has anyway.

On a Jetson:        python examples/image_classification.py --budget "30 W" --epochs 100
Without a Jetson:   python examples/image_classification.py --budget "30 W" --device simulated:orin-agx-64gb:mobilenetv3
"""

from __future__ import annotations

import argparse

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset, random_split

from lightning_powertrain import PowerTrainCallback


class SmallCNN(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(
            *(nn.Conv2d(3, 16, 3, stride=2), nn.BatchNorm2d(16), nn.ReLU()),
            *(nn.Conv2d(16, 32, 3, stride=2), nn.BatchNorm2d(32), nn.ReLU()),
            *(nn.Flatten(), nn.Linear(32 * 3 * 3, 9)),
        )

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, labels = batch
        return nn.functional.cross_entropy(self.network(images), labels)

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        images, labels = batch
        self.log("accuracy", (self.network(images).argmax(1) == labels).float().mean(), prog_bar=True)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def bright_squares(count: int) -> TensorDataset:
    """Noise of 16 x 16 pixels; the label says in which of nine places there is a bright square."""
    labels = torch.randint(0, 9, (count,))
    places = nn.functional.one_hot(labels, 9).float().view(count, 1, 3, 3)
    images = torch.randn(count, 3, 16, 16) + nn.functional.interpolate(places, size=(16, 16))
    return TensorDataset(images, labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", default="30 W")
    parser.add_argument("--device", default=None)
    parser.add_argument("--max-modes", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=1)
    arguments = parser.parse_args()

    pl.seed_everything(0)
    train, validate = random_split(bright_squares(10_000), [9_600, 400])
    # This job is so short that all of it may go into measuring; leave max_share out for a real one.
    powertrain = PowerTrainCallback(
        arguments.budget, device=arguments.device, max_modes=arguments.max_modes, max_share=1.0
    )
    trainer = pl.Trainer(
        max_epochs=arguments.epochs, callbacks=[powertrain, ModelCheckpoint(monitor="accuracy", mode="max")]
    )
    trainer.fit(SmallCNN(), DataLoader(train, batch_size=16, shuffle=True), DataLoader(validate, batch_size=100))
    print(f"Accuracy: {trainer.callback_metrics['accuracy']:.0%}")
    if powertrain.selection is not None:
        print(f"Trained in: {powertrain.selection.mode}")


if __name__ == "__main__":
    main()
