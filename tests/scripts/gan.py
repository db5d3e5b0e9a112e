"""A GAN whose discriminator steps three times for each step of its generator."""

from __future__ import annotations

import sys

import torch
from torch import nn
from torch.nn import functional


def main() -> None:
    torch.manual_seed(2)
    generator = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    critic = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.9))
    optimizer_d = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.9))
    real, fake = torch.ones(8, 1), torch.zeros(8, 1)
    loss = functional.binary_cross_entropy_with_logits
    for _ in range(700):
        for _ in range(3):
            samples = torch.randn(8, 2) + 3
            made = generator(torch.randn(8, 4)).detach()
            optimizer_d.zero_grad()
            (loss(critic(samples), real) + loss(critic(made), fake)).backward()
            optimizer_d.step()
        optimizer_g.zero_grad()
        loss(critic(generator(torch.randn(8, 4))), real).backward()
        optimizer_g.step()
    torch.save([generator.state_dict(), critic.state_dict()], sys.argv[1])


if __name__ == "__main__":
    main()
