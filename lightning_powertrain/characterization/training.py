"""What trains while a board is characterized: a built-in workload, one of the user, or nothing on a simulated board."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from types import ModuleType
from typing import Any

from lightning_powertrain.devices import BaseDevice, SimulatedDevice, Stopwatch
from lightning_powertrain.errors import ArgumentError, one_of
from lightning_powertrain.tuning.mode_runner import ModeRunner, Waiting


@dataclass(frozen=True)
class Training:
    """A workload that can train for as long as it is asked to.

    Args:
        name: Name of the workload, for the profile.
        loader: A data loader, or anything else that yields minibatches each time that it is iterated over.
        step: Trains on one minibatch.
        prefetched: Minibatches that the data loader keeps ready.
        runs_on: What computes, for the profile.
    """

    name: str
    loader: Iterable[Any]
    step: Callable[[Any], object]
    prefetched: int = 0
    runs_on: str = ""


def wake_gpu() -> None:
    """Use the GPU, if there is one: on JetPack 4 and 5 its clock is shown only while a program uses it."""
    import torch

    if torch.cuda.is_available():
        torch.zeros(1, device="cuda")


def find_training(workload: str | None, device: BaseDevice) -> Training:
    """What trains on a board.

    Args:
        workload: Name of a built-in workload; ``FILE.py:FUNCTION`` or ``MODULE:FUNCTION``, where the function returns a
            data loader and a function that trains on one minibatch; None for ResNet-18.
        device: The board. A simulated one simulates its workload, which its own name says.

    Raises:
        ArgumentError: If there is no such workload.
    """
    if isinstance(device, SimulatedDevice):
        if workload is not None:
            raise ArgumentError.of("workload", workload, "none with a simulated board: simulated:BOARD:WORKLOAD has it")
        simulated = device.workload
        return Training(simulated.name, repeat(None), lambda minibatch: None, simulated.prefetched, "a simulation")
    return _trained_here("resnet18" if workload is None else workload)


def train(training: Training, runner: ModeRunner, steps: Waiting) -> None:
    """Train for as long as ``steps`` wait for minibatches.

    Args:
        training: The workload.
        runner: Of the board.
        steps: Yield what they wait for.
    """
    stopwatch = Stopwatch(runner.device.clock)
    minibatches = _endless(training.loader, stopwatch)
    for awaited in steps:
        stopwatch.restart()
        is_over = False
        while not is_over:
            minibatch = next(minibatches)
            if runner.advance_to_data is not None:
                runner.advance_to_data()
            if runner.advance_to_data is not None or not runner.device.simulated:
                stopwatch.minibatch_started()
            training.step(minibatch)
            if runner.advance_clock is not None:
                runner.advance_clock()
            for interval in stopwatch.minibatch_ended(cycle_complete=True, at_least_s=0.0):
                is_over = awaited.add(interval) or is_over
                stopwatch.restart()


def _endless(loader: Iterable[Any], stopwatch: Stopwatch) -> Iterator[Any]:
    while True:
        is_empty = True
        for minibatch in loader:
            is_empty = False
            yield minibatch
        if is_empty:
            raise ArgumentError.of("workload", loader, "a data loader that yields minibatches each time")
        stopwatch.interrupt()  # The edge of an epoch is no minibatch.


def _trained_here(workload: str) -> Training:
    import torch

    from lightning_powertrain.characterization.workloads import WORKLOADS, built_in

    runs_on = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    source, _, function = workload.rpartition(":")
    if source:
        name, (loader, step) = function, _called(workload, source, function)
    elif workload in WORKLOADS:
        name, (loader, step) = workload, built_in(workload)
    else:
        allowed = f"FILE.py:FUNCTION, MODULE:FUNCTION, or {one_of(workload, WORKLOADS)}"
        raise ArgumentError.of("workload", workload, allowed)
    workers, ahead = getattr(loader, "num_workers", None) or 0, getattr(loader, "prefetch_factor", None) or 0
    return Training(name, loader, step, workers * ahead, runs_on)


def _called(workload: str, source: str, function: str) -> tuple[Iterable[Any], Callable[[Any], object]]:
    """What the user's function returns, checked."""
    make = getattr(_module(workload, source), function, None)
    if not callable(make):
        raise ArgumentError.of("workload", workload, f"a function {function} in {source}, which has none")
    made = make()
    if not (isinstance(made, tuple) and len(made) == 2 and hasattr(made[0], "__iter__") and callable(made[1])):
        what = "a function that returns two things: a data loader, and a function that trains on one minibatch"
        raise ArgumentError.of("workload", workload, what)
    return made


def _module(workload: str, source: str) -> ModuleType:
    if not source.endswith(".py"):
        sys.path.insert(0, str(Path.cwd()))  # As `python -m` has it.
        try:
            return importlib.import_module(source)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{source}.".startswith(f"{error.name}."):
                raise  # The module is there, and lacks another one.
            raise ArgumentError.of("workload", workload, f"a module that can be imported; {error}") from None
    path = Path(source)
    if not path.is_file():
        raise ArgumentError.of("workload", workload, f"a file that exists; there is no {source}")
    sys.path.insert(0, str(path.resolve().parent))  # As `python FILE.py` has it.
    # The workers of a data loader that are spawned import it by this name.
    return importlib.import_module(path.stem)
