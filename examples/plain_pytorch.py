"""A training loop without Lightning: iterate over tuner.track(loader) instead of the loader.

python examples/plain_pytorch.py --device simulated:orin-agx-64gb:resnet18
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from lightning_powertrain import Tuner


def stream() -> Iterator[Tensor]:
    """Minibatches without end; a DataLoader serves as well, and has a length."""
    while True:
        yield torch.randn(16, 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--budget", default="30 W")
    parser.add_argument("--device", default=None)
    parser.add_argument("--max-modes", type=int, default=50)
    parser.add_argument("--minibatches", type=int, default=150_000)
    parser.add_argument("--stop-after", type=int, default=5_000, help="minibatches of the job that are really run")
    arguments = parser.parse_args()

    torch.manual_seed(0)
    model = nn.Linear(8, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
    tuner = Tuner(arguments.budget, device=arguments.device, max_modes=arguments.max_modes)
    loop = tuner.track(stream(), minibatches=arguments.minibatches, workload="linear")
    for number, features in enumerate(loop, start=1):
        loss = (model(features) - 1.0).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if number == arguments.stop_after:
            break  # This ends the job for the tuner too, and restores the board.
    if tuner.outcome is not None:
        print(f"Trained in: {tuner.outcome.selection.mode}")


if __name__ == "__main__":
    main()
