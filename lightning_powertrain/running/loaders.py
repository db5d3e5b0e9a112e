"""What the data loaders of a script show: their workers, and when they return a minibatch."""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from lightning_powertrain.running.imports import when_imported

_LOADING = "torch.utils.data.dataloader"


class LoaderWatch:
    """Calls back each time that a data loader of this process has returned a minibatch, once torch is imported.

    Args:
        call: Takes nothing; must not raise.
    """

    def __init__(self, call: Callable[[], object]) -> None:
        self._call = call
        self._undo: list[Callable[[], object]] = []

    def start(self) -> None:
        """Begin as soon as torch is imported."""
        self._undo.append(when_imported(_LOADING, self._watch))

    def stop(self) -> None:
        """Leave nothing of this in torch; idempotent."""
        while self._undo:
            self._undo.pop()()

    def _watch(self, loading: ModuleType) -> None:
        kind: Any = loading._BaseDataLoaderIter  # torch has no hook for this.
        original = kind.__next__

        @functools.wraps(original)
        def returned(iterator: Any) -> Any:
            minibatch = original(iterator)
            self._call()
            return minibatch

        kind.__next__ = returned
        self._undo.append(lambda: setattr(kind, "__next__", original))


def loader_workers() -> tuple[int | None, int]:
    """Workers of the data loader of this process, and minibatches that they keep ready.

    Of several the one that keeps most ready. The workers are None if no data loader is in use.
    """
    loading = sys.modules.get(_LOADING)
    names = ("_SingleProcessDataLoaderIter", "_MultiProcessingDataLoaderIter")
    kinds = [getattr(loading, name, None) for name in names]
    # A script tells nobody of its loaders. Some objects answer isinstance() by loading themselves.
    loaders: list[Any] = [each for each in gc.get_objects() if type(each) in kinds]
    ahead = [(each._num_workers * getattr(each, "_prefetch_factor", 0), each._num_workers) for each in loaders]
    prefetched, workers = max(ahead, default=(0, None))
    return workers, prefetched
