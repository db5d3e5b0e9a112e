"""How many threads torch computes with on the CPU, when it is to follow the cores that are online."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from lightning_powertrain.boards import Knob, PowerMode


class TorchThreads:
    """Keeps torch from computing with more threads than there are cores online.

    A different number of threads adds numbers up in another order: results on the CPU may differ in their last bits.

    Args:
        knobs: Knobs of the board.
        follow: Whether to do so at all; otherwise the number of threads is left alone.
    """

    def __init__(self, knobs: Sequence[Knob], follow: bool) -> None:
        self._cores = [knob.name for knob in knobs if knob.role == "cores"]
        self._follow = follow and bool(self._cores)
        self._before = torch.get_num_threads()

    def match(self, mode: PowerMode) -> None:
        """Call when a mode was set."""
        if self._follow:
            torch.set_num_threads(max(1, min(self._before, sum(mode[name] for name in self._cores))))

    def put_back(self) -> None:
        """Compute with as many threads as before."""
        if self._follow:
            torch.set_num_threads(self._before)
