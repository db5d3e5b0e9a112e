"""How much of the GPU the stock mode has switched off, from the files of the board and the catalogue.

A stock mode carries a mask with one bit for each GPU cluster (TPC) without power. It can be read only: another mask
takes another stock mode, and mostly a reboot.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lightning_powertrain.boards import Board
from lightning_powertrain.devices.nvpmodel import MASK_NAME, Nvpmodel, gated, read_nvpmodel
from lightning_powertrain.devices.roothelper.discovery import gpu_folder
from lightning_powertrain.devices.roothelper.reading import read_raw


@dataclass(frozen=True)
class GpuClusters:
    """What is known of the GPU's clusters.

    Args:
        mask: The mask that holds now; None if nothing shows it.
        mode: Name of the stock mode that is set; empty if it is not known.
        off: How many clusters are off that another stock mode switches on; None if that is not known.
        total: How many clusters the module has; None if the catalogue does not say.
        freer: Name of the stock mode that switches most of them on; empty if none is known or none is needed.
        command: What selects that mode; empty if this board's nvpmodel.conf does not have it.
    """

    mask: int | None = None
    mode: str = ""
    off: int | None = None
    total: int | None = None
    freer: str = ""
    command: str = ""

    @property
    def identity(self) -> dict[str, str]:
        """Distinguishes this board from itself with another mask: what was measured with that does not hold."""
        return {} if self.mask is None else {"tpc_pg_mask": str(self.mask)}

    @property
    def loss(self) -> str:
        """What is off, in words: ``4 of 8 GPU clusters``."""
        assert self.off is not None
        some = f"{self.off} of {self.total}" if self.total else str(self.off)
        return f"{some} GPU cluster{'s' * ((self.total or self.off) > 1)}"


def read_gpu_clusters(root: Path, board: Board | None) -> GpuClusters:
    """The clusters of the GPU, from the files under ``root`` and the catalogue."""
    return judged(gpu_mask(root), read_nvpmodel(root), board)


def gpu_mask(root: Path) -> int | None:
    """The mask as the GPU shows it; it is read here and written nowhere."""
    gpu = gpu_folder(root)
    folders = [root / "sys/devices/gpu.0", *([gpu / "device", gpu.resolve().parent.parent] if gpu else [])]
    for folder in folders:
        text = (read_raw(folder / MASK_NAME) or "").strip()
        with contextlib.suppress(ValueError):
            return int(text, 0)
    return None


def judged(shown: int | None, nvpmodel: Nvpmodel, board: Board | None) -> GpuClusters:
    """What a mask means on a board.

    Args:
        shown: The mask that the GPU shows; None if it shows none, and then that of the stock mode counts.
        nvpmodel: The stock modes of this board, and which is set.
        board: What the catalogue knows of it, if it does.
    """
    mode = nvpmodel.mode
    mask = shown if shown is not None else mode.tpc_pg_mask if mode else None
    known = GpuClusters(mask, mode.name if mode else "", total=board.gpu_clusters if board else None)
    if mask is None:
        return known
    own = [(each.tpc_pg_mask, each.name, each.id) for each in nvpmodel.modes if each.tpc_pg_mask is not None]
    presets = board.presets if board else ()
    stock = [(each.tpc_pg_mask, each.name, each.id) for each in presets if each.tpc_pg_mask is not None]
    freest, least = _freest(own), _freest([*own, *stock])
    off = 0 if mask == 0 else _gained(mask, least[0]) if least else 0
    if off == 0:
        # The smallest mask of a file that people edit is no proof that there is no smaller one.
        return GpuClusters(mask, known.mode, 0 if mask == 0 or stock else None, known.total)
    assert least is not None
    has_it = freest is not None and _gained(mask, freest[0]) == off
    name, number = freest[1:] if freest is not None and has_it else least[1:]
    by_hand = f"sudo nvpmodel -m {number}" if has_it or not nvpmodel.modes else ""
    return GpuClusters(mask, known.mode, off, known.total, name, by_hand)


def _freest(modes: Sequence[tuple[int, str, int]]) -> tuple[int, str, int] | None:
    """The mode with the fewest clusters off; of equals the one called MAXN, or the first."""
    return min(modes, key=lambda mode: (gated(mode[0]), "MAXN" not in mode[1]), default=None)


def _gained(mask: int, freer: int) -> int:
    """How many clusters that one mask switches off another one leaves on."""
    return gated(mask & ~freer)
