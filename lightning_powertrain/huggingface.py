"""Tuning for the Trainer of Hugging Face: ``from lightning_powertrain.huggingface import PowerTrainCallback``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from torch import nn

from lightning_powertrain.devices import BaseDevice
from lightning_powertrain.errors import MissingPackageError, PowerTrainError
from lightning_powertrain.jobs import BaseJob, JobTuner, TuningResults
from lightning_powertrain.jobs.call_watch import CallWatch, calling
from lightning_powertrain.logs import swallowed
from lightning_powertrain.selection import BudgetLike
from lightning_powertrain.tuning import ProfilingOptions

try:
    from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
    from transformers.integrations import get_reporting_integration_callbacks
except ModuleNotFoundError as error:
    raise MissingPackageError.of("transformers", "huggingface") from error

__all__ = ["PowerTrainCallback"]

_STATE = "lightning_powertrain"
"""Key of the state in ``trainer_state.json``, beside those of the callbacks that the Trainer creates anew itself."""


class PowerTrainCallback(TuningResults, TrainerCallback):  # type: ignore[misc]  # transformers may not be installed
    """Finds the power mode in which a job of Hugging Face's Trainer should train, and keeps the board in it.

    It does what :class:`lightning_powertrain.PowerTrainCallback` does in a job of Lightning, and takes the same
    arguments, which that class describes in full. Measurements go to the trackers of ``report_to`` and files to
    ``powertrain/`` in the ``output_dir``. Checkpoints hold the state for ``resume_from_checkpoint``. The board is
    restored at the end of training, and about a second after an error or Ctrl-C has ended it.

    Args:
        budget: What to look for, such as ``"30 W"``, ``"120 ms"`` or None; docs/budgets.md has all forms.
        device: None for the Jetson that this runs on, the name of a simulated board, or a device of your own.
        max_modes: How many power modes to measure; None for 50, ``"auto"`` for as many as it takes.
        max_share: Largest share of the job's time that measuring may take.
        hard_limit: Never exceed a power budget, not even to measure.
        strict: Raise errors instead of warning and continuing.
        cache: Where profiles are kept for later jobs: True for the usual folder, False for none, or a folder.
        verbose: Print progress and a summary.
        options: How modes are measured, predicted and watched; None for the defaults.

    Raises:
        ArgumentError: If an argument is not valid.

    Example::

        trainer = Trainer(model, arguments, train_dataset=data, callbacks=[PowerTrainCallback("30 W")])
        trainer.train()
    """

    def __init__(
        self,
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
    ) -> None:
        self._tuner = JobTuner(
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
        self._strict = strict
        self._job: _TrainerJob | None = None
        self._watch: CallWatch | None = None
        self._in_state: tuple[object, object] = (None, None)

    @property
    def state_key(self) -> str:
        """A Trainer of Lightning asks for it before it calls any hook.

        Raises:
            PowerTrainError: Always.
        """
        raise PowerTrainError(
            "a Trainer of Lightning needs `from lightning_powertrain import PowerTrainCallback`: "
            "lightning_powertrain.huggingface is for the Trainer of transformers"
        )

    def setup(self, *_: Any, **__: Any) -> None:
        """A Trainer of Lightning looks for it, and then asks for :attr:`state_key`."""

    on_exception = setup

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **details: Any
    ) -> None:
        self._end()  # The job before may have ended in an error.
        earlier = (getattr(state, "stateful_callbacks", None) or {}).get(_STATE)
        if earlier is not None:
            self._tuner.load(earlier)
        self._tuner.reset()
        self._in_state = (None, None)
        self._tuner.start(lambda: self._new_job(args, state, control, details))

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if self._tuner.active is None:
            self._tuner.first_minibatch_starts(None)
        else:
            self._tuner.active.minibatch_started()

    def on_substep_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._minibatch_ended(state, is_stepping=False)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._minibatch_ended(state, is_stepping=True)

    # Whatever happens between two minibatches makes the time between them no measure of a minibatch.

    def on_epoch_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._tuner.interrupt()

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._tuner.interrupt()

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._tuner.interrupt()

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._end(strict=self._strict)

    def _new_job(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, details: Mapping[str, Any]
    ) -> BaseJob:
        call = calling(Trainer)
        trainer = None if call is None else call.f_locals["self"]
        self._job = _TrainerJob(trainer, args, state, control, details)
        if call is not None:
            self._watch = CallWatch(call, self._tuner.stop)
        return self._job

    def _minibatch_ended(self, state: TrainerState, *, is_stepping: bool) -> None:
        tuner = self._tuner.active or self._tuner.first_minibatch_ended()
        if tuner is None:
            return
        try:
            if is_stepping and float(state.epoch or 0.0).is_integer():
                tuner.interrupt()  # The last minibatch of an epoch may be a short one.
            tuner.minibatch_ended(cycle_complete=is_stepping)
        except Exception as error:
            self._tuner.minibatch_failed(error, cycle_complete=is_stepping)
        found = (tuner.profile, tuner.outcome)
        if found[0] is not self._in_state[0] or found[1] is not self._in_state[1]:
            self._in_state = found
            # The next checkpoint holds it. The Trainer would create an ExportableState anew when it resumes, without
            # the device and the options of this one, and would fail to save beside a checkpoint that lacks it.
            if getattr(state, "stateful_callbacks", None) is not None:
                with swallowed("writing the state of tuning for a checkpoint"):
                    state.stateful_callbacks[_STATE] = self._tuner.state()

    def _end(self, *, strict: bool = False) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.stop()
        if self._job is not None:
            self._job.end()
        self._job = None
        self._tuner.stop(strict=strict)


class _TrainerJob(BaseJob):
    """What a Trainer knows of a job.

    Args:
        trainer: The Trainer; None if something else calls its callbacks.
        args: Its arguments.
        state: Its state.
        control: Its control.
        details: What else it passes to its callbacks.
    """

    def __init__(
        self,
        trainer: Trainer | None,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        details: Mapping[str, Any],
    ) -> None:
        self.model: nn.Module = details["model"]
        self.world_size, self.rank, self.local_rank = args.world_size, args.process_index, args.local_process_index
        self._args = args
        self._state = state
        self._control = control
        self._loader: Any = details.get("train_dataloader")
        self._optimizer: Any = details.get("optimizer")
        kinds = tuple(get_reporting_integration_callbacks(args.report_to))
        callbacks = [] if trainer is None else trainer.callback_handler.callbacks
        self._trackers = [_Tracker(each, self._report) for each in callbacks if isinstance(each, kinds)]

    def end(self) -> None:
        """Log no more: the trackers have closed by now."""
        self._trackers = []

    def minibatches_left(self) -> int | None:
        steps, accumulated = self._state.max_steps - self._state.global_step, self._args.gradient_accumulation_steps
        try:
            length = len(self._loader)
        except TypeError:  # An iterable data set.
            return int(steps * accumulated)
        epochs, rest = divmod(steps, -(-length // accumulated))
        return int(epochs * length + rest * accumulated)

    def loader_workers(self) -> tuple[int, int]:
        workers = self._args.dataloader_num_workers
        return workers, (self._args.dataloader_prefetch_factor or 2) if workers else 0

    def settings(self) -> Mapping[str, object]:
        args = self._args
        data: Any = getattr(self._loader, "dataset", None)
        return {
            # The Trainer does not pass minibatches to its callbacks.
            "data": [args.train_batch_size, type(data).__qualname__, len(data) if hasattr(data, "__len__") else None],
            "precision": ["bf16" if args.bf16 else "fp16" if args.fp16 else "fp32"],
            "accumulate_grad_batches": args.gradient_accumulation_steps,
            "gradient_clip": args.max_grad_norm,
            "gradient_checkpointing": bool(getattr(self.model, "is_gradient_checkpointing", False)),
            "optimizers": [type(getattr(self._optimizer, "optimizer", self._optimizer)).__qualname__],
            "device": args.device.type,
        }

    def folder(self) -> Path | None:
        return Path(self._args.output_dir)

    def loggers(self) -> Sequence[Any]:
        return self._trackers

    def step(self) -> int:
        return int(self._state.global_step)

    def printer(self) -> Callable[[str], None] | None:
        if self._args.disable_tqdm:
            return None
        from tqdm.auto import tqdm

        return lambda line: tqdm.write(line)

    def _report(self, tracker: TrainerCallback, metrics: Mapping[str, float]) -> None:
        tracker.on_log(self._args, self._state, self._control, logs=dict(metrics), model=self.model)


@dataclass(frozen=True)
class _Tracker:
    """A tracker of ``report_to`` as a logger: the Trainer's callback for it, and what passes metrics to that."""

    callback: TrainerCallback
    report: Callable[[TrainerCallback, Mapping[str, float]], None]

    def log_metrics(self, metrics: Mapping[str, float], step: int) -> None:
        self.report(self.callback, metrics)
