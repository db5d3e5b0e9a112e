"""Which modes a characterization measures, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from lightning_powertrain.boards import IntArray, ModeSpace, PowerMode
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.profiling import latin_hypercube_rows
from lightning_powertrain.tuning.candidate_pool import CandidatePool

DEFAULT_MODES = 300
"""The default predictor looks at 300 modes of a reference at most."""

DEFAULT_MINUTES = 120.0

# A large board is sampled from so many of its modes, drawn at random.
_POOL = 20_000
# The first modes, which are measured four times, and a corner or two.
_FEWEST = 10


@dataclass(frozen=True)
class CharacterizationPlan:
    """How a board is characterized.

    Args:
        modes: How many modes to measure; fewer on a board that has fewer.
        minutes: No further mode is begun after so many minutes.
        power_limit_w: Never measure a mode that may draw more than this, in watts; None without a limit.
        seed: Makes the choice of modes, order included, reproducible.

    Raises:
        ArgumentError: If a value is not valid.
    """

    modes: int = DEFAULT_MODES
    minutes: float = DEFAULT_MINUTES
    power_limit_w: float | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.modes < _FEWEST:
            raise ArgumentError.of("modes", self.modes, f"a whole number from {_FEWEST} up")
        for name, value in (("minutes", self.minutes), ("power_limit", self.power_limit_w)):
            if value is not None and not value > 0:
                raise ArgumentError.of(name, value, "a number above 0")

    def design(self, space: ModeSpace) -> list[PowerMode]:
        """The modes to measure: the corners of the board, and others that cover each knob evenly.

        The highest mode comes first, the others in random order, so that any beginning of the list covers the board
        too, and temperature is not confused with the effect of a knob.

        >>> from lightning_powertrain.boards import load_board
        >>> space = load_board("orin-agx-64gb").modes
        >>> modes = CharacterizationPlan(modes=50).design(space)
        >>> len(set(modes)), modes[0] == space.highest, space.lowest in modes
        (50, True, True)
        """
        count = min(self.modes, len(space))
        rng = np.random.default_rng(self.seed)
        corners = _corners(space, rng)[: max(2, count // 2)]
        pool = np.setdiff1d(CandidatePool(space, self.seed).pool(max(count, _POOL)), corners)
        spread = [int(pool[row]) for row in _spread_rows(space.array[pool], count - len(corners), self.seed)]
        others = [*corners[1:], *spread]
        rng.shuffle(others)
        return [space.mode(row) for row in (corners[0], *others)]


def _corners(space: ModeSpace, rng: np.random.Generator) -> list[int]:
    """Rows of the modes with every knob at one end of its table: the highest first, the lowest, the rest at random."""
    ends = [dict.fromkeys((knob.values[0], knob.values[-1])) for knob in space.knobs]
    corners = [PowerMode(**dict(zip(space.names, values))) for values in product(*ends)]
    first, rest = space.rows_of([space.highest, space.lowest]), space.rows_of(corners)
    return list(dict.fromkeys([*first.tolist(), *rng.permutation(rest).tolist()]))


def _spread_rows(modes: IntArray, count: int, seed: int) -> list[int]:
    return latin_hypercube_rows(modes, count, seed).tolist() if count > 0 else []
