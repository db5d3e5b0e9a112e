"""Jobs that drift after the lock: what the callback shows, leaves in checkpoints, and leaves in the cache."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from drifting import Changing, Proportional
from jobs import LIGHTNING_WARNINGS, Model, data, locked, powertrain, trainer
from torch import Tensor

from lightning_powertrain import PowerTrainCallback
from lightning_powertrain.profiling import ProfileCache

pytestmark = [*LIGHTNING_WARNINGS, pytest.mark.filterwarnings("ignore:.*your dataloader is not resumable")]


class Drifts(pl.Callback):
    """Has the job take a hundred times as long once a mode is locked, so that minutes pass in a few minibatches."""

    def __init__(self, device: Changing, callback: PowerTrainCallback) -> None:
        self.device, self.callback = device, callback

    def on_train_batch_end(self, job: pl.Trainer, *details: Any) -> None:
        if locked(self.callback):
            self.device.locked_s = min(self.device.locked_s, self.device.clock.now())


class SavesOnceCorrected(pl.Callback):
    """Saves a checkpoint when the choice was corrected, and breaks off."""

    def __init__(self, callback: PowerTrainCallback, path: Path) -> None:
        self.callback, self.path = callback, path

    def on_train_batch_end(self, job: pl.Trainer, *details: Any) -> None:
        if self.callback.outcome is not None and self.callback.outcome.corrections:
            job.save_checkpoint(self.path)
            raise RuntimeError("power failure")


def weights(*callbacks: pl.Callback) -> dict[str, Tensor]:
    pl.seed_everything(7)
    model = Model()
    trainer(*callbacks).fit(model, data(2000))
    return {name: value.clone() for name, value in model.state_dict().items()}


def drifting() -> Changing:
    return Changing(lambda since_s: (100.0, 1.2))


def callback_for(device: Changing, **options: Any) -> PowerTrainCallback:
    usual = {"budget": "20 W", "max_modes": 3, "predictor": Proportional(), "cache": False}
    return powertrain(device, **{**usual, **options})


def test_the_choice_is_corrected_and_weights_are_those_of_a_run_without() -> None:
    device = drifting()
    callback = callback_for(device)
    tuned = weights(callback, Drifts(device, callback))
    assert callback.outcome is not None
    assert len(callback.outcome.corrections) == 1
    assert callback.selection is not None
    assert callback.selection.measured is not None
    assert callback.selection.measured.power_w <= 20.0
    assert device.mode == device.found
    plain = weights()
    assert all(torch.equal(plain[name], value) for name, value in tuned.items())


def test_a_job_goes_on_in_the_corrected_mode(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    device, path = drifting(), tmp_path / "broken-off.ckpt"
    first = callback_for(device)
    with pytest.raises(RuntimeError, match="power failure"):
        trainer(first, Drifts(device, first), SavesOnceCorrected(first, path)).fit(Model(), data(2000))
    assert first.selection is not None
    second, applied = callback_for(device), len(device.applied)
    trainer(second).fit(Model(), data(2000), ckpt_path=path)
    assert second.selection is not None
    assert second.selection.mode == first.selection.mode
    assert second.outcome is not None
    assert [each.mode for each in second.outcome.measured_now] == [first.selection.mode]
    assert set(device.applied[applied:]) == {first.selection.mode}, "measured once, and nothing else was tried"
    assert [each for each in caplog.records if each.levelno >= logging.WARNING] == []


def test_the_cache_keeps_what_the_job_was_at_its_beginning(tmp_path: Path) -> None:
    device = drifting()
    callback = callback_for(device, cache=tmp_path)
    weights(callback, Drifts(device, callback))
    assert callback.outcome is not None
    assert callback.outcome.corrections
    (kept,) = ProfileCache(tmp_path).entries()
    assert kept.profile is not None
    assert kept.profile.time_ms.max() < 1000.0


def test_it_can_be_switched_off() -> None:
    device = drifting()
    callback = callback_for(device, adapt=False)
    weights(callback, Drifts(device, callback))
    assert callback.outcome is not None
    assert callback.outcome.corrections == ()
