"""Fingerprints: what a profile holds for, as canonical text. Equal facts give equal text, on any Python."""

from __future__ import annotations

import json
from collections.abc import Mapping

from lightning_powertrain.devices import BaseDevice


def canonical(facts: Mapping[str, object]) -> str:
    """Facts as text that depends on nothing but them: neither on their order nor on the process.

    It is JSON, one fact a line, so that two of them can be compared by eye.

    Args:
        facts: Whatever JSON can hold.

    >>> canonical({"b": [1, 2], "a": None}) == canonical({"a": None, "b": (1, 2)})
    True
    """
    return json.dumps(facts, sort_keys=True, indent=1)


def board_fingerprint(device: BaseDevice) -> str:
    """What must be equal for a profile to hold on a board.

    That is the kind of board, its own tables, and whether it is simulated; of a real one, as far as they can be read,
    also the serial number (chips of one kind differ in leakage, and boards in cooling), the L4T release, and which GPU
    clusters its stock mode has switched off.
    """
    board = device.board
    return canonical(
        {
            "board": board.key,
            "title": board.title,
            "identity": dict(board.identity),
            "simulated": device.simulated,
            "knobs": {knob.name: [knob.role, *knob.values] for knob in device.modes.knobs},
        }
    )


def named_fingerprint(workload: str) -> str:
    """Fingerprint of a workload of which nothing is known but a name that its owner gave it.

    Rename the workload when it changes.

    >>> print(named_fingerprint("lstm"))
    {
     "named": "lstm"
    }
    """
    return canonical({"named": workload})
