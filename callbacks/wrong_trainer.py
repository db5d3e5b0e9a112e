"""Tells that a callback of Lightning was given to the Trainer of Hugging Face."""

from __future__ import annotations

from typing import Any

from lightning_powertrain.callbacks import _lightning as pl
from lightning_powertrain.errors import PowerTrainError


class LightningCallback(pl.Callback):
    """A callback of Lightning. It has the hooks that a Trainer of Hugging Face calls first, and no Lightning."""

    def on_init_end(self, *_: Any, **__: Any) -> None:
        """Hugging Face calls this from the constructor of its Trainer.

        Raises:
            PowerTrainError: Always.
        """
        raise PowerTrainError(
            "a Trainer of transformers needs `from lightning_powertrain.huggingface import PowerTrainCallback`: "
            "this one is for the Trainer of Lightning"
        )

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        """The same, of a Trainer to which it was added later."""
        self.on_init_end()
