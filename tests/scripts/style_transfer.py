"""Style transfer: LBFGS changes a picture, with a closure that it evaluates several times in a step."""

from __future__ import annotations

import sys

import torch
from torch import nn
from torch.nn import functional


def gram(features: torch.Tensor) -> torch.Tensor:
    rows = features.flatten(1)
    return rows @ rows.T / rows.numel()


def main() -> None:
    torch.manual_seed(6)
    network = nn.Conv2d(3, 4, 3).requires_grad_(False)
    content, style = torch.rand(3, 8, 8), torch.rand(3, 8, 8)
    wanted_content, wanted_style = network(content), gram(network(style))
    picture = content.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([picture], lr=0.1, max_iter=3)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        features = network(picture)
        loss = functional.mse_loss(features, wanted_content) + 100 * functional.mse_loss(gram(features), wanted_style)
        loss.backward()
        return loss

    for _ in range(700):
        with torch.no_grad():
            picture.clamp_(0, 1)
        optimizer.step(closure)
    torch.save(picture.detach(), sys.argv[1])


if __name__ == "__main__":
    main()
