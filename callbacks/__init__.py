"""The Lightning callbacks: they translate Trainer events and decide nothing.

They are loaded when they are first used: every Trainer looks at :mod:`.autoload`, which must cost nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightning_powertrain.callbacks.power_monitor import PowerMonitor
    from lightning_powertrain.callbacks.powertrain import PowerTrainCallback

_MODULE_OF = {"PowerMonitor": "power_monitor", "PowerTrainCallback": "powertrain"}

__all__ = ["PowerMonitor", "PowerTrainCallback"]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
    import_module(f"{__name__}._lightning").inherit_from_loaded()  # A Lightning may be loaded by now.
    return found
