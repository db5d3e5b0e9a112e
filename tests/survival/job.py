"""The job that things happen to: it trains and tunes a virtual board, in a process of its own.

It stops at the moment that a test names, notifies the test, and waits for its answer.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers.logger import Logger
from torch.utils.data import DataLoader, IterableDataset

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.boards import IntArray
from lightning_powertrain.callbacks import PowerTrainCallback
from lightning_powertrain.devices import Stopwatch
from lightning_powertrain.prediction import BasePredictor, Prediction
from lightning_powertrain.profiling import Profile
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Phase
from survival.board import Board
from survival.event import MOMENTS, Event, Report

_MOST_STEPS = 100_000
_STEPS_AFTERWARDS = 10
_STEP_S = 0.002
"""Training in a busy loop, while the board settles in wall time, would only heat the computer."""
_BUDGET = "60000 ms"
"""Every mode keeps it, so the one with the least power is chosen, which is never the one that the board starts in."""


class UserError(Exception):
    """A mistake in the user's own code."""


class Guess(BasePredictor):
    """Predicts nothing of interest, at once."""

    minimum_modes = 2

    def __init__(self, event: Event) -> None:
        self._event = event

    def fit(self, profile: Profile) -> None:
        if self._event.comes("fitting") and self._event.kind == "exception in our own code":
            raise ArithmeticError("a mistake of ours")

    def predict(self, modes: IntArray) -> Prediction:
        return Prediction(np.full(len(modes), 5.0), np.arange(len(modes), dtype=np.float64) + 5.0)


class Numbers(IterableDataset[torch.Tensor]):
    def __iter__(self) -> Iterator[torch.Tensor]:
        while True:
            yield torch.ones(4)


class Model(pl.LightningModule):
    """The user's model, and the user's mistake."""

    def __init__(self, event: Event, moment: Callable[[], str]) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)
        self._event = event
        self._moment = moment

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        step_begins(self._event, self._moment())
        return self.layer(batch).square().mean()  # type: ignore[no-any-return]

    def validation_step(self, batch: torch.Tensor, batch_idx: int) -> None:
        if self._moment() in ("settling", "measuring"):
            self._event.comes("during validation")

    def train_dataloader(self) -> DataLoader[torch.Tensor]:
        return DataLoader(Numbers(), batch_size=8)

    val_dataloader = train_dataloader

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


class Another(pl.Callback):
    """A callback of somebody else; also ends the job once nothing more is to be seen."""

    def __init__(self, event: Event, moment: Callable[[], str]) -> None:
        self._event = event
        self._moment = moment

    def on_train_batch_end(self, trainer: pl.Trainer, *others: Any) -> None:
        self._fail()
        trainer.should_stop = is_over(self._event, self._moment())

    def on_validation_batch_end(self, *others: Any) -> None:
        self._fail()

    def on_train_end(self, *others: Any) -> None:
        if self._event.moment == "restoring" and self._event.kind == "exception in another callback":
            raise UserError("another callback")

    def _fail(self) -> None:
        if self._event.is_due("exception in another callback"):
            raise UserError("another callback")


class Quiet(Logger):
    """Logs nothing, but gives the library a folder to write to."""

    name = "quiet"
    version = 0

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._folder = folder

    @property
    def save_dir(self) -> str:
        return self._folder

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        pass

    def log_hyperparams(self, *params: Any, **more: Any) -> None:
        pass


class Warnings(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


class LightningJob:
    """A Trainer with the callback.

    Args:
        device: The board.
        event: What happens.
        folder: Where the library may write.
    """

    def __init__(self, device: Board, event: Event, folder: str) -> None:
        self._device = device
        self._event = event
        self._folder = folder
        self._tuning = PowerTrainCallback(
            _BUDGET,
            device=device,
            max_modes=2,
            verbose=False,
            cache=False,
            max_share=1.0,
            options=ProfilingOptions(predictor=Guess(event)),
        )

    def _moment(self) -> str:
        return moment_of(self._tuning._tuner._tuner, self._device)

    def train(self) -> None:
        trainer = pl.Trainer(
            accelerator="cpu",
            max_epochs=1,
            limit_train_batches=_MOST_STEPS,
            val_check_interval=20,
            limit_val_batches=1,
            num_sanity_val_steps=0,
            logger=Quiet(self._folder),
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[Another(self._event, self._moment), self._tuning],
        )
        trainer.fit(Model(self._event, self._moment))


class PlainJob:
    """A training loop that somebody wrote by hand.

    Args:
        device: The board.
        event: What happens.
    """

    def __init__(self, device: Board, event: Event) -> None:
        self._device = device
        self._event = event

    def train(self) -> None:
        layer = torch.nn.Linear(4, 1)
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)
        tuner = Tuner(
            _BUDGET,
            device=self._device,
            max_modes=2,
            verbose=False,
            options=ProfilingOptions(predictor=Guess(self._event)),
        )
        with tuner.start():
            for _ in range(_MOST_STEPS):
                step_begins(self._event, moment_of(tuner, self._device))
                optimizer.zero_grad()
                layer(torch.ones(8, 4)).square().mean().backward()
                optimizer.step()
                tuner.minibatch_ended()
                if is_over(self._event, moment_of(tuner, self._device)):
                    break


def step_begins(event: Event, moment: str) -> None:
    """The first thing in the user's training step: what is to happen there does."""
    time.sleep(_STEP_S)
    event.comes(moment)
    ends_the_job = event.has_come or (event.moment == "restoring" and moment == "measuring")
    if ends_the_job and event.kind == "exception in the training step":
        raise UserError("the training step")


def is_over(event: Event, moment: str) -> bool:
    """At the end of a step: whether there is nothing more to be seen."""
    if event.moment == "restoring" and moment == "measuring":
        return event.kind != "exception in the training step"
    event.steps_afterwards += event.has_come
    return event.steps_afterwards >= _STEPS_AFTERWARDS and moment in ("locked", "")


def moment_of(tuner: Tuner | None, device: Board) -> str:
    """In which moment of the matrix a job is; nothing if tuning is over."""
    phase = tuner.phase if tuner else Phase.IDLE
    names = {Phase.IDLE: "", Phase.LOCKED: "locked", Phase.CLOSED: ""}
    names.update(dict.fromkeys((Phase.WARMING_UP, Phase.MEASURING_START), "before the first mode"))
    return names.get(phase, "settling" if device.is_settling else "measuring")


def run(loop: str, root: str, folder: str, kind: str, moment: str, test: Connection) -> None:
    """Train, with tuning, until something happens; report to the test how it ended."""
    said = Warnings()
    logging.getLogger("lightning_powertrain").addHandler(said)
    event = Event(kind, moment, test)
    if kind == "exception in our own code" and moment in MOMENTS[:3]:
        _spoil_session(event)
    error = ""
    try:
        device = Board(Path(root), event)
        job = PlainJob(device, event) if loop == "plain" else LightningJob(device, event, folder)
        job.train()
    except BaseException as failure:
        error = repr(failure)
    test.send(Report(error, event.steps_afterwards, said.texts))


def _spoil_session(event: Event) -> None:
    """Put a mistake of ours into what is called at the end of every minibatch."""
    minibatch_ended = Stopwatch.minibatch_ended

    def spoilt(stopwatch: Stopwatch, **arguments: Any) -> Any:
        if event.has_come:
            raise ArithmeticError("a mistake of ours")
        return minibatch_ended(stopwatch, **arguments)

    Stopwatch.minibatch_ended = spoilt  # type: ignore[method-assign]
