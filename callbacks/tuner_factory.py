"""Builds the tuner of a Lightning job from the arguments of the callback."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path

from lightning_powertrain.callbacks import _lightning as pl
from lightning_powertrain.callbacks.job import logging_step
from lightning_powertrain.devices import BaseDevice, parse_simulated
from lightning_powertrain.distributed import Coordinator, TorchCommunicator, TuningTask, Worker
from lightning_powertrain.reporting import ConsoleReporter, LoggerReporter, RunWriter
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Observer
from lightning_powertrain.tuning.config import TuningConfig
from lightning_powertrain.tuning.history_store import HistoryStore


@dataclass(frozen=True)
class TunerFactory:
    """Builds tuners, each for one job.

    Args:
        config: What the user decided.
        device: The device that the user gave, or its name, or None.
        verbose: Whether to print progress and a summary.
    """

    config: TuningConfig
    device: str | BaseDevice | None
    verbose: bool

    @property
    def simulates_this_model(self) -> bool:
        """Whether a simulated board is to train the user's model, rather than a workload of the study."""
        return isinstance(self.device, str) and parse_simulated(self.device)[1] is None

    def tuner(
        self,
        device: BaseDevice,
        trainer: pl.Trainer,
        folder: str | None,
        store: HistoryStore,
        task: TuningTask | None = None,
    ) -> Tuner:
        """A tuner of a board, or of the boards of a task.

        Args:
            device: The board, or the group of boards.
            trainer: The Trainer.
            folder: Its log folder.
            store: Stores what is measured.
            task: What is to be tuned in a job of several boards.
        """
        config = self.config
        run = None if folder is None else Path(folder, "powertrain", task.name if task else "")
        options = replace(
            config.options,
            predictor=copy(config.predictor),  # Fitted to one job: the next one begins with what the user gave.
            adapt=config.options.adapt and task is None,  # A correction must not begin on one of several boards alone.
            pollers=task.boards.pollers if task else config.options.pollers,
            observers=[*config.options.observers, *self._observers(trainer, run, store, device.simulated)],
        )
        return Tuner(
            task.objective if task and task.objective else config.objective,
            device=device,
            max_modes=config.max_modes,
            max_share=config.max_share * (task.share if task else 1.0),
            hard_limit=config.hard_limit,
            strict=config.strict,
            verbose=False,
            options=options,
        )

    def distributed_tuner(
        self, trainer: pl.Trainer, folder: str | None, store: HistoryStore, open_device: Callable[[int], BaseDevice]
    ) -> tuple[Coordinator | Worker, BaseDevice | None]:
        """The part of this process in a job of several, and the board that it drives: the first one of each node does.

        Args:
            trainer: The Trainer.
            folder: Its log folder.
            store: Stores what is measured.
            open_device: Opens the board of this process, with a seed.
        """
        communicator, device, failure, config = TorchCommunicator(), None, None, self.config
        try:
            device = open_device(config.options.seed + trainer.global_rank) if trainer.local_rank == 0 else None
        except Exception as error:
            failure = error
        part: Coordinator | Worker
        if trainer.is_global_zero:
            part = Coordinator(
                communicator,
                device,
                lambda task: self.tuner(task.boards, trainer, folder, store, task),
                objective=config.objective,
                hard_limit=config.hard_limit,
                strict=config.strict,
            )
        else:
            part = Worker(communicator, device, strict=config.strict, match_threads=config.options.match_threads)
        if failure is not None:
            part.give_up(failure)
        return part, device

    def _observers(self, trainer: pl.Trainer, run: Path | None, store: HistoryStore, simulated: bool) -> list[Observer]:
        observers: list[Observer] = [
            LoggerReporter(lambda: trainer.loggers, lambda: logging_step(trainer), simulated=simulated),
            store,
        ]
        if run is not None:
            observers.append(RunWriter(run))
        if self.verbose:
            bar = trainer.progress_bar_callback
            shown = getattr(bar, "is_enabled", True)
            write = bar.print if bar is not None and shown else None
            observers.append(ConsoleReporter(write=write, simulated=simulated))
        return observers
