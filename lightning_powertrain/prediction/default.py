"""The predictor that is used where nobody asks for another."""

from __future__ import annotations

from pathlib import Path

from lightning_powertrain.prediction.bundled import load_reference
from lightning_powertrain.prediction.grey_box_transfer import GreyBoxTransfer
from lightning_powertrain.prediction.predictor import Predictor

DEFAULT_REFERENCE = "orin-agx-64gb-resnet18"


def default_predictor(reference: str | Path = DEFAULT_REFERENCE, seed: int = 0) -> Predictor:
    """A :class:`~lightning_powertrain.prediction.GreyBoxTransfer` from a reference.

    Args:
        reference: Name of a bundled reference, or the path of another.
        seed: Makes fits reproducible.

    Raises:
        ArgumentError: If there is no bundled reference of that name.
        FileFormatError: If the files are damaged, or not a reference.
    """
    return GreyBoxTransfer(load_reference(reference), seed)
