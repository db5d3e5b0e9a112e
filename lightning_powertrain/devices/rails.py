"""Which power rails make up the total of a board, decided by their names.

A module's own rails are known by name, from the catalogue. Carriers bring power monitors of their own, whose rails feed
the module or stand beside it: NVIDIA's IGX Orin labels such rails ``CVB_ATX_12V`` (mainline Linux,
``tegra234-p3740-0002.dtsi``). Adding them would count power twice, or power that no mode changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from lightning_powertrain.boards import board_names, load_board

_WHOLE_BOARD = ("VIN", "VDD_IN", "POM_5V_IN")
_CARRIER = "CVB_"


@dataclass(frozen=True)
class Total:
    """What the total power of a board is made of.

    Args:
        parts: Names of the rails that are added; empty where nothing gives a total.
        caveat: Why the total may be wrong; empty where the board's own rails are known and all are there.
    """

    parts: tuple[str, ...]
    caveat: str = ""

    @property
    def source(self) -> str:
        """What the total is: a rail, or ``sum:`` and the rails that are added; nothing where there is no rail."""
        return self.parts[0] if len(self.parts) == 1 else f"sum:{'+'.join(self.parts)}" if self.parts else ""


def total_of(names: Sequence[str], own: Sequence[str] = (), whole: str = "sum") -> Total:
    """The total of a board with these rails.

    Args:
        names: Names of the rails that are there.
        own: Names of the module's own rails; empty where the board is not known.
        whole: The rail that carries the whole module, or ``"sum"``.

    >>> total_of(["VDD_IN", "VDD_CPU_GPU_CV", "CVB_ATX_12V"]).source
    'VDD_IN'
    >>> total_of(["GPU", "CPU", "CVB_ATX_12V"], own=["GPU", "CPU"]).source
    'sum:GPU+CPU'
    """
    if not names:
        return Total(())
    if own:
        return _of_known_board(names, own, whole)
    summed = max((each for each in _summed_in_catalogue() if set(each) <= set(names)), key=len, default=())
    if summed:
        return Total(summed)
    carrying = next((name for name in _WHOLE_BOARD if name in names), None)
    if carrying is not None:
        return Total((carrying,))
    parts = tuple(name for name in names if not name.startswith(_CARRIER))
    caveat = "this board's own rails are not known, so those that are added may overlap or belong to its carrier"
    return Total(parts, caveat if parts else "")


def is_of_whole_board_or_carrier(rail: str) -> bool:
    """Whether a rail carries the whole module, or belongs to a carrier, so that other rails are not beside it."""
    return rail in _WHOLE_BOARD or rail.startswith(_CARRIER)


def _of_known_board(names: Sequence[str], own: Sequence[str], whole: str) -> Total:
    candidates = (whole,) if whole == "sum" else (whole, *_WHOLE_BOARD)
    carrying = next((name for name in candidates if name in names), None)
    if carrying is not None:
        return Total((carrying,))
    parts = tuple(name for name in own if name in names)
    missing = ", ".join(name for name in own if name not in names)
    return Total(parts, f"{missing} of this board cannot be seen, so the total is too low" if parts and missing else "")


@lru_cache(maxsize=None)
def _summed_in_catalogue() -> tuple[tuple[str, ...], ...]:
    """The rails of each known board whose rails must all be added."""
    boards = [load_board(name) for name in board_names()]
    return tuple({board.rails for board in boards if board.total == "sum" and board.rails})
