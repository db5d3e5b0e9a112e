"""The modes of a board whose knobs cannot be combined freely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards.modes import IntArray, ModeSpace, PowerMode
from lightning_powertrain.errors import ArgumentError, ModeError


@dataclass(frozen=True)
class ListedModes(ModeSpace):
    """Some combinations of the values of some knobs, in the order in which they are listed.

    A device whose board refuses some combinations sets :attr:`~lightning_powertrain.BaseDevice.modes` to these. No
    other mode is then measured, predicted or chosen.

    Args:
        knobs: The knobs, each with at least one value.
        listed: The modes, each once.

    Raises:
        ArgumentError: If there is no mode, or one is listed twice.
        ModeError: If a mode lacks a knob, has one too many, or holds a value that is not in the tables.

    >>> from lightning_powertrain.boards import load_board
    >>> everything = load_board("orin-nano-8gb").modes
    >>> fast_memory = everything.knobs[-1].values[-1]
    >>> modes = ListedModes(everything.knobs, [each for each in everything if each["emc_hz"] == fast_memory])
    >>> len(everything), len(modes)
    (1800, 600)
    """

    listed: Sequence[PowerMode]

    def __post_init__(self) -> None:
        super().__post_init__()
        modes = []
        for mode in self.listed:
            super().index(mode)  # Raises a ModeError.
            modes.append(PowerMode(**{name: mode[name] for name in self.names}))
        if not modes or len(set(modes)) < len(modes):
            raise ArgumentError.of("listed", f"{len(modes)} modes", "at least one mode, each once")
        object.__setattr__(self, "listed", tuple(modes))

    @cached_property
    def _rows(self) -> dict[PowerMode, int]:
        return {mode: row for row, mode in enumerate(self.listed)}

    def __len__(self) -> int:
        return len(self.listed)

    @cached_property
    def array(self) -> IntArray:
        """The modes, shape ``(len(self), len(self.knobs))``, in the units of the knobs; read-only."""
        modes = self.rows(self.listed)
        modes.flags.writeable = False
        return modes

    @cached_property
    def _by_code(self) -> tuple[IntArray, IntArray]:
        """Sorted rows of the modes among all combinations, and the rows here that belong to them."""
        codes = super().rows_at(self.levels)
        order = np.argsort(codes)
        return codes[order], order.astype(np.int64)

    def rows_at(self, levels: npt.NDArray[np.integer[Any]]) -> IntArray:
        """Rows of the modes at some :attr:`levels`, shape ``(n, len(self.knobs))``, without those that do not exist."""
        codes, rows = self._by_code
        wanted = super().rows_at(levels)
        places = np.minimum(np.searchsorted(codes, wanted), len(codes) - 1)
        found: IntArray = rows[places[codes[places] == wanted]]
        return found

    def mode(self, index: int) -> PowerMode:
        """The mode in row ``index`` of :attr:`array`.

        Raises:
            ArgumentError: If there is no such row.
        """
        self._check_row(index)
        return self.listed[index]

    def index(self, mode: Mapping[str, int]) -> int:
        """The row of ``mode`` in :attr:`array`.

        Raises:
            ModeError: If the mode lacks a knob, has one too many, holds a value that is not in the tables, or is not
                listed.
        """
        super().index(mode)
        row = self._rows.get(PowerMode(**mode))
        if row is None:
            raise ModeError(f"this board has no mode with this combination of values: {PowerMode(**mode)}.")
        return row

    def __contains__(self, mode: object) -> bool:
        return isinstance(mode, Mapping) and mode in self._rows

    def subset(self, values: Mapping[str, Sequence[int]]) -> ListedModes:
        """The listed modes in which some knobs take only the given values.

        Raises:
            ModeError: If a knob does not exist, a value is not in its table, or no listed mode is left.
        """
        knobs = super().subset(values).knobs
        left = [mode for mode in self.listed if all(mode[name] in wanted for name, wanted in values.items())]
        if not left:
            raise ModeError(f"this board has no mode with these values: {dict(values)}.")
        return ListedModes(knobs, left)

    def at_most(self, caps: Mapping[str, int]) -> PowerMode:
        """The listed mode nearest to the highest combination under some caps, if possible itself under the caps."""
        wanted = super().at_most(caps)
        target = np.array([knob.values.index(wanted[knob.name]) for knob in self.knobs])
        is_under = (self.levels <= target).all(axis=1)
        return self._nearest(target, np.flatnonzero(is_under) if is_under.any() else np.arange(len(self)))

    @property
    def lowest(self) -> PowerMode:
        """The listed mode nearest to everything at its minimum."""
        return self._nearest(np.zeros(len(self.knobs), dtype=np.int64), np.arange(len(self)))

    def _nearest(self, target: IntArray, rows: IntArray) -> PowerMode:
        """The mode of some rows whose levels differ least from those of a target, as shares of the tables."""
        tops = np.maximum(np.array(self.shape) - 1, 1)
        distances = (np.abs(self.levels[rows] - target) / tops).sum(axis=1)
        return self.listed[int(rows[distances.argmin()])]
