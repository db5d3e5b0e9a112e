"""``powertrain demo``: the main job on a simulated board, with a real Lightning Trainer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from lightning_powertrain.callbacks import PowerTrainCallback

# The job that the demo stands for: 100 epochs of the paper's ResNet job, 3,125 minibatches each. Only its beginning is
# run, since from the moment a mode is locked the rest is the same again and again.
_EPOCHS, _MINIBATCHES, _LOCKED_MINIBATCHES = 100, 3125, 200


def run_demo(
    board: Annotated[str, typer.Option(help="Simulated board; `powertrain modes` lists boards.")] = "orin-agx-64gb",
    workload: Annotated[
        str, typer.Option(help="Simulated workload, such as resnet18, bert-base or lstm.")
    ] = "resnet18",
    budget: Annotated[str, typer.Option(help='"30 W", "120 ms", energy, edp, or none.')] = "30 W",
    modes: Annotated[int, typer.Option(help="Power modes to measure.")] = 50,
    seed: Annotated[int, typer.Option(help="Of the sampled modes and the simulated scatter.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for TensorBoard logs, profile, figure, summary.")] = Path(
        "powertrain-demo"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON and nothing else.")] = False,
) -> None:
    """Tune a simulated board during a real Lightning job."""
    from lightning_powertrain.callbacks import PowerTrainCallback
    from lightning_powertrain.errors import DeviceError
    from lightning_powertrain.reporting import summary

    callback = PowerTrainCallback(
        None if budget == "none" else budget,
        device=f"simulated:{board}:{workload}",
        modes=modes,
        seed=seed,
        strict=True,
        verbose=not as_json,
    )
    if not as_json:
        typer.echo(f"A simulated {board} trains {workload}. Every figure below is simulated, none was measured.")
    folder = _fit(callback, seed, out)
    if callback.outcome is None:
        raise DeviceError("the demo ended before a power mode was chosen")
    if as_json:
        typer.echo(json.dumps(summary(callback.outcome), indent=2))
        return
    typer.echo(f"The demo stops here: the rest of this job ({_EPOCHS} epochs) would stay in this power mode.")
    typer.echo(f"Profile, summary and Pareto figure: {folder / 'powertrain'}")
    typer.echo(f"TensorBoard: tensorboard --logdir {out}")


def _fit(callback: PowerTrainCallback, seed: int, out: Path) -> Path:
    """Run the job; returns the folder of its logs."""
    import logging
    import warnings

    import pytorch_lightning as pl
    import torch
    from pytorch_lightning.loggers import TensorBoardLogger
    from torch.utils.data import DataLoader, TensorDataset

    class Regression(pl.LightningModule):
        """As small as a job can be: what the board has to do is simulated."""

        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(8, 1)

        def training_step(self, batch: list[torch.Tensor], batch_idx: int) -> torch.Tensor:
            features, targets = batch
            return torch.nn.functional.mse_loss(self.layer(features), targets)

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=1e-2)

    class StopOnceLocked(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, *details: Any) -> None:
            selection = callback.selection
            if selection is not None and selection.measured is not None:
                self.locked = getattr(self, "locked", 0) + 1
                trainer.should_stop = self.locked >= _LOCKED_MINIBATCHES

    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    # What Lightning says of itself and of jobs as small as this one is no news of the demo.
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(_MINIBATCHES * 16, 8, generator=generator)
    data = DataLoader(TensorDataset(features, features.sum(dim=1, keepdim=True)), batch_size=16)
    logger = TensorBoardLogger(out.parent, name=out.name)
    trainer = pl.Trainer(
        max_epochs=_EPOCHS,
        accelerator="cpu",
        logger=logger,
        callbacks=[callback, StopOnceLocked()],
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )
    trainer.fit(Regression(), data)
    return Path(logger.log_dir)
