"""What a Trainer knows about its job: its length, its time limit, its data loaders."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from torch.utils.data import DataLoader

from lightning_powertrain.callbacks import _lightning as pl


def minibatches_left(trainer: pl.Trainer) -> int | None:
    """Minibatches from here to the end of training; None if the Trainer does not know.

    Right at the start of training, also of a resumed one. The number of minibatches is not that of steps: the last
    minibatch of an epoch always steps, and with manual optimization each optimizer counts.
    """
    epochs: Any = trainer.fit_loop.epoch_progress.current
    length = _epoch_length(trainer)
    done = trainer.fit_loop.batch_idx + 1 if epochs.ready > epochs.completed else 0
    limits: list[float] = []
    if trainer.max_epochs not in (None, -1):
        limits.append(length * (trainer.max_epochs - epochs.processed) - done)
    if trainer.max_steps != -1:
        limits.append(_minibatches_to_max_steps(trainer, length, done))
    left = min(limits, default=math.inf)
    return None if math.isinf(left) else int(left)


def is_running(trainer: pl.Trainer) -> bool:
    """Whether a job of this Trainer goes on; one that ended in an exception does not."""
    return str(trainer.state.status.value) == "running"


def seconds_left(trainer: pl.Trainer) -> float | None:
    """Seconds from here until ``max_time``; None without one."""
    everybody = trainer.callbacks  # type: ignore[union-attr]  # not declared by Lightning
    limits = [callback.time_remaining() for callback in everybody if _is_lightnings_timer(callback)]
    return min((limit for limit in limits if limit is not None), default=None)


def _is_lightnings_timer(callback: object) -> bool:
    """Whether a Trainer added it for its ``max_time``. Each Lightning has a class of its own, and users have others."""
    kinds = type(callback).__mro__
    ours = ("lightning", "pytorch_lightning")
    return any(kind.__name__ == "Timer" and kind.__module__.partition(".")[0] in ours for kind in kinds)


def _epoch_length(trainer: pl.Trainer) -> float:
    """Minibatches of an epoch; infinite for data without a length, unless the Trainer limits it."""
    limit = trainer.limit_train_batches
    return min(trainer.num_training_batches, limit if isinstance(limit, int) else math.inf)


def _cycles_left(trainer: pl.Trainer) -> int:
    """Accumulation cycles until ``max_steps``; in each of them every optimizer steps once."""
    automatic = trainer.lightning_module.automatic_optimization
    optimizers = 1 if automatic else max(1, len(trainer.optimizers))
    return math.ceil((trainer.max_steps - trainer.global_step) / optimizers)


def _minibatches_to_max_steps(trainer: pl.Trainer, epoch: float, done: int) -> float:
    """Minibatches until ``max_steps``, ``done`` minibatches after the start of an epoch of so many.

    A GradientAccumulationScheduler sets how many are accumulated when an epoch starts: all epochs in which that changes
    are counted one by one.
    """
    cycles, before = _cycles_left(trainer), 0.0
    everybody = trainer.callbacks  # type: ignore[union-attr]  # not declared by Lightning
    scheduler = next((each for each in everybody if hasattr(each, "get_accumulate_grad_batches")), None)
    if scheduler is None:
        return _minibatches_of(cycles, trainer.accumulate_grad_batches, epoch, done)
    number = trainer.current_epoch
    while not math.isinf(epoch) and number < max(scheduler.scheduling):
        accumulated = scheduler.get_accumulate_grad_batches(number)
        cycles_of_rest = _cycles_in(epoch, accumulated) - _cycles_done(done, epoch, accumulated)
        if cycles <= cycles_of_rest:
            break
        cycles, before, number, done = cycles - cycles_of_rest, before + epoch - done, number + 1, 0
    return before + _minibatches_of(cycles, scheduler.get_accumulate_grad_batches(number), epoch, done)


def _minibatches_of(cycles: int, accumulated: int, epoch: float, done: int) -> float:
    """Minibatches in so many accumulation cycles, ``done`` minibatches after the start of an epoch."""
    if math.isinf(epoch):
        return cycles * accumulated - done % accumulated
    behind = _cycles_done(done, epoch, accumulated)
    epochs, cycles_more = divmod(behind + cycles, _cycles_in(epoch, accumulated))
    return epochs * epoch + cycles_more * accumulated - done


def _cycles_in(epoch: float, accumulated: int) -> int:
    return math.ceil(epoch / accumulated)


def _cycles_done(done: int, epoch: float, accumulated: int) -> int:
    return _cycles_in(epoch, accumulated) if done >= epoch else done // accumulated


def loader_workers(trainer: pl.Trainer) -> tuple[int, int]:
    """Workers of the training data loader, and minibatches that each keeps ready; of several loaders the busiest."""
    workers = [(loader.num_workers, loader.prefetch_factor or 0) for loader in _loaders(trainer)]
    return max(workers, key=lambda each: each[0] * each[1], default=(0, 0))


def worker_count(trainer: pl.Trainer) -> int | None:
    """Workers of the training data loader; of several loaders the most, None without a loader of torch."""
    return max((loader.num_workers for loader in _loaders(trainer)), default=None)


def _loaders(trainer: pl.Trainer) -> Iterator[DataLoader[Any]]:
    def walk(data: object) -> Iterator[DataLoader[Any]]:
        if isinstance(data, DataLoader):
            yield data
        elif isinstance(data, Mapping):
            yield from walk(list(data.values()))
        elif isinstance(data, (list, tuple)):
            for part in data:
                yield from walk(part)

    return walk(trainer.train_dataloader)


def logging_step(trainer: pl.Trainer) -> int:
    """The x-axis of all that Lightning itself logs, which its own callbacks take from here too."""
    return int(trainer.fit_loop.epoch_loop._batches_that_stepped)
