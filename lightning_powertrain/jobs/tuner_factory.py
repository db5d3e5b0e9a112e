"""Opens the board of a job, and builds its tuner from the arguments of the callback."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from pathlib import Path

from lightning_powertrain.devices import BaseDevice, open_device, parse_simulated
from lightning_powertrain.distributed import Coordinator, TorchCommunicator, TuningTask, Worker
from lightning_powertrain.jobs.job import BaseJob
from lightning_powertrain.reporting import ConsoleReporter, LoggerReporter, RunWriter
from lightning_powertrain.selection import JobBudget
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Observer
from lightning_powertrain.tuning.config import TuningConfig
from lightning_powertrain.tuning.history_store import HistoryStore


class TunerFactory:
    """Opens boards and builds tuners, for one job after the other.

    Args:
        config: What the user decided.
        device: The device that the user gave, or its name, or None.
        verbose: Whether to print progress and a summary.
    """

    def __init__(self, config: TuningConfig, device: str | BaseDevice | None, verbose: bool) -> None:
        self.config = config
        self.device = device
        self._verbose = verbose
        self._opened: BaseDevice | None = None

    @property
    def simulates_this_model(self) -> bool:
        """Whether a simulated board is to train the user's model, rather than a workload of the study."""
        return isinstance(self.device, str) and parse_simulated(self.device)[1] is None

    def build(self, job: BaseJob, store: HistoryStore) -> tuple[Tuner | Coordinator | Worker, BaseDevice | None]:
        """The tuner of a job, and the board that this process drives, if it drives one.

        Args:
            job: The job.
            store: Stores what is measured.
        """
        folder = job.folder()
        if job.world_size > 1:
            return self._distributed_tuner(job, folder, store)
        device = self._open(self.config.options.seed)
        return self._tuner(device, job, folder, store), device

    def close(self) -> None:
        """Close a device that was opened here; the user closes one that was passed in."""
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def _open(self, seed: int) -> BaseDevice:
        if self.device is None or isinstance(self.device, str):
            self._opened = open_device(self.device, seed)
            return self._opened
        return self.device

    def _tuner(
        self,
        device: BaseDevice,
        job: BaseJob,
        folder: Path | None,
        store: HistoryStore,
        task: TuningTask | None = None,
    ) -> Tuner:
        """A tuner of a board, or of the boards of a task.

        Args:
            device: The board, or the group of boards.
            job: The job.
            folder: Where its files go.
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
            observers=[*config.options.observers, *self._observers(job, run, store, device.simulated)],
        )
        return Tuner(
            task.objective if task and task.objective else config.budget,
            device=device,
            max_modes=config.max_modes,
            max_share=config.max_share * (task.share if task else 1.0),
            hard_limit=config.hard_limit,
            strict=config.strict,
            verbose=False,
            options=options,
        )

    def _distributed_tuner(
        self, job: BaseJob, folder: Path | None, store: HistoryStore
    ) -> tuple[Coordinator | Worker, BaseDevice | None]:
        """The part of this process in a job of several: the first process of each node drives its board."""
        communicator, device, failure, config = TorchCommunicator(), None, None, self.config
        try:
            device = self._open(config.options.seed + job.rank) if job.local_rank == 0 else None
        except Exception as error:
            failure = error
        part: Coordinator | Worker
        if job.rank == 0:
            part = Coordinator(
                communicator,
                device,
                lambda task: self._tuner(task.boards, job, folder, store, task),
                budget=config.budget,
                hard_limit=config.hard_limit,
                strict=config.strict,
            )
        else:
            part = Worker(communicator, device, strict=config.strict, match_threads=config.options.match_threads)
        if failure is not None:
            part.give_up(failure)
        return part, device

    def _observers(self, job: BaseJob, run: Path | None, store: HistoryStore, simulated: bool) -> list[Observer]:
        has_course = isinstance(self.config.budget, JobBudget)
        loggers = LoggerReporter(job.loggers, job.step, simulated=simulated, has_course=has_course)
        observers: list[Observer] = [loggers, store]
        if run is not None:
            observers.append(RunWriter(run))
        if self._verbose:
            observers.append(ConsoleReporter(write=job.printer(), simulated=simulated))
        return observers
