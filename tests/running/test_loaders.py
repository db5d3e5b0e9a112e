"""What the data loaders of a script show."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from torch.utils.data import DataLoader, dataloader

from lightning_powertrain.running.loaders import LoaderWatch, loader_workers


@pytest.fixture
def seen() -> Iterator[list[int]]:
    seen: list[int] = []
    watch = LoaderWatch(lambda: seen.append(1))
    watch.start()
    yield seen
    watch.stop()
    watch.stop()


@pytest.mark.parametrize("workers", [0, 1])
def test_each_minibatch_is_seen_once(seen: list[int], workers: int) -> None:
    for number, _ in enumerate(DataLoader([1, 2, 3], num_workers=workers), start=1):  # type: ignore[arg-type, var-annotated]
        assert len(seen) == number
    assert len(seen) == 3, "the end of the data is no minibatch"


def test_nothing_is_left_in_torch() -> None:
    original = dataloader._BaseDataLoaderIter.__next__
    watch = LoaderWatch(lambda: None)
    watch.start()
    assert dataloader._BaseDataLoaderIter.__next__ is not original
    watch.stop()
    assert dataloader._BaseDataLoaderIter.__next__ is original


def test_the_workers_of_the_loader_in_use_are_known() -> None:
    before = loader_workers()
    assert before[1] == 0
    plain = iter(DataLoader([1, 2, 3]))  # type: ignore[arg-type, var-annotated]
    assert loader_workers() == (0, 0)
    busy = iter(DataLoader([1, 2, 3], num_workers=2, prefetch_factor=3))  # type: ignore[arg-type, var-annotated]
    assert loader_workers() == (2, 6)
    del plain, busy
    assert loader_workers() == before


def test_without_a_loader_nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gc.get_objects", list)  # Tests before this one may have left some.
    assert loader_workers() == (None, 0)
