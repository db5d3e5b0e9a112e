"""The time of a plain minibatch, whatever goes on around it: checkpoints, tuners, other jobs and stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
from fakes import true_time_ms
from jobs import LIGHTNING_WARNINGS, locked, trainer
from pytorch_lightning.callbacks import BatchSizeFinder, LearningRateFinder, ModelCheckpoint
from pytorch_lightning.tuner import Tuner
from timed import (
    BATCH,
    EPOCH_EDGE_S,
    VALIDATION_S,
    Job,
    Timed,
    TimedDevice,
    callback_for,
    errors_of,
    loading,
    trainer_of,
    tuned,
)

pytestmark = [
    *LIGHTNING_WARNINGS,
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before the epoch ended"),
    pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no `val_dataloader`"),
    pytest.mark.filterwarnings("ignore:predict returned None"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
]


class Saves(pl.Callback):
    """A user's callback that saves a checkpoint of its own after every seventh minibatch."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "mine.ckpt"

    def on_train_batch_end(self, job: pl.Trainer, *details: Any) -> None:
        if details[-1] % 7 == 3:
            job.save_checkpoint(self.path)


@pytest.mark.parametrize(
    "when",
    [
        {"every_n_train_steps": 5, "save_top_k": -1},
        {"every_n_train_steps": 5, "save_last": True},
        {"every_n_train_steps": 5, "save_weights_only": True},
        {"every_n_epochs": 1},
        {"save_on_train_epoch_end": True, "save_weights_only": True},
    ],
    ids=str,
)
def test_checkpoints_are_no_minibatch(board: TimedDevice, tmp_path: Path, when: dict[str, Any]) -> None:
    job = Job(
        {"enable_checkpointing": True, "val_check_interval": 12}, after=lambda _: [ModelCheckpoint(tmp_path, **when)]
    )
    assert max(map(abs, errors_of(tuned(job, board)))) < 0.01


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_checkpoint_of_the_users_own_is_no_minibatch(board: TimedDevice, tmp_path: Path, place: str) -> None:
    job = Job(**{place: lambda _: [Saves(tmp_path)]})
    assert max(map(abs, errors_of(tuned(job, board)))) < 0.01


class Data(pl.LightningDataModule):
    """Minibatches of a size that a tuner may change; the model takes it as the plain one."""

    def __init__(self, device: TimedDevice, model: Timed) -> None:
        super().__init__()
        self.board, self.model = device, model
        self.batch_size = 2

    def train_dataloader(self) -> Any:
        self.model.batch_size = self.batch_size
        return loading(self.board, 24 * 8, batch_size=self.batch_size)

    def val_dataloader(self) -> Any:
        return loading(self.board, 16)


def size_finder() -> BatchSizeFinder:
    return BatchSizeFinder(steps_per_trial=2, max_trials=2)


def rate_finder() -> LearningRateFinder:
    return LearningRateFinder(num_training_steps=10)


@pytest.mark.parametrize("finder", [size_finder, rate_finder])
def test_finders_in_the_list_are_no_minibatch(board: TimedDevice, tmp_path: Path, finder: Any) -> None:
    job = Job({"default_root_dir": tmp_path}, before=lambda _: [finder()])
    callback = callback_for(board)
    model = Timed(board)
    trainer_of(job, board, callback).fit(model, Data(board, model))
    assert max(map(abs, errors_of(callback))) < 0.01


@pytest.mark.parametrize("search", ["lr_find", "scale_batch_size"])
def test_tuners_before_the_job_are_no_minibatch(board: TimedDevice, tmp_path: Path, search: str) -> None:
    callback, model = callback_for(board), Timed(board)
    data, job = Data(board, model), trainer_of(Job({"default_root_dir": tmp_path}), board, callback)
    few = {"num_training": 10} if search == "lr_find" else {"steps_per_trial": 2, "max_trials": 2}
    getattr(Tuner(job), search)(model, data, **few)
    assert callback.profile is None
    assert board.applied == []
    job.fit(model, data)
    assert max(map(abs, errors_of(callback))) < 0.01


def test_every_fit_of_one_trainer_is_measured_anew(board: TimedDevice) -> None:
    callback, model, data = callback_for(board), Timed(board), loading(board, 24 * BATCH)
    job = trainer_of(Job(), board, callback)
    job.fit(model, data)
    first = callback.profile
    job.should_stop = False
    job.fit(model, data)
    assert callback.profile is not first
    assert max(map(abs, errors_of(callback))) < 0.01


def test_other_stages_are_no_minibatch(board: TimedDevice) -> None:
    class AllStages(Timed):
        test_step = predict_step = Timed.validation_step

    callback, model = callback_for(board), AllStages(board)
    job, data = trainer_of(Job(), board, callback), loading(board, 2 * BATCH)
    for stage in (job.validate, job.test, job.predict):
        stage(model, data)
    assert callback.profile is None
    assert board.restored == 0
    job.fit(model, loading(board, 24 * BATCH))
    assert max(map(abs, errors_of(callback))) < 0.01


@pytest.mark.parametrize("accumulate", [1, 4])
def test_resumed_within_an_epoch(board: TimedDevice, tmp_path: Path, accumulate: int) -> None:
    class Stops(Saves):
        def on_train_batch_end(self, job: pl.Trainer, *details: Any) -> None:
            job.should_stop = details[-1] == 10
            super().on_train_batch_end(job, *details)

    trainer(Stops(tmp_path), max_epochs=-1, accumulate_grad_batches=accumulate).fit(
        Timed(board), loading(board, 24 * BATCH)
    )
    board.clock.advance(100.0)
    callback = tuned(Job({"accumulate_grad_batches": accumulate}), board, ckpt_path=tmp_path / "mine.ckpt")
    assert max(map(abs, errors_of(callback))) < 0.01


@pytest.mark.parametrize(
    ("options", "epoch", "expected_more_s"),
    [
        ({"val_check_interval": 1}, 4000, VALIDATION_S),
        ({"val_check_interval": 2, "accumulate_grad_batches": 4}, 4000, VALIDATION_S / 2),
        ({"accumulate_grad_batches": 1000, "limit_val_batches": 0}, 24, 2 * EPOCH_EDGE_S / 24),
    ],
    ids=str,
)
def test_where_no_minibatch_is_plain_what_interrupts_them_counts(
    board: TimedDevice, options: dict[str, Any], epoch: int, expected_more_s: float
) -> None:
    """Such a job goes on like this to its end, and a measurement that never comes would leave it in a bad mode."""
    callback = tuned(Job(options, data=lambda device: loading(device, epoch * BATCH)), board)
    assert callback.profile is not None
    expected_ms = true_time_ms(callback.profile.modes) + 1e3 * expected_more_s
    assert callback.profile.time_ms == pytest.approx(expected_ms, rel=0.01)


@pytest.mark.parametrize(
    "options", [{"fast_dev_run": 3}, {"max_epochs": 0}, {"limit_train_batches": 0}, {"max_steps": 0}], ids=str
)
def test_jobs_of_nothing_are_left_alone(board: TimedDevice, options: dict[str, Any]) -> None:
    callback = callback_for(board)
    job = trainer(callback, **options)
    job.fit(Timed(board), loading(board, 24 * BATCH), loading(board, BATCH))
    assert callback.profile is None
    assert not locked(callback)
    assert board.restored == 0
    assert board.minibatches == 0
