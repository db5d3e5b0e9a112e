"""The user's own error is the one that surfaces, whatever becomes of the board meanwhile.

The whole matrix of phases, kinds and boards is tested on the tuner (tests/tuning/test_users_errors.py); here are
the places of a job at which an error can arise, with each kind of error.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from breaking import stuck
from fakes import FakeDevice, Oracle
from jobs import LIGHTNING_WARNINGS, Model, data, powertrain, trainer
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from lightning_powertrain.devices import SystemClock

pytestmark = LIGHTNING_WARNINGS

AT = 95
"""The minibatch of the error: the board is in a sampled mode then."""


class Breaks:
    """Raises an error at one place of a job, at minibatch ``AT`` or at the first moment thereafter."""

    def __init__(self, place: str, error: BaseException) -> None:
        self.place, self.error = place, error
        self.minibatches = 0

    def at(self, place: str) -> None:
        if place == self.place and self.minibatches >= AT:
            raise self.error


class Breaking(Model):
    def __init__(self, breaks: Breaks) -> None:
        super().__init__()
        self.breaks = breaks

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor | None:
        self.breaks.at("training_step")
        self.breaks.minibatches += 1
        return super().training_step(batch, batch_idx)

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.breaks.at("validation_step")


class BreakingCallback(pl.Callback):
    def __init__(self, breaks: Breaks) -> None:
        self.breaks = breaks

    def on_train_batch_start(self, *details: Any) -> None:
        self.breaks.at("callback, start of a minibatch")

    def on_train_batch_end(self, *details: Any) -> None:
        self.breaks.at("callback, end of a minibatch")

    def on_train_epoch_end(self, *details: Any) -> None:
        self.breaks.at("callback, end of an epoch")

    def on_train_end(self, *details: Any) -> None:
        self.breaks.at("callback, end of training")


class BreakingData(IterableDataset[Any]):
    def __init__(self, breaks: Breaks) -> None:
        self.breaks = breaks

    def __iter__(self) -> Iterator[Any]:
        for _ in range(4 * 120):
            self.breaks.at("data loader")
            yield torch.zeros(8), torch.zeros(1)


PLACES = [
    "training_step",
    "validation_step",
    "callback, start of a minibatch",
    "callback, end of a minibatch",
    "callback, end of an epoch",
    "callback, end of training",
    "data loader",
]

KINDS = [RuntimeError, KeyboardInterrupt, SystemExit]
WAYS = [(False, False), (True, True), (False, True), (True, False)]
"""Whether ``strict`` is set and the board is stuck: each with every place and with every kind, but not with both."""


@pytest.mark.parametrize(
    ("place", "kind", "strict", "is_stuck"),
    [
        pytest.param(place, kind, *WAYS[(row + column) % 4], id=f"{place}-{kind.__name__}")
        for row, place in enumerate(PLACES)
        for column, kind in enumerate(KINDS)
    ],
)
def test_the_users_error_is_the_one_that_surfaces(
    place: str,
    kind: type[BaseException],
    strict: bool,
    is_stuck: bool,
    device: FakeDevice,
    oracle: Oracle,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lightning_powertrain.tuning.options.default_predictor", lambda reference, seed: oracle)
    device.settle_s = 0.2
    breaks = Breaks(place, kind("the user's"))
    seen: list[BaseException] = []

    class Sees(pl.Callback):
        def on_exception(self, job: pl.Trainer, module: pl.LightningModule, exception: BaseException) -> None:
            seen.append(exception)

    if is_stuck:
        monkeypatch.setattr(device, "restore", stuck)
    callback = powertrain(device, budget="12 W", max_modes=3, strict=strict)
    job = trainer(BreakingCallback(breaks), callback, Sees(), val_check_interval=100)
    # Lightning itself turns Ctrl-C into an exit.
    with pytest.raises(SystemExit if kind is KeyboardInterrupt else kind) as surfaced:
        job.fit(Breaking(breaks), DataLoader(BreakingData(breaks), batch_size=4), data(1, shuffle=False))
    assert seen == [breaks.error], "a callback after ours receives it too"
    if kind is not KeyboardInterrupt:
        assert surfaced.value is breaks.error
    assert (device.mode == device.found) is not is_stuck
    assert device.applied, "the board was in use"


@pytest.mark.parametrize("is_stuck", [False, True], ids=["board restored", "board stuck"])
@pytest.mark.parametrize("error", [None, RuntimeError("the user's"), SystemExit(), "ours"], ids=repr)
def test_sampling_threads_end_with_the_job(
    error: Any, is_stuck: bool, device: FakeDevice, oracle: Oracle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightning_powertrain.tuning.options.default_predictor", lambda reference, seed: oracle)
    monkeypatch.setattr(device, "clock", SystemClock())
    monkeypatch.setattr(device, "minibatch_ended", stuck if error == "ours" else lambda: None)
    if is_stuck:
        monkeypatch.setattr(device, "restore", stuck)
    breaks = Breaks("training_step", error) if isinstance(error, BaseException) else Breaks("nowhere", RuntimeError())
    threads = set()

    class Sees(pl.Callback):
        def on_train_batch_start(self, *details: Any) -> None:
            threads.update(thread for thread in threading.enumerate() if thread.name == "powertrain-clock")

    job = trainer(Sees(), powertrain(device, max_modes=3))
    with pytest.raises(type(error)) if isinstance(error, BaseException) else nullcontext():
        job.fit(Breaking(breaks), data(AT + 5), data(1, shuffle=False))
    assert threads
    assert not any(thread.is_alive() for thread in threads)
