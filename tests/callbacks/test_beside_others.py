"""What other callbacks of the same Trainer do: the board comes back, and the next job starts afresh."""

from __future__ import annotations

import copy
import io
import threading
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from fakes import FakeDevice
from jobs import LIGHTNING_WARNINGS, RESNET, Model, data, powertrain, trainer
from pytorch_lightning.callbacks import LearningRateFinder, ModelCheckpoint
from torch import Tensor

from lightning_powertrain import PowerMonitor, PowerTrainCallback
from lightning_powertrain.errors import PowerTrainError

pytestmark = LIGHTNING_WARNINGS


class Broken(Model):
    """Fails in the middle of training."""

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor | None:
        if batch_idx == 100:
            raise ValueError("the user's own error")
        return super().training_step(batch, batch_idx)


class Notifier(pl.Callback):
    """Fails when it receives an exception."""

    def on_exception(self, *details: Any) -> None:
        raise OSError("no network")


@pytest.mark.parametrize("ours_first", [True, False])
def test_board_comes_back_when_another_callback_fails_in_on_exception(tiny: FakeDevice, ours_first: bool) -> None:
    callback, found = powertrain(tiny, max_modes=3), tiny.current_mode()
    callbacks = [callback, Notifier()] if ours_first else [Notifier(), callback]
    job = trainer(*callbacks)
    with pytest.raises(OSError, match="no network"):
        job.fit(Broken(), data(1000))
    assert tiny.applied
    assert tiny.current_mode() == found
    assert tiny.restored == 1
    assert [each for each in job.callbacks if each in callbacks] == callbacks
    assert not [each for each in job.callbacks if type(each).__name__ == "ExceptionGuard"]
    trainer(callback).fit(Model(), data(1000))
    assert callback.selection is not None
    assert tiny.restored == 2


def test_monitor_monitors_again_after_another_callback_failed_in_on_exception() -> None:
    monitor = PowerMonitor(RESNET, verbose=False)
    with pytest.raises(OSError, match="no network"):
        trainer(Notifier(), monitor).fit(Broken(), data(1000))
    assert monitor.summary is not None
    assert monitor.summary.samples == 100 * 4
    trainer(monitor).fit(Model(), data(50))
    assert monitor.summary.samples == 50 * 4


def test_a_job_inside_of_another_one_is_still_an_error(tiny: FakeDevice) -> None:
    callback = powertrain(tiny, max_modes=3)

    class Nested(pl.Callback):
        def on_train_batch_end(self, *details: Any) -> None:
            trainer(callback).fit(Model(), data(10))

    with pytest.raises(PowerTrainError, match="another Trainer that has not finished"):
        trainer(callback, Nested()).fit(Model(), data(100))
    assert tiny.restored == 1


class FindsInTheMiddle(LearningRateFinder):
    """As on Lightning's page on its finder."""

    def on_fit_start(self, *details: Any) -> None:
        pass

    def on_train_epoch_start(self, job: pl.Trainer, model: pl.LightningModule) -> None:
        if job.current_epoch == 1:
            self.lr_find(job, model)


class WithRate(Model):
    lr = 1e-3


def test_checkpoints_after_a_finder_hold_what_is_measured_since(tiny: FakeDevice, tmp_path: Path) -> None:
    callback = powertrain(tiny, max_modes=3, cache=False)
    folder = str(tmp_path)  # Lightning 2.0 writes it into checkpoints as it is, and a path is no plain value.
    saves = ModelCheckpoint(folder, save_last=True)
    finder = FindsInTheMiddle(num_training_steps=5)
    job = trainer(finder, saves, callback, max_epochs=6, enable_checkpointing=True, default_root_dir=folder)
    job.fit(WithRate(), data(150))
    assert callback.profile is not None
    state = torch.load(tmp_path / "last.ckpt", weights_only=True)["callbacks"]["PowerTrainCallback"]
    assert len(state["measurements"]) == len(callback.profile)
    assert state["kept"] is not None


class MeanTeacher(Model):
    """Copies and saves a part of itself in the first step; holds what cannot be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.teacher: Any = None
        self.lock = threading.Lock()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor | None:
        if self.teacher is None:
            self.teacher = copy.deepcopy(self.network)
            torch.save(self.network, io.BytesIO())
        self.teacher(batch[0])
        return super().training_step(batch, batch_idx)


@pytest.mark.parametrize("ours", [PowerTrainCallback, PowerMonitor])
def test_a_program_of_many_trainers_learns_once_that_there_is_no_board(
    ours: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        trainer(ours()).fit(Model(), data(3))
    assert len([record for record in caplog.records if record.name == "lightning_powertrain"]) == 1


@pytest.mark.parametrize("ours", ["tuning", "monitor"])
def test_modules_can_be_copied_and_saved_in_the_first_step(ours: str) -> None:
    board = "simulated:orin-agx-64gb"
    model = MeanTeacher()
    callback = powertrain(board) if ours == "tuning" else PowerMonitor(board, verbose=False)
    trainer(callback).fit(model, data(20))
    assert not any(part._forward_hooks for part in model.modules())


def test_a_saved_trainer_does_not_grow_by_the_predictions() -> None:
    def size() -> int:
        target = io.BytesIO()
        torch.save(job, target)
        return target.tell()

    callback = powertrain(RESNET, cache=False)
    job = trainer(callback, max_epochs=6)
    before = size()
    job.fit(Model(), data(500))
    assert callback.selection is not None
    assert size() < before + 500_000  # What the reference caches may stay; the predictions would be 8 MB.
