"""A devfreq device: the GPU everywhere, and the memory controller on JetPack 7."""

from __future__ import annotations

from collections.abc import Callable

from virtual_board.limits import DevfreqLimits, Governor, OldDevfreqLimits, storing
from virtual_board.nodes import Tree, constant, read_only, settable
from virtual_board.parsing import LONG_MAX


class Devfreq:
    """Limits of a device's clock in Hz, and their files.

    Args:
        table_hz: Its frequencies.
        governor: The one at boot.
        is_old: Whether the kernel is 4.9.
        shows_no_cap_as_long_max: Whether ``max_freq`` reads 9223372036854775807 while nobody has asked for a ceiling.
        clock: The frequency that runs: the load and throttling decide.
    """

    def __init__(
        self,
        table_hz: tuple[int, ...],
        governor: str,
        *,
        is_old: bool,
        shows_no_cap_as_long_max: bool,
        clock: Callable[[Devfreq], int],
    ) -> None:
        self.limits = OldDevfreqLimits(table_hz) if is_old else DevfreqLimits(table_hz)
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
            "min_freq": settable(lambda: self.limits.floor, storing(self.limits.set_floor)),
            "max_freq": settable(self._shown_ceiling, storing(self.limits.set_ceiling)),
            "polling_interval": constant(25),
        }
        for file_name, file in files.items():
            tree.place(f"{folder}/{file_name}", file)
        tree.link(f"{folder}/device", device)
        tree.link(f"/sys/class/devfreq/{name}", folder)

    def _shown_ceiling(self) -> int:
        if self._shows_no_cap_as_long_max and not self.limits.is_capped:
            return LONG_MAX
        return self.limits.shown_ceiling
