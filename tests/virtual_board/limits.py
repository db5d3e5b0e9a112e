"""A floor and a ceiling on a frequency, as cpufreq and devfreq keep them."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Protocol

from virtual_board.kernels import Kernel
from virtual_board.nodes import refuse
from virtual_board.parsing import rounded_down, rounded_up, scanned

_HZ_PER_KHZ = 1000


class Limits(Protocol):
    """What the two files of a clock show."""

    table: tuple[int, ...]

    @property
    def floor(self) -> int: ...

    @property
    def ceiling(self) -> int: ...


class CpuLimits:
    """Limits of a cpufreq policy in kHz: the requests of the user, and what the kernel makes of them.

    A cooling device lays its cap over the requests, and the files show the lower of the two (measured on 5.10.223). The
    requests are kept, and show again once the board has cooled.

    Args:
        table: The frequencies that there are, ascending.
        kernel: How cpufreq behaves.
        cap: The cap of the cooling device now; None without one.
    """

    def __init__(self, table: tuple[int, ...], kernel: Kernel, cap: Callable[[], int | None]) -> None:
        self.table = table
        self._kernel = kernel
        self._cap = cap
        self._floor = table[0]
        self._ceiling = table[-1]

    @property
    def floor(self) -> int:
        return self._shown(self._cap())[0]

    @property
    def ceiling(self) -> int:
        return self._shown(self._cap())[1]

    @property
    def cool_floor(self) -> int:
        """What the file shows once the board has cooled."""
        return self._shown(None)[0]

    @property
    def cool_ceiling(self) -> int:
        """What the file shows once the board has cooled."""
        return self._shown(None)[1]

    def set_floor(self, khz: int) -> None:
        if self._kernel.refuses_crossing and khz > self.ceiling:
            raise refuse(errno.EINVAL)
        self._floor = khz

    def set_ceiling(self, khz: int) -> None:
        if self._kernel.refuses_crossing and khz < self.floor:
            raise refuse(errno.EINVAL)
        self._ceiling = khz

    def _shown(self, cap: int | None) -> tuple[int, int]:
        """5.10.223 raises a maximum that leaves no value of the table, and rounds nothing; 6.1 rounds after that."""
        lowest, highest = self.table[0], self.table[-1]
        high = min(max(self._ceiling, lowest), highest, highest if cap is None else cap)
        low = min(max(self._floor, lowest), high)
        if not any(low <= khz <= high for khz in self.table):
            high = rounded_up(high, self.table)
        if self._kernel.rounds_cpu_limits:
            return rounded_up(low, self.table), rounded_down(high, self.table)
        return low, high


class DevfreqLimits:
    """Limits of a devfreq device in Hz.

    From 5.10 on they are kept in kHz, in 32 bits, clipped to the table's ends and not rounded to it: read in 5.10, and
    measured on 5.10.223 and 6.1.

    Args:
        table: The frequencies that there are, ascending.
    """

    def __init__(self, table: tuple[int, ...]) -> None:
        self.table = table
        self._floor_khz = 0
        self._ceiling_khz: int | None = None

    @property
    def floor(self) -> int:
        return min(max(self._floor_khz * _HZ_PER_KHZ, self.table[0]), self.ceiling)

    @property
    def ceiling(self) -> int:
        highest = self.table[-1]
        return highest if self._ceiling_khz is None else min(highest, self._ceiling_khz * _HZ_PER_KHZ)

    @property
    def shown_ceiling(self) -> int:
        return self.ceiling

    @property
    def is_capped(self) -> bool:
        """Whether anybody asked for a ceiling."""
        return self._ceiling_khz is not None

    def set_floor(self, hz: int) -> None:
        self._floor_khz = max(_in_32_bits(hz // _HZ_PER_KHZ), 0)

    def set_ceiling(self, hz: int) -> None:
        """Nought takes the ceiling away; so does what is negative in 32 bits, such as LONG_MAX."""
        khz = _in_32_bits((hz + _HZ_PER_KHZ - 1) % 2**64 // _HZ_PER_KHZ)
        self._ceiling_khz = khz if hz and khz >= 0 else None


class OldDevfreqLimits:
    """Limits of a devfreq device on 4.9 in Hz: as written, but a floor above the ceiling is refused; nought is none.

    Read in 4.9: ``max_freq`` shows the nought, ``min_freq`` the lowest frequency.

    Args:
        table: The frequencies that there are, ascending.
    """

    is_capped = True

    def __init__(self, table: tuple[int, ...]) -> None:
        self.table = table
        self._floor = 0
        self._ceiling = table[-1]

    @property
    def floor(self) -> int:
        return self._floor or self.table[0]

    @property
    def ceiling(self) -> int:
        return self._ceiling or self.table[-1]

    @property
    def shown_ceiling(self) -> int:
        return self._ceiling

    def set_floor(self, hz: int) -> None:
        if hz and self._ceiling and hz > self._ceiling:
            raise refuse(errno.EINVAL)
        self._floor = hz

    def set_ceiling(self, hz: int) -> None:
        if hz and hz < self._floor:
            raise refuse(errno.EINVAL)
        self._ceiling = hz


def storing(setter: Callable[[int], None]) -> Callable[[str], None]:
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
        highest = rounded_down(limits.ceiling, limits.table)
        busy = {"performance": True, "powersave": False}.get(self.name, load > 0)
        return highest if busy else min(rounded_up(limits.floor, limits.table), highest)


def _in_32_bits(value: int) -> int:
    """A number as a C ``int`` keeps it."""
    return (value + 2**31) % 2**32 - 2**31
