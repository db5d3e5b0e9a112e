"""A classifier of small pictures with an evaluation and a checkpoint after each epoch, as in PyTorch's own example."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 2, 3)
        self.dropout = nn.Dropout(0.25)
        self.fc = nn.Linear(2 * 3 * 3, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.max_pool2d(functional.relu(self.conv(x)), 2)
        return functional.log_softmax(self.fc(self.dropout(x).flatten(1)), dim=1)


def main() -> None:
    torch.manual_seed(1)
    images, labels = torch.rand(400, 1, 8, 8), torch.randint(10, (400,))
    loader = DataLoader(TensorDataset(images, labels), batch_size=8, shuffle=True)
    model = Net()
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
    for _ in range(14):
        model.train()
        for data, target in loader:
            optimizer.zero_grad()
            functional.nll_loss(model(data), target).backward()
            optimizer.step()
        model.eval()
        with torch.no_grad():
            print("accuracy", (model(images).argmax(1) == labels).float().mean().item())
        scheduler.step()
        torch.save(model.state_dict(), Path(sys.argv[1]))


if __name__ == "__main__":
    main()
