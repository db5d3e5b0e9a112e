"""A devfreq device: the GPU everywhere, and the memory controller on JetPack 7."""

from __future__ import annotations

from collections.abc import Callable

from virtual_board.limits import Governor, Limits
from virtual_board.nodes import Tree, constant, read_only, settable
from virtual_board.parsing import LONG_MAX, scanned

_INT_MAX_KHZ = 2**31 - 1


class Devfreq:
    """Limits of a device's clock in Hz, and their files.

    Args:
        table_hz: Its frequencies.
        governor: The one at boot.
        refuses_crossing: Whether the kernel is an old one.
        shows_no_cap_as_long_max: Whether ``max_freq`` reads 9223372036854775807 while nobody has asked for a ceiling.
        clock: The frequency that runs: the load and throttling decide.
    """

    def __init__(
        self,
        table_hz: tuple[int, ...],
        governor: str,
        *,
        refuses_crossing: bool,
        shows_no_cap_as_long_max: bool,
        clock: Callable[[Devfreq], int],
    ) -> None:
        self.limits = Limits(table_hz, refuses_crossing=refuses_crossing)
        self.governor = Governor(governor, (governor, "performance", "powersave", "userspace", "simple_ondemand"))
        self._shows_no_cap_as_long_max = shows_no_cap_as_long_max
        self._clock = clock

    def place(self, tree: Tree, folder: str, device: str) -> None:
        """Put the files into ``folder``, with a link to the device and one from ``/sys/class/devfreq``."""
        name = folder.rsplit("/", 1)[1]
        files = {
            "name": constant(name),
            "available_frequencies": read_only(lambda: " ".join(map(str, self.limits.table))),
            "available_governors": read_only(lambda: " ".join(self.governor.known)),
            "cur_freq": read_only(lambda: self._clock(self)),
            "target_freq": read_only(lambda: self._clock(self)),
            "governor": settable(lambda: self.governor.name, self.governor.store),
            "min_freq": settable(lambda: self.limits.floor, self._store_floor),
            "max_freq": settable(self._shown_ceiling, self._store_ceiling),
            "polling_interval": constant(25),
        }
        for file_name, file in files.items():
            tree.place(f"{folder}/{file_name}", file)
        tree.link(f"{folder}/device", device)
        tree.link(f"/sys/class/devfreq/{name}", folder)

    def _shown_ceiling(self) -> int:
        if self._shows_no_cap_as_long_max and not self.limits.is_capped:
            return LONG_MAX
        return self.limits.ceiling

    def _store_floor(self, text: str) -> None:
        self.limits.set_floor(scanned(text) or None)

    def _store_ceiling(self, text: str) -> None:
        """Nought takes the ceiling away, and so does whatever does not fit into 32 bits of kHz."""
        value = scanned(text)
        self.limits.set_ceiling(value if 0 < value < _INT_MAX_KHZ * 1000 else None)
