"""Jobs that break off, and go on from what they left."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from fakes import FakeDevice
from jobs import LIGHTNING_WARNINGS, Model, data, powertrain, trainer
from torch import Tensor

from lightning_powertrain import PowerTrainCallback
from lightning_powertrain.profiling import Profile

RESUME_WARNINGS = [
    *LIGHTNING_WARNINGS,
    pytest.mark.filterwarnings("ignore:.*callbacks used to create the checkpoint"),
    pytest.mark.filterwarnings("ignore:.*your dataloader is not resumable"),
]

LOCKED_AT = 900
"""By this minibatch a mode is locked."""


def callback_for(device: Any, **options: Any) -> PowerTrainCallback:
    """One that remembers by checkpoints alone."""
    return powertrain(device, **{"budget": "13 W", "max_modes": 6, "cache": False, **options})


class Crash(pl.Callback):
    """Saves a checkpoint after so many minibatches, and breaks off."""

    def __init__(self, at: int, path: Path) -> None:
        self.at, self.path = at, path

    def on_train_batch_end(self, job: pl.Trainer, module: pl.LightningModule, *details: Any) -> None:
        if job.fit_loop.total_batch_idx + 1 == self.at:
            job.save_checkpoint(self.path)
            raise RuntimeError("power failure")


class Modes(pl.Callback):
    """The mode in which each minibatch ran."""

    def __init__(self, device: FakeDevice) -> None:
        self.device = device
        self.seen: list[Any] = []

    def on_before_optimizer_step(self, *details: Any) -> None:
        self.seen.append(self.device.mode)


def broken_off(path: Path, at: int, *callbacks: pl.Callback, model: Model | None = None, **options: Any) -> None:
    pl.seed_everything(7)
    with pytest.raises(RuntimeError, match="power failure"):
        trainer(*callbacks, Crash(at, path), **options).fit(model or Model(), data(1500))


def gone_on(path: Path, *callbacks: pl.Callback, **options: Any) -> dict[str, Tensor]:
    """Weights at the end of the job."""
    model = Model()
    trainer(*callbacks, **options).fit(model, data(1500), ckpt_path=path)
    return {name: value.clone() for name, value in model.state_dict().items()}


def state_in(path: Path) -> dict[str, Any]:
    """The state in a checkpoint, which torch loads without trusting it."""
    state = torch.load(path, weights_only=True)["callbacks"].get("PowerTrainCallback", {})
    return dict(state)


def only_plain(value: object) -> bool:
    if isinstance(value, dict):
        return all(type(key) is str for key in value) and all(map(only_plain, value.values()))
    return all(map(only_plain, value)) if type(value) is list else type(value) in (str, int, float, bool, type(None))


def messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def modes_of(profile: Profile | None) -> set[Any]:
    assert profile is not None
    return {each.mode for each in profile.measurements}
