"""Fine-tuning: a transformer whose lower layers are frozen, so that only the upper ones learn.

On a Jetson:        python examples/transformer_finetune.py --budget "30 W" --epochs 100
Without a Jetson:   python examples/transformer_finetune.py --budget "30 W" --device simulated:orin-agx-64gb:bert-base

The weights are random ones, and stand for those that you would load.
"""

from __future__ import annotations

import argparse

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_powertrain import PowerTrainCallback

TOKENS, LENGTH, WIDTH = 50, 24, 32


class SentenceClassifier(pl.LightningModule):
    def __init__(self, frozen_layers: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(TOKENS, WIDTH)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(WIDTH, nhead=4, dim_feedforward=64, batch_first=True) for _ in range(4)
        )
        self.head = nn.Linear(WIDTH, 2)
        for module in (self.embedding, *self.layers[:frozen_layers]):
            module.requires_grad_(False)

    def forward(self, tokens: Tensor) -> Tensor:
        hidden = self.embedding(tokens)
        for layer in self.layers:
            hidden = layer(hidden)
        return self.head(hidden.mean(dim=1))

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        tokens, labels = batch
        loss = nn.functional.cross_entropy(self(tokens), labels)
        self.log("loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.learned(), lr=1e-3)

    def learned(self) -> list[nn.Parameter]:
        return [each for each in self.parameters() if each.requires_grad]


def sentences(count: int) -> TensorDataset:
    """Random tokens; the label says whether small ones are in the majority."""
    tokens = torch.randint(0, TOKENS, (count, LENGTH))
    return TensorDataset(tokens, (tokens < TOKENS // 2).float().mean(dim=1).gt(0.5).long())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", default="30 W")
    parser.add_argument("--device", default=None)
    parser.add_argument("--max-modes", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=1)
    arguments = parser.parse_args()

    pl.seed_everything(0)
    model = SentenceClassifier()
    # This job is so short that all of it may go into measuring; leave max_share out for a real one.
    powertrain = PowerTrainCallback(
        arguments.budget, device=arguments.device, max_modes=arguments.max_modes, max_share=1.0
    )
    trainer = pl.Trainer(max_epochs=arguments.epochs, callbacks=[powertrain])
    trainer.fit(model, DataLoader(sentences(6_400), batch_size=16, shuffle=True))
    learned, total = (sum(each.numel() for each in some) for some in (model.learned(), model.parameters()))
    print(f"Loss: {trainer.callback_metrics['loss']:.2f}; {learned} of {total} weights were learned")
    if powertrain.selection is not None:
        print(f"Trained in: {powertrain.selection.mode}")


if __name__ == "__main__":
    main()
