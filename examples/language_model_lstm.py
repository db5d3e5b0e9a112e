"""A language model with the least energy: an LSTM that learns the characters of this very file.

On a Jetson:        python examples/language_model_lstm.py --epochs 500
Without a Jetson:   python examples/language_model_lstm.py --device simulated:orin-agx-64gb:lstm

Minibatches of a small LSTM are short, so the processor's clock matters more than the GPU's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_powertrain import PowerTrainCallback

LENGTH = 32


class CharacterModel(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(128, 16)
        self.lstm = nn.LSTM(16, 32, batch_first=True)
        self.head = nn.Linear(32, 128)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        (characters,) = batch
        hidden, _ = self.lstm(self.embedding(characters[:, :-1]))
        loss = nn.functional.cross_entropy(self.head(hidden).transpose(1, 2), characters[:, 1:])
        self.log("loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters(), lr=3e-3)


def windows(text: str) -> TensorDataset:
    """Every stretch of the text, as long as the model looks back and one more."""
    codes = torch.tensor([ord(character) % 128 for character in text])
    return TensorDataset(codes.unfold(0, LENGTH + 1, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", default="energy")
    parser.add_argument("--device", default=None)
    parser.add_argument("--max-modes", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=20)
    arguments = parser.parse_args()

    pl.seed_everything(0)
    text = Path(__file__).read_text(encoding="utf-8")
    # This job is so short that all of it may go into measuring; leave max_share out for a real one.
    powertrain = PowerTrainCallback(
        arguments.budget, device=arguments.device, max_modes=arguments.max_modes, max_share=1.0
    )
    trainer = pl.Trainer(max_epochs=arguments.epochs, gradient_clip_val=1.0, callbacks=[powertrain])
    trainer.fit(CharacterModel(), DataLoader(windows(text), batch_size=16, shuffle=True))
    print(f"Loss: {trainer.callback_metrics['loss']:.2f} a character")
    if powertrain.selection is not None:
        print(f"Trained in: {powertrain.selection.mode}")


if __name__ == "__main__":
    main()
