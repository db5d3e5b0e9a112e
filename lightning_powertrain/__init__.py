"""Finds the power mode in which a Jetson should train, during the first minibatches of the job itself.

The public names are loaded when they are first used: importing this package costs next to nothing, and the engine
works where Lightning is not installed.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightning_powertrain.boards import Board, Knob, ModeSpace, PowerMode, board_names, load_board
    from lightning_powertrain.callbacks import PowerMonitor, PowerTrainCallback
    from lightning_powertrain.devices import BaseDevice, SimulatedDevice, open_device
    from lightning_powertrain.errors import PowerTrainError
    from lightning_powertrain.prediction import (
        BasePredictor,
        GreyBoxTransfer,
        NearestReference,
        Prediction,
        ReferenceProfile,
        load_reference,
    )
    from lightning_powertrain.prediction.baselines import PaperNetworks, PaperTransfer
    from lightning_powertrain.profiling import Measurement, Profile
    from lightning_powertrain.reporting import ConsoleReporter
    from lightning_powertrain.selection import Objective, Schedule, Selection
    from lightning_powertrain.tuner import Tuner
    from lightning_powertrain.tuning import Observer, Outcome, Phase, ProfilingOptions

_ROOMS = {
    "boards": ("Board", "Knob", "ModeSpace", "PowerMode", "board_names", "load_board"),
    "callbacks": ("PowerMonitor", "PowerTrainCallback"),
    "devices": ("BaseDevice", "SimulatedDevice", "open_device"),
    "errors": ("PowerTrainError",),
    "prediction": (
        "GreyBoxTransfer",
        "NearestReference",
        "Prediction",
        "BasePredictor",
        "ReferenceProfile",
        "load_reference",
    ),
    "prediction.baselines": ("PaperNetworks", "PaperTransfer"),
    "profiling": ("Measurement", "Profile"),
    "reporting": ("ConsoleReporter",),
    "selection": ("Objective", "Schedule", "Selection"),
    "tuner": ("Tuner",),
    "tuning": ("Observer", "Outcome", "Phase", "ProfilingOptions"),
}
_ROOM_OF = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = [
    "BaseDevice",
    "BasePredictor",
    "Board",
    "ConsoleReporter",
    "GreyBoxTransfer",
    "Knob",
    "Measurement",
    "ModeSpace",
    "NearestReference",
    "Objective",
    "Observer",
    "Outcome",
    "PaperNetworks",
    "PaperTransfer",
    "Phase",
    "PowerMode",
    "PowerMonitor",
    "PowerTrainCallback",
    "PowerTrainError",
    "Prediction",
    "Profile",
    "ProfilingOptions",
    "ReferenceProfile",
    "Schedule",
    "Selection",
    "SimulatedDevice",
    "Tuner",
    "board_names",
    "load_board",
    "load_reference",
    "open_device",
]


def __getattr__(name: str) -> Any:
    if name not in _ROOM_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOM_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
