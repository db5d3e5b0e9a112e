"""A knob: one setting of a board and the values that it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from lightning_powertrain.errors import ArgumentError, UnknownTableError

Role = Literal["cores", "cpu", "gpu", "emc", "other"]
"""What a knob acts on. A board with two CPU clusters has two knobs of role ``cpu``."""

PER_MHZ = {"kHz": 1e3, "Hz": 1e6}
"""How many of each unit make a megahertz."""

_UNIT_OF_SUFFIX = {"_khz": "kHz", "_hz": "Hz"}


@dataclass(frozen=True)
class Knob:
    """One setting of a board.

    Args:
        name: Identifier that ends in the unit of its values, such as ``cpu_khz``; a count has no unit.
        role: What the knob acts on.
        values: The values that it takes, ascending, as the kernel prints them; empty when not known.

    Raises:
        ArgumentError: If the role is unknown or the values are not distinct, ascending and non-negative.
    """

    name: str
    role: Role
    values: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.role not in get_args(Role):
            raise ArgumentError.of("role", self.role, ", ".join(get_args(Role)))
        if self.values != tuple(sorted(set(self.values))) or any(value < 0 for value in self.values):
            raise ArgumentError.of(self.name, self.values, "distinct, ascending, non-negative integers")

    @property
    def unit(self) -> str:
        """Unit of the values: ``"kHz"``, ``"Hz"`` or, for a count, ``""``."""
        return unit_of(self.name)

    def at_most(self, cap: int) -> int:
        """The highest value that does not exceed ``cap``, or the lowest there is: what the kernel makes of a cap.

        >>> Knob("gpu_hz", "gpu", (306000000, 408000000)).at_most(400000000)
        306000000

        Raises:
            UnknownTableError: If the knob has no values.
        """
        if not self.values:
            raise UnknownTableError(f"the values of {self.name} are not known: they are read on the board itself.")
        return max((value for value in self.values if value <= cap), default=self.values[0])


def unit_of(name: str) -> str:
    """Unit in which the knob called ``name`` counts.

    >>> unit_of("cpu_khz"), unit_of("gpu_hz"), unit_of("cores")
    ('kHz', 'Hz', '')
    """
    return next((unit for suffix, unit in _UNIT_OF_SUFFIX.items() if name.endswith(suffix)), "")


def label_of(name: str) -> str:
    """The name of a knob without its unit, for people.

    >>> label_of("a57_khz"), label_of("cores")
    ('a57', 'cores')
    """
    unit = unit_of(name)
    return (name[: -len(f"_{unit}")] if unit else name).replace("_", " ")
