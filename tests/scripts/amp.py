"""Mixed precision with a gradient scaler, some steps of which are skipped."""

from __future__ import annotations

import sys

import torch
from torch import nn
from torch.nn import functional


def main() -> None:
    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-5, momentum=0.9, foreach=True)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**112, growth_interval=10)
    skipped = 0
    for _ in range(700):
        data = torch.randn(8, 4)
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = 1000 * functional.mse_loss(model(data).float(), data.sum(1, keepdim=True))
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scale = scaler.get_scale()
        scaler.update()
        skipped += scaler.get_scale() < scale
    assert skipped > 5, "the script is to skip steps"
    torch.save(model.state_dict(), sys.argv[1])


if __name__ == "__main__":
    main()
