"""The memory controller's clock, EMC: a ceiling for it, and a way to pin it, in each generation's own files."""

from __future__ import annotations

import errno
from collections.abc import Callable

from virtual_board.nodes import Directory, Tree, read_only, refuse, settable
from virtual_board.parsing import LONG_MAX, rounded_down, scanned, strict

DEBUG = "/sys/kernel/debug"
CLOCK = f"{DEBUG}/bpmp/debug/clk/emc"


class Emc:
    """State of the EMC clock on JetPack 4 to 6. The firmware rounds every rate down to its table, and says nothing.

    Args:
        table_hz: Rates that the firmware knows.
        load: The load now, from 0 to 1.
    """

    def __init__(self, table_hz: tuple[int, ...], load: Callable[[], float]) -> None:
        self._table_hz = table_hz
        self._load = load
        self._iso_cap_hz = 0
        self._cap_hz: int | None = None
        self._pinned_hz = table_hz[-1]
        self._is_locked = 0

    @property
    def rate_hz(self) -> int:
        """The rate that runs: pinned, or the ceiling under load and the floor without."""
        ceiling_hz = self._table_hz[-1] if self._cap_hz is None else self._cap_hz
        if self._is_locked:
            return min(self._pinned_hz, ceiling_hz)
        return ceiling_hz if self._load() > 0 else self._table_hz[0]

    def place_iso_cap(self, tree: Tree) -> None:
        """JetPack 4 and 5: reads what was written; 0 is no cap; closed to all but root and its group."""
        tree.place(
            "/sys/kernel/nvpmodel_emc_cap/emc_iso_cap", settable(lambda: self._iso_cap_hz, self.store_iso_cap, 0o660)
        )

    def place_clk_cap(self, tree: Tree) -> None:
        """JetPack 6: reads what the clock rounds to; 0 is the lowest rate; everybody may read."""
        tree.place(
            "/sys/kernel/nvpmodel_clk_cap/emc",
            settable(lambda: LONG_MAX if self._cap_hz is None else self._cap_hz, self.store_clk_cap, 0o664),
        )

    def place_debugfs(self, tree: Tree, *, rates_in_one_file: bool) -> None:
        """The firmware's own clock, in a debugfs that only root can enter."""
        tree.place(DEBUG, Directory(mode=0o700))
        files = {
            "mrq_rate_locked": settable(lambda: self._is_locked, self._store_locked, size=0),
            "rate": settable(lambda: self.rate_hz, self._store_rate, size=0),
            "state": settable(lambda: 1, lambda text: _discard(strict(text)), size=0),
            "min_rate": read_only(lambda: self._table_hz[0], size=0),
            "max_rate": read_only(lambda: self._table_hz[-1], size=0),
        }
        for name, file in files.items():
            tree.place(f"{CLOCK}/{name}", file)
        rates_khz = [rate_hz // 1000 for rate_hz in self._table_hz]
        if rates_in_one_file:
            tree.place(
                f"{DEBUG}/bpmp/debug/emc/possible_rates",
                read_only(lambda: " ".join(map(str, rates_khz)) + " (kHz)", size=0),
            )
        else:
            for rate_khz in rates_khz:
                tree.place(f"{DEBUG}/bpmp/debug/emc/tables/regular/{rate_khz}", Directory())

    def store_iso_cap(self, text: str) -> None:
        self._iso_cap_hz = scanned(text)
        self._cap_hz = rounded_down(self._iso_cap_hz, self._table_hz) if self._iso_cap_hz else None

    def store_clk_cap(self, text: str) -> None:
        cap_hz = strict(text)
        self._cap_hz = None if cap_hz >= LONG_MAX else rounded_down(cap_hz, self._table_hz)

    def _store_locked(self, text: str) -> None:
        locked = strict(text)
        if locked not in (0, 1):
            raise refuse(errno.EINVAL)
        if locked and not self._is_locked:
            self._pinned_hz = self.rate_hz
        self._is_locked = locked

    def _store_rate(self, text: str) -> None:
        """Without the lock the bandwidth manager asks for its own rate again at once."""
        rate_hz = strict(text)
        if self._is_locked:
            self._pinned_hz = rounded_down(rate_hz, self._table_hz)


def _discard(value: int) -> None:
    pass
