"""What a board is: its knobs, its power modes, its stock presets."""

from lightning_powertrain.boards.board import Board, Preset
from lightning_powertrain.boards.catalog import board_names, load_board
from lightning_powertrain.boards.knobs import Knob, Role
from lightning_powertrain.boards.listed_modes import ListedModes
from lightning_powertrain.boards.modes import IntArray, ModeSpace, PowerMode

__all__ = [
    "Board",
    "IntArray",
    "Knob",
    "ListedModes",
    "ModeSpace",
    "PowerMode",
    "Preset",
    "Role",
    "board_names",
    "load_board",
]
