"""A stand-in for the trainer of Ultralytics: its order of events and its attributes, after the source of 8.4.190.

Events come from ``BaseTrainer._do_train`` and ``train`` of ultralytics/engine/trainer.py; callbacks from ``Model`` of
ultralytics/engine/model.py. Nothing is learned, except that a linear layer is trained.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

EVENTS = (
    *("on_pretrain_routine_start", "on_pretrain_routine_end", "on_train_start", "on_train_epoch_start"),
    *("on_train_batch_start", "on_train_batch_end", "on_train_epoch_end", "on_fit_epoch_end", "on_model_save"),
    *("on_train_end", "teardown"),
)


class DetectionModel(nn.Module):
    """As the models of all tasks, it returns its loss in training."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Dropout(0.3), nn.Linear(16, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x).pow(2).mean()  # type: ignore[no-any-return]


class Trainer:
    """One training.

    Args:
        callbacks: Of the model.
        model: What is trained.
        options: ``images``, ``epochs``, ``nbs`` (images of an accumulation cycle), ``time`` (hours), ``world_size``,
            ``start_epoch``, and ``fails`` (raises in a minibatch, given its number).
    """

    def __init__(self, callbacks: dict[str, list[Callable[[Any], None]]], model: nn.Module, **options: Any) -> None:
        images, batch = options.get("images", 160), 4
        self.callbacks = {event: list(each) for event, each in callbacks.items()}
        self.model = model
        self.args = SimpleNamespace(task="detect", batch=batch, imgsz=64, amp=False, time=options.get("time"))
        self.epochs, self.start_epoch = options.get("epochs", 10), options.get("start_epoch", 0)
        self.world_size = options.get("world_size", 0)  # 0 on a CPU.
        self.device = torch.device("cpu")
        self.save_dir = Path(options["folder"])
        self.train_loader = DataLoader(TensorDataset(torch.randn(images, 8)), batch_size=batch)
        self.accumulate = self._accumulate = max(round(options.get("nbs", 4) / batch), 1)
        self.optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
        self.ended_batches = 0
        self.steps: list[int] = []
        self._fails: Callable[[int], None] = options.get("fails", lambda number: None)
        self._has_teardown = options.get("has_teardown", True)

    def run_callbacks(self, event: str) -> None:
        for callback in self.callbacks.get(event, []):
            callback(self)

    def train(self) -> None:
        self.run_callbacks("on_pretrain_routine_start")
        try:
            self._do_train()
        finally:
            if self._has_teardown:
                self.run_callbacks("teardown")

    def _do_train(self) -> None:
        self.run_callbacks("on_pretrain_routine_end")
        self.run_callbacks("on_train_start")
        last_opt_step, accumulate = -1, self._accumulate
        for epoch in range(self.start_epoch, self.epochs):
            self.epoch = epoch
            self.run_callbacks("on_train_epoch_start")
            for number, loss in enumerate(self._losses()):
                loss.backward()
                ni = number + len(self.train_loader) * self.epoch
                if ni - last_opt_step >= accumulate:
                    self.optimizer.step()
                    self.optimizer.zero_grad()
                    last_opt_step = ni
                    self.steps.append(self.ended_batches)
                self.ended_batches += 1
                self.run_callbacks("on_train_batch_end")
            self.run_callbacks("on_train_epoch_end")
            self.validate()
            self.run_callbacks("on_model_save")
            self.run_callbacks("on_fit_epoch_end")
        self.run_callbacks("on_fit_epoch_end")  # The final evaluation.
        self.run_callbacks("on_train_end")

    def _losses(self) -> Iterator[Tensor]:
        for (images,) in self.train_loader:
            self.run_callbacks("on_train_batch_start")
            self._fails(self.ended_batches)
            yield self.model(images)

    def validate(self) -> None:
        """Takes no time; tests replace it."""


class Model:
    """What `YOLO(...)` returns."""

    def __init__(self, folder: Path) -> None:
        self.callbacks: dict[str, list[Callable[[Any], None]]] = defaultdict(
            list, {event: [_nothing] for event in EVENTS}
        )
        torch.manual_seed(7)
        self.model = DetectionModel()
        self.trainer: Any = None
        self._folder = folder

    def add_callback(self, event: str, func: Callable[[Any], None]) -> None:
        self.callbacks[event].append(func)

    def train(self, **options: Any) -> None:
        torch.manual_seed(8)
        self.trainer = Trainer(self.callbacks, self.model, folder=self._folder, **options)
        self.trainer.train()


def _nothing(trainer: Any) -> None:
    """What stands in the list of each event by default."""
