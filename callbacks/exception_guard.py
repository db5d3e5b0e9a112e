"""Receives an exception whatever the other callbacks of the Trainer do."""

from __future__ import annotations

from collections.abc import Callable

from lightning_powertrain.callbacks import _lightning as pl


class ExceptionGuard(pl.Callback):
    """Passes ``on_exception`` on before any other callback sees it.

    Lightning calls the callbacks in their order, and stops at the first one that raises in ``on_exception``. It then
    calls no further hook, ``teardown`` included. So a callback that has to undo something puts a guard in front of the
    list for as long as it is at work.

    Args:
        notify: What to do with the Trainer of the failed job; must not raise.
    """

    def __init__(self, notify: Callable[[pl.Trainer], object]) -> None:
        self._notify = notify

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._notify(trainer)

    # Lightning may be iterating over the list: both replace it and leave the old one as it is.

    def begin(self, trainer: pl.Trainer) -> None:
        """Go to the front of the Trainer's callbacks."""
        trainer.callbacks = [self, *trainer.callbacks]  # type: ignore[union-attr]  # not declared by Lightning

    def end(self, trainer: pl.Trainer) -> None:
        """Leave the Trainer's callbacks."""
        others = [each for each in trainer.callbacks if each is not self]  # type: ignore[union-attr]
        trainer.callbacks = others  # type: ignore[union-attr]
