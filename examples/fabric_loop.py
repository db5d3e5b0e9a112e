"""A Lightning Fabric loop: Fabric moves and wraps the model, a Tuner chooses the power mode.

On a Jetson:        python examples/fabric_loop.py --budget "30 W" --epochs 100
Without a Jetson:   python examples/fabric_loop.py --budget "30 W" --device simulated:orin-agx-64gb:mobilenetv3
"""

from __future__ import annotations

import argparse

import torch
from lightning_fabric import Fabric
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_powertrain import Tuner


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", default="30 W")
    parser.add_argument("--device", default=None)
    parser.add_argument("--max-modes", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=4)
    arguments = parser.parse_args()

    fabric = Fabric(accelerator="auto", devices=1)
    fabric.seed_everything(0)
    model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
    model, optimizer = fabric.setup(model, torch.optim.AdamW(model.parameters()))
    inputs = torch.randn(16_000, 8)
    loader = fabric.setup_dataloaders(DataLoader(TensorDataset(inputs, inputs.sum(1, keepdim=True)), batch_size=16))

    # This job is so short that all of it may go into measuring; leave max_share out for a real one.
    tuner = Tuner(arguments.budget, device=arguments.device, max_modes=arguments.max_modes, max_share=1.0)
    for epoch in range(arguments.epochs):
        for features, targets in tuner.track(loader, epochs=arguments.epochs, workload="regression"):
            loss = nn.functional.mse_loss(model(features), targets)
            optimizer.zero_grad()
            fabric.backward(loss)
            optimizer.step()
        print(f"Epoch {epoch}: loss {loss.item():.3f}")
    if tuner.outcome is not None:
        print(f"Trained in: {tuner.outcome.selection.mode}")


if __name__ == "__main__":
    main()
