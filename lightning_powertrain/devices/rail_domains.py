"""What the rails of a board feed, by their names: where its watts go."""

from __future__ import annotations

from collections.abc import Mapping

from lightning_powertrain.boards import board_names, load_board
from lightning_powertrain.devices.rails import is_of_whole_board_or_carrier

REST = "rest"
"""What no rail of GPU, CPU, memory or SoC shows: other rails, and losses on the module."""

_FED = (("GPU", "GPU"), ("CPU", "CPU"), ("DDR", "memory"), ("VDDQ", "memory"), ("DRAM", "memory"), ("SOC", "SoC"))
# Rails are read one after another and through filters; if their sum is above the total by more, they overlap.
_MOST_OVER = 1.1


def domain_of(rail: str) -> str:
    """What a rail feeds.

    >>> domain_of("VDD_GPU_SOC"), domain_of("VDD_CPU_GPU_CV"), domain_of("VDDQ_VDD2_1V8AO"), domain_of("SYS5V")
    ('GPU and SoC', 'GPU and CPU', 'memory', 'rest')
    """
    name = rail.upper().replace("VDDRQ", "VDDQ")
    return " and ".join(dict.fromkeys(fed for part, fed in _FED if part in name)) or REST


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
    rest_w = parts_w.pop(REST, 0.0)
    unseen_w = total_w - sum(parts_w.values())
    return {**parts_w, REST: max(rest_w, unseen_w)}
