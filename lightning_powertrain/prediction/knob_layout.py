"""Power modes as the physical models see them: counts of cores and clocks relative to their maximum, by role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards import IntArray, Knob, Role

FloatArray = npt.NDArray[np.float64]

# A clock of zero stands for a cluster that is off, whose cores weigh nothing; it must only not be divided by.
_LEAST_CLOCK = 1e-3


@dataclass(frozen=True)
class KnobLayout:
    """What each column of an array of modes acts on.

    Args:
        knobs: The knobs, each with at least one value, in the order of the columns.
    """

    knobs: tuple[Knob, ...]

    @property
    def clusters(self) -> tuple[tuple[int | None, int | None], ...]:
        """Columns of the core count and of the clock of each CPU cluster, None where a board has no such knob.

        The first ``cores`` knob belongs to the first ``cpu`` knob, and so on.
        """
        pairs = tuple(zip_longest(self.columns("cores"), self.columns("cpu")))
        return pairs or ((None, None),)

    def columns(self, role: Role) -> tuple[int, ...]:
        """Columns of the knobs of a role."""
        return tuple(column for column, knob in enumerate(self.knobs) if knob.role == role)

    @property
    def most_cores(self) -> int:
        """Cores with all clusters complete; 1 if no knob counts them."""
        return sum(1 if cores is None else self.knobs[cores].values[-1] for cores, _ in self.clusters)

    def count(self, modes: IntArray, column: int | None) -> FloatArray:
        """Number of cores in each mode, shape ``(n,)``; 1 without a knob."""
        return np.ones(len(modes)) if column is None else modes[:, column].astype(np.float64)

    def relative(self, modes: IntArray, column: int | None) -> FloatArray:
        """Value of a knob over its maximum, shape ``(n,)``; 1 without a knob."""
        if column is None:
            return np.ones(len(modes))
        highest = max(self.knobs[column].values[-1], 1)
        return np.asarray(np.maximum(modes[:, column] / highest, _LEAST_CLOCK), dtype=np.float64)

    def relative_to_role(self, modes: IntArray, role: Role) -> FloatArray:
        """Product of the relative values of all knobs of a role, shape ``(n,)``; 1 without one."""
        factors = [self.relative(modes, column) for column in self.columns(role)]
        return np.asarray(np.prod([np.ones(len(modes)), *factors], axis=0), dtype=np.float64)

    def log_others(self, modes: IntArray) -> FloatArray:
        """Logarithms of the relative values of the knobs of role ``other``, shape ``(k, n)``."""
        logs = [np.log(self.relative(modes, column)) for column in self.columns("other")]
        return np.asarray(logs, dtype=np.float64).reshape(len(logs), len(modes))

    def logs(self, modes: IntArray) -> FloatArray:
        """Logarithms of all knobs over their maxima, shape ``(n, knobs)``; of one more where a knob can be zero.

        Ratios are what matters: from 200 to 400 MHz is as far as from 400 to 800 MHz.
        """
        offset = np.array([1.0 if knob.values[0] == 0 else 0.0 for knob in self.knobs])
        highest = np.array([float(knob.values[-1]) for knob in self.knobs])
        return np.asarray(np.log((np.maximum(modes, 0) + offset) / (highest + offset)), dtype=np.float64)


def layout_of(knobs: Sequence[Knob], modes: IntArray) -> KnobLayout:
    """Layout of the knobs of some modes; one whose table is not known takes the values that these have."""

    def known(knob: Knob, column: int) -> Knob:
        return knob if knob.values else replace(knob, values=tuple(np.unique(modes[:, column]).tolist()))

    return KnobLayout(tuple(known(knob, column) for column, knob in enumerate(knobs)))
