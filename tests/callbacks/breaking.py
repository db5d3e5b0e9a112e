"""Makes what the callback needs fail, in a small job that comes through every one of its hooks."""

from __future__ import annotations

import importlib
import inspect
import logging
from pathlib import Path
from typing import Any, Dict

import pytest
import pytorch_lightning as pl
from jobs import Model, data, trainer
from pytorch_lightning.loggers import CSVLogger
from torch import Tensor

from lightning_powertrain.callbacks import powertrain

Weights = Dict[str, Tensor]

TUNER = "lightning_powertrain.tuner.Tuner"
CALLBACK = "lightning_powertrain.callbacks.powertrain.PowerTrainCallback"
JOB = "lightning_powertrain.callbacks.lightning_job"
FACTORY = "lightning_powertrain.jobs.tuner_factory"
WORKLOAD = "lightning_powertrain.jobs.workload"


class UnforeseenError(Exception):
    """Of nobody's tree of errors."""


def stuck(*details: object) -> None:
    raise UnforeseenError("stuck")


class Validated(Model):
    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        pass


class Saves(pl.Callback):
    """Saves a checkpoint right after validation."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "mine.ckpt"

    def on_validation_end(self, job: pl.Trainer, *details: Any) -> None:
        if not job.sanity_checking:
            job.save_checkpoint(self._path)


def trained(folder: Path, *callbacks: pl.Callback, minibatches: int = 260) -> Weights:
    """Weights after a small job that comes through every hook, twice that many minibatches long."""
    pl.seed_everything(7)
    model = Validated()
    options = {"val_check_interval": minibatches // 2, "max_epochs": 2, "logger": CSVLogger(folder)}
    trainer(*callbacks, Saves(folder), **options).fit(model, data(minibatches), data(1, shuffle=False))
    assert not any(module._forward_hooks for module in model.modules())
    return {name: value.clone() for name, value in model.state_dict().items()}


def _resolve(name: str) -> Any:
    """What a dotted name stands for: a module, or something in one."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        owner, _, attribute = name.rpartition(".")
        return getattr(_resolve(owner), attribute)


def break_after(patch: pytest.MonkeyPatch, what: str, good_calls: int, error: BaseException) -> list[str]:
    """Make ``what`` raise after some calls; returns a list to which the hook of ours is added whenever it did."""
    raised: list[str] = []
    place, name = what.rsplit(".", 1)
    owner = _resolve(place)
    replaced = getattr(owner, name)
    original = replaced.fget if isinstance(replaced, property) else replaced
    calls = iter(range(good_calls))

    def broken(*args: Any, **kwargs: Any) -> Any:
        if next(calls, None) is None:
            raised.append(_current_hook())
            raise error
        return original(*args, **kwargs)

    patch.setattr(owner, name, property(broken) if isinstance(replaced, property) else broken)
    return raised


def _current_hook() -> str:
    frames = [frame for frame in inspect.stack(context=0) if frame.filename == powertrain.__file__]
    return frames[-1].function if frames else "none of ours"


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    ours = [record for record in caplog.records if record.name == "lightning_powertrain"]
    assert all(record.levelno == logging.WARNING for record in ours)
    return [record.getMessage() for record in ours]
