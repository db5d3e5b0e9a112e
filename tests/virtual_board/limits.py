"""A floor and a ceiling on a frequency, as cpufreq and devfreq keep them."""

from __future__ import annotations

import errno
from collections.abc import Callable

from virtual_board.nodes import refuse
from virtual_board.parsing import rounded_down, rounded_up, scanned


class Limits:
    """Two requests, and what the kernel makes of them.

    Old kernels (4.9) refuse a floor above the ceiling with EINVAL. Newer ones keep both requests (PM-QoS) and cut the
    floor down for as long as it lies above the ceiling: it springs up again once the ceiling rises.

    Args:
        table: The frequencies that there are, ascending.
        refuses_crossing: Whether the kernel is an old one.
    """

    def __init__(self, table: tuple[int, ...], *, refuses_crossing: bool) -> None:
        self.table = table
        self._refuses_crossing = refuses_crossing
        self._floor: int | None = None
        self._ceiling: int | None = None

    @property
    def ceiling(self) -> int:
        """Highest frequency allowed, in the table."""
        return self.table[-1] if self._ceiling is None else rounded_down(self._ceiling, self.table)

    @property
    def floor(self) -> int:
        """Lowest frequency allowed, in the table, never above the ceiling."""
        wanted = self.table[0] if self._floor is None else rounded_up(self._floor, self.table)
        return min(wanted, self.ceiling)

    @property
    def is_capped(self) -> bool:
        """Whether anybody asked for a ceiling."""
        return self._ceiling is not None

    def set_floor(self, value: int | None) -> None:
        if value is not None and self._refuses_crossing and value > self.ceiling:
            raise refuse(errno.EINVAL)
        self._floor = value

    def set_ceiling(self, value: int | None) -> None:
        if value is not None and self._refuses_crossing and value < self.floor:
            raise refuse(errno.EINVAL)
        self._ceiling = value

    def store(self, setter: Callable[[int | None], None]) -> Callable[[str], None]:
        """What a write of text to one of the two files does."""
        return lambda text: setter(scanned(text))


class Governor:
    """A governor's name, and which frequency it picks between two limits.

    Args:
        name: The one at boot.
        known: All that can be chosen.
    """

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        self.name = name
        self.known = known

    def store(self, text: str) -> None:
        if text.strip() not in self.known:
            raise refuse(errno.EINVAL)
        self.name = text.strip()

    def pick(self, limits: Limits, load: float) -> int:
        """The frequency under a load from 0 to 1: a busy domain runs at its ceiling, an idle one at its floor."""
        busy = {"performance": True, "powersave": False}.get(self.name, load > 0)
        return limits.ceiling if busy else limits.floor
