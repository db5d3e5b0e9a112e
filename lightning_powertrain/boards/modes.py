"""Power modes, the space of all of them, and their printed form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Mapping

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards.knobs import PER_MHZ, Knob, Role, label_of, unit_of
from lightning_powertrain.errors import ArgumentError, ModeError

IntArray = npt.NDArray[np.int64]


class PowerMode(Mapping[str, int]):
    """One value per knob; immutable, hashable, equal to any mapping with the same items.

    >>> mode = PowerMode(cores=4, cpu_khz=1113600, gpu_hz=408000000)
    >>> mode["cores"]
    4
    >>> print(mode)
    4 cores, cpu 1113.6 MHz, gpu 408 MHz
    """

    __slots__ = ("_values",)

    def __init__(self, **values: int) -> None:
        self._values = values

    def __getitem__(self, name: str) -> int:
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    def __repr__(self) -> str:
        return f"PowerMode({', '.join(f'{name}={value}' for name, value in self._values.items())})"

    def __str__(self) -> str:
        return ", ".join(_describe(name, value) for name, value in self._values.items())


def _describe(name: str, value: int) -> str:
    unit, label = unit_of(name), label_of(name)
    if unit:
        return f"{label} {value / PER_MHZ[unit]:.5g} MHz"
    return f"1 {label[:-1]}" if value == 1 and label.endswith("s") else f"{value} {label}"


@dataclass(frozen=True)
class ModeSpace:
    """Every combination of the values of some knobs, in lexicographic order (the last knob varies fastest).

    Args:
        knobs: The knobs, each with at least one value.

    Raises:
        ArgumentError: If there is no knob, two share a name, or one has no values.
    """

    knobs: tuple[Knob, ...]

    def __post_init__(self) -> None:
        names = [knob.name for knob in self.knobs]
        if not names or len(set(names)) < len(names):
            raise ArgumentError.of("knobs", names, "at least one knob, each name once")
        for knob in self.knobs:
            if not knob.values:
                raise ArgumentError.of(knob.name, knob.values, "at least one value")

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the knobs: the columns of :attr:`array`."""
        return tuple(knob.name for knob in self.knobs)

    @property
    def roles(self) -> tuple[Role, ...]:
        """Roles of the knobs, column by column."""
        return tuple(knob.role for knob in self.knobs)

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values of each knob."""
        return tuple(len(knob.values) for knob in self.knobs)

    def __len__(self) -> int:
        return int(np.prod(self.shape))

    @cached_property
    def array(self) -> IntArray:
        """All modes, shape ``(len(self), len(self.knobs))``, in the units of the knobs; read-only."""
        levels = np.indices(self.shape).reshape(len(self.knobs), -1)
        columns = [np.asarray(knob.values, dtype=np.int64)[level] for knob, level in zip(self.knobs, levels)]
        modes = np.stack(columns, axis=1)
        modes.flags.writeable = False
        return modes

    @cached_property
    def levels(self) -> npt.NDArray[np.int16]:
        """Which value of its table each knob takes, in the shape of :attr:`array`; read-only."""
        levels = [np.searchsorted(knob.values, column) for knob, column in zip(self.knobs, self.array.T)]
        stacked = np.stack(levels, axis=1).astype(np.int16)
        stacked.flags.writeable = False
        return stacked

    def rows_at(self, levels: npt.NDArray[np.integer[Any]]) -> IntArray:
        """Rows of the modes at some :attr:`levels`, shape ``(n, len(self.knobs))``, without those that do not exist."""
        exist = ((levels >= 0) & (levels < self.shape)).all(axis=1)
        rows: IntArray = np.ravel_multi_index(tuple(levels[exist].T), self.shape).astype(np.int64)
        return rows

    def mode(self, index: int) -> PowerMode:
        """The mode in row ``index`` of :attr:`array`.

        Raises:
            ArgumentError: If there is no such row.
        """
        self._check_row(index)
        levels = np.unravel_index(index, self.shape)
        return PowerMode(**{knob.name: knob.values[int(level)] for knob, level in zip(self.knobs, levels)})

    def _check_row(self, index: int) -> None:
        if not 0 <= index < len(self):
            raise ArgumentError.of("index", index, f"a whole number from 0 to {len(self) - 1}")

    def index(self, mode: Mapping[str, int]) -> int:
        """The row of ``mode`` in :attr:`array`.

        Raises:
            ModeError: If the mode lacks a knob, has one too many, or holds a value that is not in the tables.
        """
        if set(mode) != set(self.names):
            raise ModeError(
                f"mode {dict(mode)} is not valid. It must set exactly these knobs: {', '.join(self.names)}."
            )
        for knob in self.knobs:
            if mode[knob.name] not in knob.values:
                allowed = ", ".join(map(str, knob.values))
                raise ModeError(f"{knob.name}={mode[knob.name]} is not in this board's table. Allowed: {allowed}.")
        levels = [knob.values.index(mode[knob.name]) for knob in self.knobs]
        return int(np.ravel_multi_index(levels, self.shape))

    def __iter__(self) -> Iterator[PowerMode]:
        return map(self.mode, range(len(self)))

    def __contains__(self, mode: object) -> bool:
        return (
            isinstance(mode, Mapping)
            and set(mode) == set(self.names)
            and all(mode[knob.name] in knob.values for knob in self.knobs)
        )

    def rows(self, modes: Iterable[Mapping[str, int]]) -> IntArray:
        """Modes as an array, shape ``(n, len(self.knobs))``; they need not be in this space."""
        rows = [[mode[name] for name in self.names] for mode in modes]
        return np.asarray(rows, dtype=np.int64).reshape(-1, len(self.knobs))

    def rows_of(self, modes: Iterable[Mapping[str, int]]) -> IntArray:
        """Rows in :attr:`array` of those of some modes that are in this space."""
        return np.array([self.index(mode) for mode in modes if mode in self], dtype=np.int64)

    def subset(self, values: Mapping[str, Sequence[int]]) -> ModeSpace:
        """The space in which some knobs take only the given values.

        Raises:
            ModeError: If a knob does not exist or a value is not in its table.
        """
        tables = {knob.name: knob.values for knob in self.knobs}
        for name, wanted in values.items():
            if name not in tables:
                raise ModeError(f"{name} is not a knob of this board. Allowed: {', '.join(tables)}.")
            missing = sorted(set(wanted) - set(tables[name]))
            if missing:
                allowed = ", ".join(map(str, tables[name]))
                raise ModeError(f"{name}={missing[0]} is not in this board's table. Allowed: {allowed}.")
        return ModeSpace(tuple(replace(knob, values=tuple(values.get(knob.name, knob.values))) for knob in self.knobs))

    def at_most(self, caps: Mapping[str, int]) -> PowerMode:
        """The highest mode under some caps; a knob without one is at its maximum."""
        return PowerMode(**{knob.name: knob.at_most(caps.get(knob.name, knob.values[-1])) for knob in self.knobs})

    @property
    def lowest(self) -> PowerMode:
        """The mode with everything at its minimum."""
        return self.mode(0)

    @property
    def highest(self) -> PowerMode:
        """The mode with everything at its maximum."""
        return self.at_most({})


def parse_mode(text: str, modes: ModeSpace) -> PowerMode:
    """The mode that is printed as ``text``.

    >>> from lightning_powertrain.boards import load_board
    >>> modes = load_board("orin-nano-8gb").modes
    >>> parse_mode(str(modes.lowest), modes) == modes.lowest
    True

    Args:
        text: What ``str(mode)`` gives, in any order and case.
        modes: The modes of the board.

    Raises:
        ArgumentError: If a knob is missing or there is something else; or if the board has no such mode. The message
            then names the nearest.
    """
    parts = [" ".join(part.split()).lower() for part in text.split(",")]
    wanted = {knob.name: _wanted(knob, parts) for knob in modes.knobs}
    values = {name: value for name, value in wanted.items() if value is not None}
    if len(values) < len(wanted) or len(parts) != len(wanted):
        raise ArgumentError.of("MODE", text, f'a value of each knob of this board, as in "{modes.highest}"')
    near = modes.at_most({knob.name: _nearest(knob, values[knob.name]) for knob in modes.knobs})
    if sorted(parts) != sorted(str(near).lower().split(", ")):
        raise ArgumentError.of("MODE", text, "values of this board's own tables", str(near))
    return near


def _wanted(knob: Knob, parts: Sequence[str]) -> float | None:
    """The value that one of the parts gives a knob, in the knob's unit."""
    label = label_of(knob.name)
    pattern = rf"{label} ([0-9]+(?:\.[0-9]+)?) mhz" if knob.unit else rf"([0-9]+) {label}?"
    found = [match for part in parts if (match := re.fullmatch(pattern, part))]
    return float(found[0][1]) * PER_MHZ.get(knob.unit, 1.0) if found else None


def _nearest(knob: Knob, wanted: float) -> int:
    return min(knob.values, key=lambda value: abs(value - wanted))
