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
from lightning_powertrain.devices import Device, parse_simulated
from lightning_powertrain.fleet import Leader, Member, Task, TorchPeers
from lightning_powertrain.prediction import Predictor
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
    device: str | Device | None
    predictor: Predictor
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
            check_device(
                self.device, 'None (the Jetson this runs on), a name such as "simulated:orin-agx-64gb", or a device'
            )
        check_modes(self.modes, self.predictor.minimum_modes, self._count_modes())
        check_share(self.max_share)
        check_hard(self.hard, self.budget)
        check_precision(self.precision)

    @property
    def simulates_this_model(self) -> bool:
        """Whether a simulated board is to train the user's model, rather than a workload of the study."""
        return isinstance(self.device, str) and parse_simulated(self.device)[1] is None

    def tuner(
        self, device: Device, trainer: pl.Trainer, folder: str | None, memory: Memory, task: Task | None = None
    ) -> Tuner:
        """A tuner of a board, or of the boards of a task.

        Args:
            device: The board, or what stands for all of them.
            trainer: The Trainer.
            folder: Its log folder.
            memory: Keeps what was measured.
            task: What is to be tuned in a job of several boards.
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
            adapt=self.adapt and task is None,  # A correction must not begin on one of several boards alone.
            observers=self._observers(trainer, run, memory, device.simulated),
            samplers=task.boards.samplers if task else None,
        )

    def part_in_fleet(
        self, trainer: pl.Trainer, folder: str | None, memory: Memory, open_device: Callable[[int], Device]
    ) -> tuple[Leader | Member, Device | None]:
        """What this process does in a job of several, and the board that it drives: the first one of each node does."""
        peers, device, failure = TorchPeers(), None, None
        try:
            device = open_device(self.seed + trainer.global_rank) if trainer.local_rank == 0 else None
        except Exception as error:
            failure = error
        part: Leader | Member
        if trainer.is_global_zero:
            part = Leader(
                peers,
                device,
                lambda task: self.tuner(task.boards, trainer, folder, memory, task),
                objective=self.budget,
                hard=self.hard,
                strict=self.strict,
            )
        else:
            part = Member(peers, device, strict=self.strict, match_threads=self.match_threads)
        if failure is not None:
            part.give_up(failure)
        return part, device

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
