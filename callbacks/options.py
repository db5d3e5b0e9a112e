"""What a user of the callback decides, and the tuner that is made of it."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lightning_powertrain.boards import load_board
from lightning_powertrain.callbacks import _lightning as pl
from lightning_powertrain.callbacks.job import logging_step
from lightning_powertrain.callbacks.memory import Memory
from lightning_powertrain.devices import BaseDevice, parse_simulated
from lightning_powertrain.distributed import Coordinator, TorchCommunicator, TuningTask, Worker
from lightning_powertrain.prediction import BasePredictor
from lightning_powertrain.reporting import ConsoleReporter, LoggerReporter, RunWriter
from lightning_powertrain.selection import Objective
from lightning_powertrain.tuning import (
    Observer,
    Tuner,
    check_device,
    check_hard,
    check_modes,
    check_precision,
    check_predictor,
    check_seed,
    check_share,
    check_switches,
)


@dataclass(frozen=True)
class Options:
    """The arguments of :class:`~lightning_powertrain.PowerTrainCallback`, checked.

    Raises:
        ArgumentError: If one is not valid.
    """

    budget: Objective | None
    device: str | BaseDevice | None
    predictor: BasePredictor
    modes: int | Literal["auto"] | None
    max_share: float
    precision: float | None
    seed: int
    hard: bool
    strict: bool
    match_threads: bool
    adapt: bool
    verbose: bool

    def __post_init__(self) -> None:
        check_switches(
            hard=self.hard,
            strict=self.strict,
            match_threads=self.match_threads,
            adapt=self.adapt,
            verbose=self.verbose,
        )
        check_seed(self.seed)
        check_predictor(self.predictor)
        if isinstance(self.device, str):
            parse_simulated(self.device)
        elif self.device is not None:
            check_device(self.device, 'None (the Jetson this runs on), a name such as "simulated:orin-agx-64gb", or ')
        check_modes(self.modes, self.predictor.minimum_modes, self._count_modes())
        check_share(self.max_share)
        check_hard(self.hard, self.budget)
        check_precision(self.precision)

    @property
    def simulates_this_model(self) -> bool:
        """Whether a simulated board is to train the user's model, rather than a workload of the study."""
        return isinstance(self.device, str) and parse_simulated(self.device)[1] is None

    def tuner(
        self,
        device: BaseDevice,
        trainer: pl.Trainer,
        folder: str | None,
        memory: Memory,
        task: TuningTask | None = None,
    ) -> Tuner:
        """A tuner for one board, or for the boards of a task.

        Args:
            device: The board, or the group of boards.
            trainer: The Trainer.
            folder: Its log folder.
            memory: Keeps what was measured.
            task: The boards to tune in a job with several; None for one board.
        """
        run = None if folder is None else Path(folder, "powertrain", task.name if task else "")
        return Tuner(
            device,
            task.objective if task and task.objective else self.budget,
            predictor=copy(self.predictor),  # Fitted to one job: the next one begins with what the user gave.
            modes=self.modes,
            max_share=self.max_share * (task.share if task else 1.0),
            precision=self.precision,
            seed=self.seed,
            hard=self.hard,
            strict=self.strict,
            match_threads=self.match_threads,
            adapt=self.adapt and task is None,  # Several boards cannot start a correction at the same minibatch.
            observers=self._observers(trainer, run, memory, device.simulated),
            samplers=task.boards.samplers if task else None,
        )

    def distributed_tuner(
        self, trainer: pl.Trainer, folder: str | None, memory: Memory, open_device: Callable[[int], BaseDevice]
    ) -> tuple[Coordinator | Worker, BaseDevice | None]:
        """The tuner of this process in a job of several, and its board: only local rank 0 of each node drives one."""
        communicator, device, failure = TorchCommunicator(), None, None
        try:
            device = open_device(self.seed + trainer.global_rank) if trainer.local_rank == 0 else None
        except Exception as error:
            failure = error
        tuner: Coordinator | Worker
        if trainer.is_global_zero:
            tuner = Coordinator(
                communicator,
                device,
                lambda task: self.tuner(task.boards, trainer, folder, memory, task),
                objective=self.budget,
                hard=self.hard,
                strict=self.strict,
            )
        else:
            tuner = Worker(communicator, device, strict=self.strict, match_threads=self.match_threads)
        if failure is not None:
            tuner.give_up(failure)
        return tuner, device

    def _observers(self, trainer: pl.Trainer, run: Path | None, memory: Memory, simulated: bool) -> list[Observer]:
        observers: list[Observer] = [
            LoggerReporter(lambda: trainer.loggers, lambda: logging_step(trainer), simulated=simulated),
            memory,
        ]
        if run is not None:
            observers.append(RunWriter(run))
        if self.verbose:
            bar = trainer.progress_bar_callback
            shown = getattr(bar, "is_enabled", True)
            observers.append(
                ConsoleReporter(write=bar.print if bar is not None and shown else None, simulated=simulated)
            )
        return observers

    def _count_modes(self) -> int | None:
        """Power modes of the device; None if it is the one that this runs on, which is not asked before training."""
        if isinstance(self.device, str):
            return len(load_board(parse_simulated(self.device)[0]).modes)
        return None if self.device is None else len(self.device.modes)
