"""How busy a board says it is: the CPU times of its cores and the activity of its memory controller."""

from __future__ import annotations

from collections.abc import Callable

from virtual_board.cpu import Cpus
from virtual_board.emc import DEBUG
from virtual_board.nodes import KernelFile, Tree, read_only

_TICKS_PER_S = 100
_ACTIVE = 0.4
"""Share of the memory's cycles that move data under full load; made up."""


class CoreTimes:
    """CPU times of the cores, as ``/proc/stat`` shows them: of those that are online, in ticks since boot.

    Args:
        cpus: The cores.
        load: Gives the load now, from 0 to 1: that of every core that is online.
        now: Gives the time in seconds.
    """

    def __init__(self, cpus: Cpus, load: Callable[[], float], now: Callable[[], float]) -> None:
        self._cpus = cpus
        self._load = load
        self._now = now
        self._at_s = now()
        self._busy_s = dict.fromkeys(cpus.cores, 1.0)
        self._idle_s = dict.fromkeys(cpus.cores, 5.0)

    def catch_up(self, load: float) -> None:
        """Count the time since the last call, in which ``load`` was constant."""
        now_s = self._now()
        for core in self._cpus.online:
            self._busy_s[core] += load * (now_s - self._at_s)
            self._idle_s[core] += (1 - load) * (now_s - self._at_s)
        self._at_s = now_s

    def place(self, tree: Tree) -> None:
        """Put ``/proc/stat`` into a tree."""
        tree.place("/proc/stat", KernelFile(show=self._show, size=0))

    def _show(self) -> str:
        self.catch_up(self._load())
        online = sorted(self._cpus.online)
        lines = [f"cpu{core} {self._columns(self._busy_s[core], self._idle_s[core])}" for core in online]
        total = self._columns(sum(self._busy_s.values()), sum(self._idle_s.values()))
        return "\n".join([f"cpu  {total}", *lines, "intr 0", "ctxt 0", "btime 1767225600", ""])

    @staticmethod
    def _columns(busy_s: float, idle_s: float) -> str:
        """Columns of proc(5): user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice."""
        system_s = 0.1 * busy_s
        user, system, idle = (int(seconds * _TICKS_PER_S) for seconds in (busy_s - system_s, system_s, idle_s))
        return f"{user} 0 {system} {idle} 7 0 0 0 0 0"


def place_emc_activity(tree: Tree, jetpack: int, load: Callable[[], float], emc_hz: Callable[[], int]) -> None:
    """Thousands of active cycles a second: for everybody on JetPack 4, for root on JetPack 6."""
    paths = {4: "/sys/kernel/actmon_avg_activity/mc_all", 6: f"{DEBUG}/cactmon/mc_all"}
    if jetpack in paths:
        tree.place(paths[jetpack], read_only(lambda: round(_ACTIVE * load() * emc_hz() / 1000), size=0))
