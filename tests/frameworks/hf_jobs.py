"""Jobs of Hugging Face's Trainer, as small as can be."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from fakes import FakeDevice, arguments
from torch import Tensor, nn
from torch.utils.data import Dataset, IterableDataset
from transformers import Trainer, TrainerCallback, TrainingArguments

from lightning_powertrain.huggingface import PowerTrainCallback


class Model(nn.Module):
    """Everything whose result depends on order or random state: dropout and batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Dropout(0.3), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
        found = self.network(x)
        return {"loss": nn.functional.mse_loss(found, labels), "logits": found}


class Data(Dataset[Any]):
    def __init__(self, samples: int) -> None:
        self.x = torch.randn(samples, 8, generator=torch.Generator().manual_seed(1))

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"x": self.x[index], "labels": self.x[index].sum(dim=0, keepdim=True)}


class Stream(IterableDataset[Any]):
    """Data of which nobody knows how much there is."""

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        data = Data(4)
        while True:
            yield from (data[index] for index in range(4))


def powertrain(device: Any, **options: Any) -> PowerTrainCallback:
    usual: dict[str, Any] = {"budget": "13 W", "max_modes": 3, "max_share": 1.0, "verbose": False}
    return PowerTrainCallback(device=device, **arguments(**{**usual, **options}))


def trainer(
    folder: Path, *callbacks: TrainerCallback, data: Any = None, evaluates: bool = False, **options: Any
) -> Trainer:
    usual: dict[str, Any] = {
        "per_device_train_batch_size": 4,
        "num_train_epochs": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
        "logging_strategy": "no",
        "dataloader_pin_memory": False,
    }
    torch.manual_seed(7)
    return Trainer(
        Model(),
        TrainingArguments(str(folder), **{**usual, **options}),
        train_dataset=Data(640) if data is None else data,
        eval_dataset=Data(8) if evaluates else None,
        callbacks=list(callbacks),
    )


class At(TrainerCallback):  # type: ignore[misc]  # transformers may not be installed
    """Does something after a step of the optimizer."""

    def __init__(self, step: int, act: Any) -> None:
        self.step = step
        self.act = act

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        return self.act(control) if state.global_step == self.step else None


class EvaluationTakes(TrainerCallback):  # type: ignore[misc]  # transformers may not be installed
    """Lets time pass while the Trainer evaluates, saves or changes epochs."""

    def __init__(self, device: FakeDevice, seconds: float) -> None:
        self.device = device
        self.seconds = seconds

    def on_evaluate(self, *_: Any, **__: Any) -> None:
        self.device.clock.advance(self.seconds)

    on_save = on_epoch_end = on_evaluate


def locked(callback: PowerTrainCallback) -> bool:
    return callback.selection is not None and callback.selection.measured is not None


def weights(trainer: Trainer) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in trainer.model.state_dict().items()}


def until(condition: Callable[[], bool]) -> None:
    """Wait for what the watch of the call does, in real time."""
    end_s = time.monotonic() + 20.0
    while not condition():
        assert time.monotonic() < end_s
        time.sleep(0.05)
