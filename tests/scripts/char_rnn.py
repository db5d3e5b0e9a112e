"""A character-level language model that accumulates the gradients of two sequences."""

from __future__ import annotations

import sys

import torch
from torch import nn
from torch.nn import functional

TEXT = "a power mode is a number of cores and a clock for each part of the board. " * 4


class CharRNN(nn.Module):
    def __init__(self, characters: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(characters, 8)
        self.rnn = nn.GRU(8, 16, batch_first=True)
        self.head = nn.Linear(16, characters)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.rnn(self.embedding(x))[0])  # type: ignore[no-any-return]


def main() -> None:
    torch.manual_seed(3)
    alphabet = sorted(set(TEXT))
    codes = torch.tensor([alphabet.index(character) for character in TEXT])
    model = CharRNN(len(alphabet))
    optimizer = torch.optim.RMSprop(model.parameters(), lr=0.01)
    for step in range(1400):
        start = int(torch.randint(len(codes) - 9, (1,)))
        output = model(codes[None, start : start + 8])
        (functional.cross_entropy(output[0], codes[start + 1 : start + 9]) / 2).backward()
        if step % 2:
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    torch.save(model.state_dict(), sys.argv[1])


if __name__ == "__main__":
    main()
