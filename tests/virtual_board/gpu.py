"""The GPU of a virtual board: its clock, its power switch, and the mask that gates its clusters."""

from __future__ import annotations

from collections.abc import Callable

from virtual_board.devfreq import Devfreq
from virtual_board.nodes import Directory, Tree, read_only, settable
from virtual_board.parsing import scanned
from virtual_board.specs import Spec


class Gpu:
    """Places the files of a GPU.

    Args:
        tree: The files of the board.
        spec: What the board is.
        table_hz: Its clocks.
        tpc_pg_mask: The mask of the stock mode that the board has booted in.
        clock: The clock that a devfreq directory has now.
        load: The load, from 0 to 1.
        asleep: Whether the devfreq directory is missing until :meth:`wake`.
    """

    def __init__(
        self,
        tree: Tree,
        spec: Spec,
        table_hz: tuple[int, ...],
        *,
        tpc_pg_mask: int,
        clock: Callable[[Devfreq], int],
        load: Callable[[], float],
        asleep: bool,
    ) -> None:
        self._tree = tree
        self._spec = spec
        self._clock = clock
        self._device = f"/sys/devices/{spec.gpu}"
        self._railgate = 1
        self._tpc_pg_mask = tpc_pg_mask
        self.devfreq = Devfreq(
            table_hz,
            "nvhost_podgov",
            is_old=spec.jetpack == 4,
            shows_no_cap_as_long_max=spec.jetpack == 6,
            clock=clock,
        )
        tree.place("/sys/class/devfreq", Directory())
        if not asleep:
            self._place_devfreq()
        if spec.jetpack == 7:
            self._place_video_clock(self._device.rsplit("/", 1)[0])
            return
        tree.place(f"{self._device}/load", read_only(lambda: round(load() * 1000)))
        tree.place(f"{self._device}/railgate_enable", settable(lambda: self._railgate, self._store_railgate))
        tree.place(f"{self._device}/tpc_pg_mask", settable(lambda: self._tpc_pg_mask, self._store_tpc_pg_mask))
        tree.link("/sys/devices/gpu.0" if spec.jetpack < 6 else "/sys/devices/platform/17000000.gpu", self._device)
        if spec.key == "agx-xavier":
            tree.link(f"/sys/devices/platform/host1x/{spec.gpu}", self._device)

    def wake(self) -> None:
        """Power it, as the first CUDA call does: its devfreq directory appears."""
        if not self._tree.has(f"{self._device}/devfreq"):
            self._place_devfreq()

    def _place_devfreq(self) -> None:
        folder = f"{self._device}/devfreq/{self._spec.gpu.rsplit('/', 1)[-1]}"
        self.devfreq.place(self._tree, folder, self._device)
        self._tree.link(f"{self._device}/devfreq_dev", folder)

    def _place_video_clock(self, parent: str) -> None:
        """Thor's second GPU clock, of the video engines, which is no knob of ours."""
        table_hz = tuple(range(315000000, 1692000001, 81000000))
        video = Devfreq(table_hz, "nvhost_podgov", is_old=False, shows_no_cap_as_long_max=False, clock=self._clock)
        video.place(self._tree, f"{parent}/gpu-nvd-0/devfreq/gpu-nvd-0", f"{parent}/gpu-nvd-0")

    def _store_railgate(self, text: str) -> None:
        self._railgate = scanned(text)
        if not self._railgate:
            self.wake()

    def _store_tpc_pg_mask(self, text: str) -> None:
        self._tpc_pg_mask = scanned(text)
