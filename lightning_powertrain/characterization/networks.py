"""The networks of the built-in workloads, in plain torch: torchvision and transformers are not needed on a board."""

from __future__ import annotations

import torch
from torch import Tensor, nn

VOCABULARY = 30_000


def resnet18(classes: int = 1000) -> nn.Module:
    """ResNet-18 (He et al. 2016, arXiv 1512.03385), 11.7 million parameters."""
    stem = nn.Sequential(_convolution(3, 64, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1))
    widths = [(64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)]
    blocks = [block for few, many, stride in widths for block in (_Block(few, many, stride), _Block(many, many, 1))]
    return nn.Sequential(stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes))


class LanguageLstm(nn.Module):
    """A word-level language model with two LSTM layers of 650 units (Zaremba et al. 2014, arXiv 1409.2329)."""

    def __init__(self, units: int = 650, layers: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, units)
        self.lstm = nn.LSTM(units, units, layers, batch_first=True)
        self.head = nn.Linear(units, VOCABULARY)

    def forward(self, tokens: Tensor) -> Tensor:
        states, _ = self.lstm(self.embedding(tokens))
        return self.head(states).flatten(0, 1)  # type: ignore[no-any-return]


class TextTransformer(nn.Module):
    """An encoder as large as BERT base (Devlin et al. 2019, arXiv 1810.04805), with a classifier on its first token."""

    def __init__(self, width: int = 768, heads: int = 12, layers: int = 12, tokens: int = 128) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, width)
        self.position = nn.Parameter(torch.zeros(tokens, width))
        layer = nn.TransformerEncoderLayer(width, heads, 4 * width, activation="gelu", batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, layers)
        self.head = nn.Linear(width, 2)

    def forward(self, tokens: Tensor) -> Tensor:
        states = self.encoder(self.embedding(tokens) + self.position)
        return self.head(states[:, 0])  # type: ignore[no-any-return]


class _Block(nn.Module):
    """Two convolutions and what goes around them."""

    def __init__(self, few: int, many: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            _convolution(few, many, 3, stride), nn.ReLU(inplace=True), _convolution(many, many, 3, 1)
        )
        self.around = nn.Identity() if few == many else _convolution(few, many, 1, stride)

    def forward(self, images: Tensor) -> Tensor:
        return torch.relu(self.body(images) + self.around(images))


def _convolution(few: int, many: int, size: int, stride: int) -> nn.Module:
    convolution = nn.Conv2d(few, many, size, stride, padding=size // 2, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(many))
