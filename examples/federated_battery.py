"""Federated averaging among boards on batteries: the emptier its battery, the more thriftily a board trains.

python examples/federated_battery.py --rounds 6 --battery-wh 4

The budget of each board is a function of its charge, which the tuner asks once a minute. Every board here is SIMULATED,
and all live in one process. On real boards a client is a process on a board of its own, with ``open_device()`` instead
of a simulated one; the network between them is up to you.
"""

from __future__ import annotations

import argparse

import torch
from torch import Tensor, nn

from lightning_powertrain import Tuner, open_device
from lightning_powertrain.devices import EnergyMeter

BOARDS = ("orin-agx-64gb", "agx-xavier", "orin-nano-8gb")
TRUTH = torch.randn(8, 1, generator=torch.Generator().manual_seed(1))


class Client:
    """A board, its battery, and data of its own."""

    def __init__(self, board: str, seed: int, battery_wh: float, max_modes: int, minibatches: int) -> None:
        self.board, self.full_wh, self.left_wh, self.cost_wh = board, battery_wh, battery_wh, 0.0
        self.model = nn.Linear(8, 1)
        self.random = torch.Generator().manual_seed(seed)
        device = open_device(f"simulated:{board}:mobilenetv3", seed)
        self.meter = EnergyMeter(device)
        # One tuner for all rounds: what it learns in the first ones pays in the later ones.
        self.tuner = Tuner(self.budget, device=device, max_modes=max_modes, max_share=1.0, verbose=False)
        self.tuner.start(minibatches=minibatches, workload="federated")

    def budget(self) -> str:
        """Time counts too while the battery is more than half full; from then on only energy does."""
        return "edp" if self.left_wh > self.full_wh / 2 else "energy"

    def train(self, weights: dict[str, Tensor], minibatches: int) -> dict[str, Tensor]:
        self.model.load_state_dict(weights)
        optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-2)
        self.meter.start()
        self.tuner.interrupt()  # The time between two rounds is no part of a minibatch.
        for _ in range(minibatches):
            features = torch.randn(16, 8, generator=self.random)
            loss = nn.functional.mse_loss(self.model(features), features @ TRUTH)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            self.tuner.minibatch_ended()
        _, energy_j = self.meter.read()
        self.meter.stop()
        self.cost_wh = energy_j / 3600
        self.left_wh -= self.cost_wh
        return self.model.state_dict()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--minibatches", type=int, default=400, help="of each client in each round")
    parser.add_argument("--max-modes", type=int, default=10)
    parser.add_argument("--battery-wh", type=float, default=4.0)
    arguments = parser.parse_args()

    torch.manual_seed(0)
    total = arguments.rounds * arguments.minibatches
    clients = [Client(board, i, arguments.battery_wh, arguments.max_modes, total) for i, board in enumerate(BOARDS)]
    weights = nn.Linear(8, 1).state_dict()
    for number in range(1, arguments.rounds + 1):
        # A client takes part as long as its battery holds another round like its last one.
        able = [client for client in clients if client.left_wh > client.cost_wh]
        if not able:
            break
        trained = [client.train(weights, arguments.minibatches) for client in able]
        weights = {name: torch.stack([each[name] for each in trained]).mean(0) for name in weights}
        spent = ", ".join(f"{each.board} {each.cost_wh:.2f} Wh ({each.left_wh:.2f} left)" for each in able)
        print(f"Round {number} (SIMULATED): {spent}")
    for client in clients:
        client.tuner.stop()
        if client.tuner.outcome is not None:
            choice = client.tuner.outcome.selection
            before_j, now_j = (m.time_ms * m.power_w / 1000 for m in (choice.start, choice.measured or choice))
            print(f"{client.board}: {before_j:.2f} J a minibatch before, {now_j:.2f} J now (SIMULATED)")
            print(f"Trained in: {choice.mode} at the end, for {choice.objective}")


if __name__ == "__main__":
    main()
