"""One callback class for both Lightnings, which imports neither on its own account.

``pytorch_lightning`` and ``lightning`` hold the same code twice, and a Trainer of one refuses callbacks of the other.
Importing the package that a job does not use has side effects: it redirects the log messages of the one it uses. So
:class:`Callback` inherits from the Callback of each package that the program has loaded, and of no other. It looks for
them again whenever a callback is created, and whenever a Trainer asks for callbacks (:mod:`.autoload`).
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Union

    import lightning.pytorch  # type: ignore[import-not-found, unused-ignore]
    import pytorch_lightning

    LightningModule = Union[lightning.pytorch.LightningModule, pytorch_lightning.LightningModule]
    Trainer = Union[lightning.pytorch.Trainer, pytorch_lightning.Trainer]

    class Callback(lightning.pytorch.Callback, pytorch_lightning.Callback):  # type: ignore[misc, unused-ignore]
        """The Callback of every Lightning that is loaded."""

else:
    LightningModule = Trainer = Any

    class _NothingLoaded:
        """Base class as long as no Lightning is loaded."""

    class Callback(_NothingLoaded):
        """The Callback of every Lightning that is loaded."""

        def __new__(cls, *_args: Any, **_options: Any) -> Any:
            if not inherit_from_loaded():
                _load_the_only_one()
            return super().__new__(cls)


_PACKAGES = ("lightning.pytorch", "pytorch_lightning")


def inherit_from_loaded() -> bool:
    """Make :class:`Callback` a subclass of the Callback of each Lightning that is loaded; whether there is one."""
    loaded = [getattr(sys.modules.get(package), "Callback", None) for package in _PACKAGES]
    bases = tuple(base for base in loaded if base is not None)
    if bases and Callback.__bases__ != bases:
        Callback.__bases__ = bases
    return bool(bases)


def _load_the_only_one() -> None:
    """Load the Lightning that is installed; where both are, the one that the job uses is not known yet."""
    installed = [package for package in _PACKAGES if find_spec(package.partition(".")[0]) is not None]
    if len(installed) == 1:
        import_module(installed[0])
        inherit_from_loaded()


def _check_that_one_is_installed() -> None:
    if not any(find_spec(package.partition(".")[0]) for package in _PACKAGES):
        raise ModuleNotFoundError(
            "The callbacks need Lightning: install pytorch_lightning (`pip install pytorch-lightning`) or lightning"
        )


if not inherit_from_loaded():
    _check_that_one_is_installed()
