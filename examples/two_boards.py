"""One job over two boards, each of which keeps the budget.

On two simulated boards, on this machine:   python examples/two_boards.py
On two Jetsons, on each of them:            torchrun --nnodes 2 --nproc-per-node 1 --node-rank N
                                                --master-addr FIRST --master-port 29500
                                                examples/two_boards.py --device ""
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_powertrain import PowerTrainCallback


class Regression(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 1)

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return nn.functional.mse_loss(self.layer(batch[0]), batch[1])

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1e-2)


def train(arguments: argparse.Namespace) -> None:
    """Train on one of the boards."""
    pl.seed_everything(0)
    device = arguments.device[
        int(os.environ.get("NODE_RANK", os.environ.get("GROUP_RANK", "0"))) % len(arguments.device)
    ]
    powertrain = PowerTrainCallback(
        arguments.budget, device=device or None, max_modes=arguments.max_modes, max_share=1.0
    )
    trainer = pl.Trainer(
        max_epochs=1, accelerator="auto", strategy="ddp", devices=1, num_nodes=2, callbacks=[powertrain], logger=False
    )
    features = torch.randn(arguments.minibatches * 2 * 4, 8)
    trainer.fit(Regression(), DataLoader(TensorDataset(features, features.sum(dim=1, keepdim=True)), batch_size=4))
    if powertrain.selection is not None:
        print(f"Trained in: {powertrain.selection.mode}")


def start_both_here() -> int:
    """Start one process for each of two simulated boards, as a launcher does."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_RANK": "0"}
    nodes = [subprocess.Popen([sys.executable, *sys.argv], env={**common, "NODE_RANK": rank}) for rank in "01"]
    return max(node.wait() for node in nodes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", default="30 W", help="budget of each board")
    parser.add_argument(
        "--device",
        nargs="+",
        default=["simulated:orin-agx-64gb:resnet18"],
        help="one for all boards, or one each",
    )
    parser.add_argument("--max-modes", type=int, default=20)
    parser.add_argument("--minibatches", type=int, default=3_000)
    arguments = parser.parse_args()
    if "LOCAL_RANK" in os.environ:
        train(arguments)
    else:
        sys.exit(start_both_here())


if __name__ == "__main__":
    main()
