"""How many threads compute on the CPU: torch's for the job, numpy's for the tuner."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from threadpoolctl import ThreadpoolController

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

    def restore(self) -> None:
        """Compute with as many threads as before."""
        if self._follow:
            torch.set_num_threads(self._before)


class BlasThreads:
    """Keeps numpy from computing with threads that the matrices of a tuner are too small for.

    They would wait for each other, and for the cores that the workers of the data loader use. Where cores went offline
    they wait longest, since there are as many threads as there were cores when numpy was loaded.
    """

    def __init__(self) -> None:
        self._controller = ThreadpoolController()  # Looks through all loaded libraries: once, not for each computation.

    @contextmanager
    def only_one(self) -> Iterator[None]:
        """One thread for the body, and afterwards as many as before."""
        with self._controller.limit(limits=1, user_api="blas"):
            yield
