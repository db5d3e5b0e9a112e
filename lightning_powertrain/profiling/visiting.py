"""In which order to visit modes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from lightning_powertrain.boards import ModeSpace, PowerMode


def visiting_order(space: ModeSpace, modes: Iterable[PowerMode], seed: int = 0) -> list[PowerMode]:
    """Modes with the same cores one after the other, since cores are slow to come and go; the rest at random.

    Neither cores nor anything else rises from visit to visit, so that power does not, and temperature with it: what a
    board is like when it is hot must not be learnt as what its fast modes are like.

    Args:
        space: The modes that there are.
        modes: The modes to visit.
        seed: Makes the order reproducible.
    """
    cores = [knob.name for knob in space.knobs if knob.role == "cores"]
    rng = np.random.default_rng(seed)
    groups: dict[tuple[int, ...], list[PowerMode]] = defaultdict(list)
    for mode in modes:
        groups[tuple(mode[name] for name in cores)].append(mode)
    ordered = [groups[key] for key in sorted(groups)]
    return [
        group[row]
        for visit in rng.permutation(len(ordered))
        for group in [ordered[visit]]
        for row in rng.permutation(len(group))
    ]
