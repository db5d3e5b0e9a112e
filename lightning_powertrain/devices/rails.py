"""What the power rails of a board feed, and which of them make up its total, decided by their names.

A module's own rails are known by name, from the catalogue. Carriers bring power monitors of their own, whose rails feed
the module or stand beside it: NVIDIA's IGX Orin labels such rails ``CVB_ATX_12V`` (mainline Linux,
``tegra234-p3740-0002.dtsi``). Adding them would count power twice, or power that no mode changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from lightning_powertrain.boards import board_names, load_board

_WHOLE_BOARD = ("VIN", "VDD_IN", "POM_5V_IN")
_CARRIER = "CVB_"

_REST = "rest"
"""What no rail of GPU, CPU, memory or SoC shows: other rails, and losses on the module."""

_FED = (("GPU", "GPU"), ("CPU", "CPU"), ("DDR", "memory"), ("VDDQ", "memory"), ("DRAM", "memory"), ("SOC", "SoC"))
# Rails are read one after another and through filters; if their sum is above the total by more, they overlap.
_MOST_OVER = 1.1


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


def domain_of(rail: str) -> str:
    """What a rail feeds.

    >>> domain_of("VDD_GPU_SOC"), domain_of("VDD_CPU_GPU_CV"), domain_of("VDDQ_VDD2_1V8AO"), domain_of("SYS5V")
    ('GPU and SoC', 'GPU and CPU', 'memory', 'rest')
    """
    name = rail.upper().replace("VDDRQ", "VDDQ")
    return " and ".join(dict.fromkeys(fed for part, fed in _FED if part in name)) or _REST


def watts_by_domain(board: str, rails_w: Mapping[str, float], total_w: float) -> dict[str, float]:
    """The total power of a board, by what it feeds; empty where its rails do not tell.

    Args:
        board: Key of the board.
        rails_w: Power of each rail. Those of a carrier, and those that carry the whole module, are left out.
        total_w: Power of the module.
    """
    own = load_board(board).rails if board in board_names() else ()
    parts_w: dict[str, float] = {}
    for rail, watts in rails_w.items():
        if (not own or rail in own) and not is_of_whole_board_or_carrier(rail):
            parts_w[domain_of(rail)] = parts_w.get(domain_of(rail), 0.0) + watts
    if not parts_w or sum(parts_w.values()) > _MOST_OVER * total_w:
        return {}
    rest_w = parts_w.pop(_REST, 0.0)
    unseen_w = total_w - sum(parts_w.values())
    return {**parts_w, _REST: max(rest_w, unseen_w)}


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
