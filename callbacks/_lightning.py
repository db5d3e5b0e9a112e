"""One callback class for both Lightnings.

``pytorch_lightning`` and ``lightning`` hold the same code twice, and a Trainer of one refuses callbacks of the other. A
class that inherits from both is a callback to either, so that one name works everywhere, in YAML too.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import lightning.pytorch  # type: ignore[import-not-found, unused-ignore]
    import pytorch_lightning

    LightningModule = lightning.pytorch.LightningModule | pytorch_lightning.LightningModule
    Trainer = lightning.pytorch.Trainer | pytorch_lightning.Trainer

    class Callback(lightning.pytorch.Callback, pytorch_lightning.Callback):  # type: ignore[misc, unused-ignore]
        """The Callback of every Lightning that is installed."""

else:
    LightningModule = Trainer = Any

    def _installed() -> list[type]:
        """The Callback of each package that is installed and works; one that is broken need not be the user's."""
        bases, errors = [], []
        for package in ("lightning.pytorch", "pytorch_lightning"):
            try:
                bases.append(import_module(package).Callback)
            except Exception as error:
                errors.append(error)
        if not bases:
            raise errors[-1]
        return bases

    class Callback(*_installed()):
        """The Callback of every Lightning that is installed."""
