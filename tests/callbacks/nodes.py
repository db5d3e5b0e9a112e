"""Runs a job over several nodes with fake boards: ``python nodes.py FOLDER NODES [KEY=VALUE ...]``.

Each node is a process, which reads its rank from the environment that a launcher sets, and writes its results to
``FOLDER/rank-N.json``. The processes are forked from this one, so that they import nothing again.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from fakes import TINY, FakeDevice, Oracle
from jobs import Model, data
from pytorch_lightning.loggers import CSVLogger

import lightning_powertrain.callbacks.lightning_job as module
import lightning_powertrain.tuning.options as options
from lightning_powertrain import PowerTrainCallback, Prediction
from lightning_powertrain.boards import IntArray
from lightning_powertrain.errors import DeviceError


class KillProcess(pl.Callback):
    """Ends its process after a minibatch, as a power failure of its board does."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self._after = after

    def on_train_batch_end(self, trainer: pl.Trainer, model: pl.LightningModule, outputs: Any, *batch: Any) -> None:
        if batch[1] == self._after:
            os._exit(9)


class Slow(FakeDevice):
    """Minibatches take ten times as long, so that a window needs few of them."""

    settle_s = 0.2

    def minibatch_ended(self) -> None:
        for _ in range(10):
            super().minibatch_ended()


class Slower(Slow):
    """A board of another kind, 1.5 times as slow."""

    def __init__(self) -> None:
        super().__init__()
        self.board = replace(TINY, key="slower")

    def minibatch_ended(self) -> None:
        for _ in range(15):
            FakeDevice.minibatch_ended(self)


class SlowOracle(Oracle):
    """Predicts the true times of both kinds."""

    def predict(self, modes: IntArray) -> Prediction:
        prediction = super().predict(modes)
        assert self.fitted is not None
        times = 15 if self.fitted.provenance.board == "slower" else 10
        return replace(prediction, time_ms=times * prediction.time_ms)


class FailingDevice(Slow):
    """Raises an error at the second change of its mode."""

    def apply(self, mode: Any) -> Any:
        if len(self.applied) == 1:
            raise DeviceError("this board refuses")
        return super().apply(mode)


def failing_minibatches_left(trainer: pl.Trainer) -> int:
    raise ArithmeticError("unknown job length")


def train(
    folder: str, minibatches: int, *callbacks: pl.Callback, epochs: int = 1, checkpoint: str | None = None
) -> dict[str, list[float]]:
    """Train and return the weights. With a checkpoint, a job of two epochs resumes after the first."""
    nodes = int(os.environ["NODES"])
    pl.seed_everything(7)
    model = Model()
    trainer = pl.Trainer(
        **{"max_epochs": epochs, "accelerator": "cpu", "strategy": "ddp", "devices": 1, "num_nodes": nodes},
        **{"enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False},
        callbacks=list(callbacks),
        logger=CSVLogger(folder),
    )
    if minibatches:
        trainer.fit(model, data(minibatches * nodes), ckpt_path=checkpoint if epochs == 2 else None)
        if checkpoint is not None and epochs == 1:
            trainer.save_checkpoint(checkpoint)
    return {name: value.double().flatten().tolist() for name, value in model.state_dict().items()}


def chosen_by(callback: PowerTrainCallback) -> dict[str, int] | None:
    return dict(callback.selection.mode) if callback.selection else None


def collect_warnings() -> list[str]:
    """A list that receives all warnings of this process."""
    warnings: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: warnings.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("lightning_powertrain").addHandler(handler)
    return warnings


def node(folder: str, *asked: str) -> None:
    chosen = {
        **{"killed": "", "failing": "", "no_length": "", "slower": "", "again": ""},
        **{"modes": "3", "minibatches": "400", "untuned": "0"},
        **dict(each.split("=") for each in asked),
    }
    rank, warnings = os.environ["NODE_RANK"], collect_warnings()
    options.default_predictor = lambda reference, seed: SlowOracle()  # type: ignore[assignment]
    if chosen["no_length"] == rank:
        module.minibatches_left = failing_minibatches_left
    device = FailingDevice() if chosen["failing"] == rank else Slower() if chosen["slower"] == rank else Slow()
    about: dict[str, Any] = {"error": "", "warnings": warnings, "first": None, "weights": {}}
    try:
        callback = train_all(folder, chosen, device, [KillProcess(50)] if chosen["killed"] == rank else [], about)
        about["selection"] = chosen_by(callback)
        about["measured"] = [dict(each.mode) for each in callback.outcome.measured_now] if callback.outcome else []
    except Exception as failure:
        about["error"] = repr(failure)
    about["applied"] = [dict(mode) for mode in device.applied]
    about["mode"] = dict(device.applied[-1]) if device.applied else {}
    about["restored"] = device.mode == device.found
    Path(folder, f"rank-{rank}.json").write_text(json.dumps(about), encoding="utf-8")
    if not about["error"] and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def train_all(
    folder: str, chosen: dict[str, str], device: FakeDevice, others: list[pl.Callback], about: dict[str, Any]
) -> PowerTrainCallback:
    """Train without tuning, with it, and again from its cache or checkpoint; returns the last callback."""
    cache = Path(folder, "cache") if chosen["again"] == "cache" else False
    checkpoint = str(Path(folder, "first.ckpt")) if chosen["again"] == "checkpoint" else None
    minibatches = int(chosen["minibatches"])

    def tuning() -> PowerTrainCallback:
        modes = int(chosen["modes"])
        return PowerTrainCallback("13 W", device=device, max_modes=modes, max_share=1.0, verbose=False, cache=cache)

    callback = tuning()
    about["weights"]["without"] = train(folder, int(chosen["untuned"]))
    about["weights"]["with"] = train(folder, minibatches, *others, callback, checkpoint=checkpoint)
    if chosen["again"]:
        about["first"], device.applied[:] = chosen_by(callback), []
        callback = tuning()
        train(folder, minibatches, callback, epochs=2 if checkpoint else 1, checkpoint=checkpoint)
    return callback


def main(folder: str, nodes: str, *options: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), LOCAL_RANK="0", NODES=nodes)
    children = []
    for rank in range(int(nodes)):
        child = os.fork()
        if not child:
            os.environ["NODE_RANK"] = str(rank)
            node(folder, *options)
            sys.stdout.flush()
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
