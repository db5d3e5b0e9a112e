"""The three lines: a Lightning job that finds its own power mode.

On a Jetson:        python examples/minimal.py --budget "30 W"
Without a Jetson:   python examples/minimal.py --budget "30 W" --device simulated:orin-agx-64gb:resnet18
"""

from __future__ import annotations

import argparse

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_powertrain import PowerTrainCallback


class Classifier(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, labels = batch
        return nn.functional.cross_entropy(self.network(images), labels)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def made_up_digits(count: int) -> TensorDataset:
    """Images of 8 x 8 pixels in which a bright row or column is the label."""
    labels = torch.randint(0, 10, (count,))
    images = torch.randn(count, 8, 8) + 3.0 * nn.functional.one_hot(labels % 8, 8).unsqueeze(1)
    return TensorDataset(images, labels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", default="30 W")
    parser.add_argument("--device", default=None)
    parser.add_argument("--max-modes", type=int, default=50)
    parser.add_argument("--max-share", type=float, default=0.1, help="of the job's time that measuring may take")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--samples", type=int, default=160_000)
    arguments = parser.parse_args()

    pl.seed_everything(0)
    powertrain = PowerTrainCallback(
        budget=arguments.budget, device=arguments.device, max_modes=arguments.max_modes, max_share=arguments.max_share
    )
    trainer = pl.Trainer(max_epochs=arguments.epochs, accelerator="auto", callbacks=[powertrain])
    trainer.fit(Classifier(), DataLoader(made_up_digits(arguments.samples), batch_size=16))
    if powertrain.selection is not None:
        print(f"Trained in: {powertrain.selection.mode}")


if __name__ == "__main__":
    main()
