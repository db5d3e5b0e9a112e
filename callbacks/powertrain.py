"""PowerTrainCallback: finds the best power mode of a Jetson during the first minibatches of a training job."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from lightning_powertrain.callbacks import _lightning as pl
from lightning_powertrain.callbacks.exception_guard import ExceptionGuard
from lightning_powertrain.callbacks.job import is_running
from lightning_powertrain.callbacks.lightning_job import LightningJob
from lightning_powertrain.devices import BaseDevice
from lightning_powertrain.errors import PowerTrainError
from lightning_powertrain.jobs import JobTuner, TuningResults
from lightning_powertrain.logs import warn
from lightning_powertrain.selection import BudgetLike
from lightning_powertrain.tuning import ProfilingOptions
from lightning_powertrain.tuning.claims import claim


class PowerTrainCallback(TuningResults, pl.Callback):  # type: ignore[misc]  # `pl` is either of two packages
    r"""Finds the power mode in which this job should train, and keeps the board in it.

    During the first minibatches the board is moved through sampled power modes, each of which is measured; a bundled
    reference is transferred to this workload, predicts all others and says where to measure next; the best measured one
    for the budget is kept to the end of training. Then the board is restored. The trained weights are
    those of a run without the callback, bit for bit. Off a Jetson training continues unchanged, with one warning.

    Args:
        budget: What to look for: ``30`` or ``"30 W"`` (fastest mode that draws no more), ``"120 ms"`` (least power
            with minibatches no slower), ``"energy"`` (least energy per minibatch), ``"edp"`` (least energy-delay
            product), ``"5 % slower"`` (least energy, compared with the mode that the job started in), or None (least
            energy, no slower than that mode and with no more power). docs/budgets.md has all forms.
        device: None for the Jetson that this runs on; ``"simulated:orin-agx-64gb"`` for a simulated one that trains
            this very model, ``"simulated:orin-agx-64gb:resnet18"`` for one that trains a given workload; or a device
            of your own.
        max_modes: How many power modes to measure; None for 50, or all that a smaller board has; ``"auto"`` for as many
            as it takes to settle the choice, at most 50. Up to five more follow while one is expected to be better by
            1 %.
        max_share: Largest share of the job's time that measuring may take; a short job measures fewer modes.
        hard_limit: Never exceed a power budget, not even to measure: for a supply that really ends there. Starts from
            the lowest mode, which takes longer.
        strict: Raise errors instead of warning and continuing; also if no mode can meet the budget.
        cache: Where profiles are kept for later jobs of the same workload on the same board: True for the usual folder
            (see docs/cache.md), False for none, or a folder.
        verbose: Print progress and a summary.
        options: How modes are measured, predicted and watched; None for the defaults.

    Raises:
        ArgumentError: If an argument is not valid.

    Example::

        trainer = pl.Trainer(max_epochs=3, callbacks=[PowerTrainCallback(budget="30 W")])
        trainer.fit(model, data)

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
        self._guard = ExceptionGuard(self._stop)
        self._trainer: pl.Trainer | None = None
        self._saved: list[int | None] = []

    def state_dict(self) -> dict[str, Any]:
        """What was measured so far and the mode that is locked, as plain Python values."""
        return self._tuner.state()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep a state from which the next job resumes; its first minibatch reports what is wrong with it."""
        self._tuner.load(state_dict)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        if stage == "fit":
            claim()  # A learning-rate finder of the Trainer may train before tuning begins.
        if stage != "fit" or self._trainer in (None, trainer):
            return
        assert self._trainer is not None
        if is_running(self._trainer):
            raise PowerTrainError(
                "this PowerTrainCallback is tuning for another Trainer that has not finished. "
                "Give each Trainer a PowerTrainCallback of its own"
            )
        self._stop(self._trainer)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._tuner.reset()
        if getattr(trainer, "fast_dev_run", False):
            if trainer.is_global_zero:
                what = "power-mode tuning is disabled for this run, since `fast_dev_run` is too short for it"
                warn(what, see="troubleshooting.md#short-jobs")
            return
        self._trainer, self._saved = trainer, []
        self._guard.begin(trainer)
        self._tuner.start(lambda: LightningJob(trainer, pl_module))

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if self._tuner.active is None:
            self._tuner.first_minibatch_starts(batch)
        else:
            self._tuner.active.minibatch_started()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        tuner = self._tuner.active or self._tuner.first_minibatch_ended()
        if tuner is None:
            return
        is_stepping = True
        try:
            is_last = bool(trainer.is_last_batch)  # It may be a short one.
            is_stepping = is_last or (trainer.fit_loop.batch_idx + 1) % trainer.accumulate_grad_batches == 0
            if self._has_saved(trainer) or is_last:
                tuner.interrupt()
            tuner.minibatch_ended(cycle_complete=is_stepping)
        except Exception as error:
            self._tuner.minibatch_failed(error, cycle_complete=is_stepping)

    # Whatever happens between two minibatches makes the time between them no measure of a minibatch.

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._tuner.interrupt()

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._tuner.interrupt()

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        self._tuner.interrupt()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._stop(trainer, strict=self._strict)

    # In these two an error of ours would replace the user's.

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._stop(trainer)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        self._stop(trainer)

    # What the Trainer of Hugging Face calls of its callbacks.

    def on_init_end(self, *_: Any, **__: Any) -> None:
        """Its constructor calls this.

        Raises:
            PowerTrainError: Always.
        """
        raise PowerTrainError(
            "a Trainer of transformers needs `from lightning_powertrain.huggingface import PowerTrainCallback`: "
            "this one is for the Trainer of Lightning"
        )

    on_train_begin = on_init_end  # Of a Trainer to which it was added later.

    def _has_saved(self, trainer: pl.Trainer) -> bool:
        """Whether a checkpoint was saved since the last minibatch: one of weights only is not reported to callbacks."""
        before = self._saved
        self._saved = [getattr(each, "_last_global_step_saved", None) for each in trainer.checkpoint_callbacks]
        return self._saved != before

    def _stop(self, trainer: pl.Trainer, strict: bool = False) -> None:
        """Restore the board, unless the callback tunes for another Trainer."""
        if self._trainer is trainer:
            self._trainer = None
            self._guard.end(trainer)
            self._tuner.stop(strict=strict)
