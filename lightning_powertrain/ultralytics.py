"""Tuning for Ultralytics: ``from lightning_powertrain.ultralytics import powertrain``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

from torch import nn

from lightning_powertrain.devices import BaseDevice
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.jobs import BaseJob, JobTuner, TuningResults
from lightning_powertrain.jobs.call_watch import CallWatch, calling
from lightning_powertrain.logs import warn
from lightning_powertrain.selection import BudgetLike
from lightning_powertrain.terminal import print_amid
from lightning_powertrain.tuning import ProfilingOptions

__all__ = ["ModelTuning", "powertrain"]

# What the time and power of a minibatch depend on, of the arguments of `model.train`.
_SETTINGS = ("task", "batch", "imgsz", "amp", "rect", "multi_scale", "compile", "cache", "fraction", "freeze")
_AUGMENTATION = ("mosaic", "mixup", "copy_paste", "degrees", "translate", "scale", "shear", "perspective")


def powertrain(
    model: Any,
    budget: BudgetLike = None,
    *,
    device: str | BaseDevice | None = None,
    max_modes: int | Literal["auto"] | None = None,
    max_share: float = 0.1,
    hard_limit: bool = False,
    strict: bool = False,
    cache: bool | str | Path = True,
    verbose: bool = True,
    options: ProfilingOptions | None = None,
) -> ModelTuning:
    """Have each training of a model find its best power mode, and keep the board in it.

    It adds callbacks to the model, for any of its tasks. Files go to ``powertrain/`` in the folder of the run. The
    board is restored at the end of training, also after an error. Call it again to replace the arguments, which
    :class:`lightning_powertrain.PowerTrainCallback` describes in full.

    Args:
        model: A model of Ultralytics, such as ``YOLO("yolo11n.pt")``.
        budget: What to look for, such as ``"30 W"``, ``"120 ms"`` or None; docs/budgets.md has all forms.
        device: None for the Jetson that this runs on, the name of a simulated board, or a device of your own.
        max_modes: How many power modes to measure; None for 50, ``"auto"`` for as many as it takes.
        max_share: Largest share of the job's time that measuring may take.
        hard_limit: Never exceed a power budget, not even to measure.
        strict: Raise errors instead of warning and continuing.
        cache: Where profiles are kept for later jobs: True for the usual folder, False for none, or a folder.
        verbose: Print progress and a summary.
        options: How modes are measured, predicted and watched; None for the defaults.

    Returns:
        Where tuning stands, and its result.

    Raises:
        ArgumentError: If an argument is not valid.

    Example::

        model = YOLO("yolo11n.pt")
        powertrain(model, "30 W")
        model.train(data="coco8.yaml", epochs=100)
    """
    if not hasattr(model, "add_callback"):
        raise ArgumentError.of("model", model, 'a model of Ultralytics, such as YOLO("yolo11n.pt")')
    tuner = JobTuner(
        budget,
        device=device,
        max_modes=max_modes,
        max_share=max_share,
        hard_limit=hard_limit,
        strict=strict,
        cache=cache,
        verbose=verbose,
        options=options,
    )
    tuning = ModelTuning(tuner, strict)
    for event, callback in tuning.callbacks().items():
        others = [each for each in model.callbacks[event] if not isinstance(_owner(each), ModelTuning)]
        model.callbacks[event] = others
        model.add_callback(event, callback)
    return tuning


class ModelTuning(TuningResults):
    """The tuning of the training jobs of a model: what :func:`powertrain` returns.

    Args:
        tuner: Tunes the jobs.
        strict: Raise errors.
    """

    def __init__(self, tuner: JobTuner, strict: bool) -> None:
        self._tuner = tuner
        self._strict = strict
        self._job: _TrainerJob | None = None
        self._watch: CallWatch | None = None

    def callbacks(self) -> dict[str, Callable[[Any], None]]:
        """The callbacks for a model, by the names of their events."""
        return {
            "on_train_start": self._train_starts,
            "on_train_epoch_start": self._epoch_starts,
            "on_train_batch_start": self._batch_starts,
            "on_train_batch_end": self._batch_ended,
            "on_train_epoch_end": self._interrupted,  # Then come validation and the checkpoint.
            "on_train_end": self._train_ended,
            "teardown": self._left,
        }

    def _train_starts(self, trainer: Any) -> None:
        self._end()  # The job before may have ended in an error.
        self._tuner.reset()
        if getattr(trainer, "world_size", 1) > 1:
            what = "power-mode tuning is disabled for this run: it trains on %d GPUs, and tuning needs a board with one"
            warn(what, trainer.world_size, see="frameworks.md#ultralytics")
            return
        self._tuner.start(lambda: self._new_job(trainer))

    def _epoch_starts(self, trainer: Any) -> None:
        if self._job is not None:
            self._job.epoch_starts = True

    def _batch_starts(self, trainer: Any) -> None:
        if self._tuner.active is None:
            self._tuner.first_minibatch_starts(None)
        else:
            self._tuner.active.minibatch_started()

    def _batch_ended(self, trainer: Any) -> None:
        tuner, job = self._tuner.active or self._tuner.first_minibatch_ended(), self._job
        if tuner is None or job is None:
            return
        try:
            job.minibatch_ended()
            if job.is_interrupted():
                tuner.interrupt()
            tuner.minibatch_ended(cycle_complete=job.is_stepping)
        except Exception as error:
            self._tuner.minibatch_failed(error, cycle_complete=job.is_stepping)

    def _interrupted(self, trainer: Any) -> None:
        self._tuner.interrupt()

    def _train_ended(self, trainer: Any) -> None:
        self._end(strict=self._strict)

    def _left(self, trainer: Any) -> None:
        """Training has ended, maybe in an error, which an error of ours would replace."""
        self._end()

    def _new_job(self, trainer: Any) -> BaseJob:
        self._job = _TrainerJob(trainer)
        call = calling(type(trainer), "_do_train")
        if call is not None:  # Older versions have no event for errors.
            self._watch = CallWatch(call, self._tuner.stop)
        return self._job

    def _end(self, *, strict: bool = False) -> None:
        watch, self._watch, self._job = self._watch, None, None
        if watch is not None:
            watch.stop()
        self._tuner.stop(strict=strict)


class _TrainerJob(BaseJob):
    """What a trainer of Ultralytics knows of a job.

    Args:
        trainer: The trainer, at the start of training.
    """

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer
        self.model: nn.Module = trainer.model
        self.epoch_starts = True
        """Whether the minibatch that ends next is the first one of an epoch."""
        self._step = 0
        self._in_epoch = 0
        self._epoch: int | None = None
        self._since_step = 0
        self.is_stepping = True
        """Whether the trainer has made a step at the end of the last minibatch."""

    def minibatch_ended(self) -> None:
        """Count as the trainer does, which steps once so many minibatches were accumulated, as many as that is by now.

        Where an epoch begins again, with smaller minibatches or after a NaN, the trainer begins to count anew.
        """
        if self.epoch_starts:
            self.epoch_starts = False
            self._in_epoch = 0
            if self._epoch in (None, self._trainer.epoch):
                self._since_step = len(self._trainer.train_loader) * self._trainer.epoch
            self._epoch = self._trainer.epoch
        self._step += 1
        self._in_epoch += 1
        self._since_step += 1
        self.is_stepping = self._since_step >= self._trainer.accumulate
        if self.is_stepping:
            self._since_step = 0

    def minibatches_left(self) -> int | None:
        trainer = self._trainer
        if trainer.args.time:  # The trainer adapts the number of epochs to the time.
            return None
        return int((trainer.epochs - trainer.start_epoch) * len(trainer.train_loader))

    def seconds_left(self) -> float | None:
        hours = self._trainer.args.time
        return 3600.0 * hours if hours else None

    def loader_workers(self) -> tuple[int, int]:
        loader = self._trainer.train_loader
        return loader.num_workers, loader.prefetch_factor or 0

    def is_interrupted(self) -> bool:
        """Whether the time of the minibatch that has just ended is no measure of the others."""
        return self._in_epoch == len(self._trainer.train_loader)  # The last minibatch may be a short one.

    def settings(self) -> Mapping[str, object]:
        trainer = self._trainer
        given = {name: getattr(trainer.args, name, None) for name in (*_SETTINGS, *_AUGMENTATION)}
        return {
            # The trainer does not pass minibatches to its callbacks.
            "data": [type(trainer.train_loader.dataset).__qualname__, len(trainer.train_loader.dataset)],
            "arguments": {name: repr(value) for name, value in given.items()},
            "accumulate_grad_batches": trainer.accumulate,
            "optimizers": [type(trainer.optimizer).__qualname__],
            "device": trainer.device.type,
        }

    def folder(self) -> Path | None:
        return Path(self._trainer.save_dir)

    def step(self) -> int:
        return self._step

    def printer(self) -> Callable[[str], None] | None:
        return partial(print_amid, may_follow_bar=True)


def _owner(callback: Callable[[Any], None]) -> object:
    return getattr(callback, "__self__", None)
