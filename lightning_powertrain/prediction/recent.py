"""Keeps what was computed lately for an array of modes: a search asks for the same modes again and again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from lightning_powertrain.boards import IntArray

Value = TypeVar("Value")

# One decision asks for a sample of all modes and, a few times, for the neighbours of some.
_MOST = 8


class Recent(Generic[Value]):
    """The last few values, by the modes that they were computed for and anything else that they depend on."""

    def __init__(self) -> None:
        self._values: OrderedDict[Hashable, Value] = OrderedDict()

    def get(self, modes: IntArray, compute: Callable[[], Value], *others: Hashable) -> Value:
        """The value for some modes; computed if it is not known."""
        key = (modes.shape, modes.tobytes(), *others)
        if key not in self._values:
            self._values[key] = compute()
            if len(self._values) > _MOST:
                self._values.popitem(last=False)
        self._values.move_to_end(key)
        return self._values[key]
