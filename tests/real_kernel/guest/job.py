"""``job.py BUDGET_W MODES STEPS RESULT``: the job of training_job.py, whose speed depends on the board's clocks."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytorch_lightning as pl
import torch
from board import clocks_khz, read
from torch.utils.data import DataLoader, IterableDataset

from lightning_powertrain import PowerTrainCallback


class Numbers(IterableDataset[torch.Tensor]):
    def __iter__(self) -> Iterator[torch.Tensor]:
        while True:
            yield torch.ones(4)


class Model(pl.LightningModule):
    """Little work for this computer, and as much waiting as an accelerator would need at the clocks of the board."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)
        self.modes_seen: set[tuple[int, int]] = set()

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        cpu_khz = max(clocks_khz().values())
        gpu_hz = int(read(next(Path("/sys/class/devfreq").glob("*/cur_freq"))))
        self.modes_seen.add((cpu_khz, gpu_hz))
        time.sleep(0.02 * 2201600 / cpu_khz + 0.05 * 1300500000 / gpu_hz)
        return self.layer(batch).square().mean()  # type: ignore[no-any-return]

    def train_dataloader(self) -> DataLoader[torch.Tensor]:
        return DataLoader(Numbers(), batch_size=8)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


def main(budget_w: float, modes: int, steps: int, result: Path) -> None:
    callback = PowerTrainCallback(budget=budget_w, max_modes=modes, max_share=1.0, cache=False)
    trainer = pl.Trainer(
        accelerator="cpu",
        max_steps=steps,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[callback],
    )
    model = Model()
    trainer.fit(model)
    outcome, selection = callback.outcome, callback.selection
    assert outcome is not None
    assert selection is not None
    assert selection.measured is not None
    facts = {
        "modes_measured": len(outcome.profile),
        "modes_seen": len(model.modes_seen),
        "chosen": dict(selection.mode),
        "power_w": selection.measured.power_w,
        "steps": trainer.global_step,
    }
    result.write_text(json.dumps(facts), encoding="utf-8")


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
