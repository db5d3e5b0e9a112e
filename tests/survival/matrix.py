"""The cells of the matrix, and the few of them that are enough for every day."""

from __future__ import annotations

import os
from typing import Tuple

from survival.event import KINDS, MOMENTS

Cell = Tuple[str, str, str]
"""A loop, a kind of event, and its moment."""

CELLS: list[Cell] = [
    *(("Lightning", kind, moment) for kind in KINDS for moment in MOMENTS),
    *(
        ("plain", kind, moment)
        for kind in KINDS
        for moment in ("measuring", "restoring")
        if kind != "exception in another callback"
    ),
]

# Kinds that end in the same way.
_FAMILIES = {
    **dict.fromkeys(("SIGKILL", "SIGHUP", "both killed"), "the job dies"),
    **dict.fromkeys(("SIGTERM", "SIGINT"), "the job receives a signal to end"),
    **dict.fromkeys(("exception in the training step", "exception in another callback"), "the user's error"),
    **dict.fromkeys(("helper killed", "helper asked to end"), "the helper dies"),
    **dict.fromkeys(("write refused", "kernel busy", "full disk"), "the board fails"),
    "exception in our own code": "our own error",
}
# Moments at which the board is in the same kind of mode.
_STAGES = {
    "before the first mode": "start mode",
    **dict.fromkeys(("settling", "measuring", "fitting", "during validation"), "a mode of the profile"),
    "locked": "chosen mode",
    "restoring": "between two modes",
}


def pairs(cell: Cell) -> set[tuple[str, str]]:
    """What meets in a cell."""
    loop, kind, moment = cell
    return {(loop, kind), (loop, moment), (kind, _STAGES[moment]), (_FAMILIES[kind], moment)}


def pairwise(cells: list[Cell]) -> list[Cell]:
    """Few cells in which everything meets that meets in all of them: greedily, and the same ones every time."""
    missing = {pair for cell in cells for pair in pairs(cell)}
    chosen: list[Cell] = []
    while missing:
        chosen.append(max(cells, key=lambda cell: len(pairs(cell) & missing)))
        missing -= pairs(chosen[-1])
    return chosen


PLAYED = CELLS if os.environ.get("SURVIVAL") == "full" else pairwise(CELLS)
"""The cells of this run: ``.ci/survival`` plays all."""
