"""The built-in workloads: a network, and minibatches that are made up but cost what real ones do."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from lightning_powertrain.characterization.networks import VOCABULARY, LanguageLstm, TextTransformer, resnet18

# As the workload of the bundled reference (Table 3 of arXiv 2407.13944: minibatches of 16, four workers).
_MINIBATCH = 16
_WORKERS = 4
# So many that the edges of epochs are rare.
_SAMPLES = 200_000
# A usual photograph of ImageNet, and what ResNet sees of it.
_PHOTOGRAPH = (3, 375, 500)
_SHORT_SIDE, _CROP = 256, 224
_WORDS, _SENTENCE = 35, 128


@dataclass(frozen=True)
class _Recipe:
    """How a built-in workload is made: its network, its samples, and how many classes they have."""

    network: Callable[[], nn.Module]
    samples: Callable[[], Dataset[Any]]


class Photographs(Dataset[Any]):
    """Noise of the size of photographs, scaled, cropped and normalized as photographs are: work for the CPU."""

    def __len__(self) -> int:
        return _SAMPLES

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        generator = torch.Generator().manual_seed(index)
        photograph = torch.randint(0, 256, _PHOTOGRAPH, dtype=torch.uint8, generator=generator)
        scale = _SHORT_SIDE / min(_PHOTOGRAPH[1:])
        scaled = nn.functional.interpolate(
            photograph[None].float(), scale_factor=scale, mode="bilinear", align_corners=False, antialias=True
        )[0]
        top, left = (int(torch.randint(0, side - _CROP + 1, (), generator=generator)) for side in scaled.shape[1:])
        image = scaled[:, top : top + _CROP, left : left + _CROP]
        image = image.flip(-1) if index % 2 else image
        return (image / 255 - 0.45) / 0.225, index % 1000


class Texts(Dataset[Any]):
    """Random tokens; the targets are the next tokens, or one class for all of them.

    Args:
        tokens: Length of a sample.
        is_classified: Whether the target is a class.
    """

    def __init__(self, tokens: int, is_classified: bool) -> None:
        self._tokens = tokens
        self._is_classified = is_classified

    def __len__(self) -> int:
        return _SAMPLES

    def __getitem__(self, index: int) -> tuple[Tensor, Any]:
        generator = torch.Generator().manual_seed(index)
        tokens = torch.randint(0, VOCABULARY, (self._tokens + 1,), generator=generator)
        return tokens[:-1], index % 2 if self._is_classified else tokens[1:]


_RECIPES: Mapping[str, _Recipe] = {
    "bert-base": _Recipe(TextTransformer, lambda: Texts(_SENTENCE, is_classified=True)),
    "lstm": _Recipe(LanguageLstm, lambda: Texts(_WORDS, is_classified=False)),
    "resnet18": _Recipe(resnet18, Photographs),
}

WORKLOADS = tuple(_RECIPES)
"""Names of the built-in workloads; simulated boards know workloads of the same names."""


def built_in(name: str, *, workers: int = _WORKERS) -> tuple[Iterable[Any], Callable[[Any], None]]:
    """The data loader of a built-in workload, and a function that trains on one of its minibatches.

    Args:
        name: One of :data:`WORKLOADS`.
        workers: Worker processes of the data loader.
    """
    recipe = _RECIPES[name]
    place = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = recipe.network().to(place).train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-4, momentum=0.9)
    loss = nn.CrossEntropyLoss()

    def step(minibatch: Any) -> None:
        inputs, targets = (each.to(place, non_blocking=True) for each in minibatch)
        optimizer.zero_grad()
        loss(network(inputs), targets.flatten()).backward()
        optimizer.step()

    pinned = place.type == "cuda"
    return DataLoader(recipe.samples(), _MINIBATCH, num_workers=workers, pin_memory=pinned, drop_last=True), step
