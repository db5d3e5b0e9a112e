"""Scripts that use the Trainer of Hugging Face, under `powertrain run`."""

from __future__ import annotations

from typing import Any, Callable

import pytest

pytest.importorskip("transformers", reason="transformers is not installed")
pytest.importorskip("accelerate", reason="accelerate is not installed")

Run = Callable[..., Any]
Output = pytest.CaptureFixture[str]

BEGINS = "measuring the power mode that the job started in"
SCRIPT = """
import torch
from transformers import Trainer, TrainingArguments

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1)
    def forward(self, x, labels):
        return {"loss": (self.layer(x) - labels).square().mean()}

def train(callbacks):
    arguments = TrainingArguments(
        "out", per_device_train_batch_size=1, max_steps=STEPS, save_strategy="no", report_to="none", use_cpu=True,
        disable_tqdm=True, logging_strategy="no", dataloader_pin_memory=False,
    )
    data = [{"x": torch.ones(2), "labels": torch.ones(1)}] * 100
    Trainer(Model(), arguments, train_dataset=data, callbacks=callbacks).train()
    return callbacks
"""
OWN = """
from lightning_powertrain.huggingface import PowerTrainCallback
(own,) = train([PowerTrainCallback("33 W", device="simulated:orin-agx-64gb:lstm", max_modes=5, verbose=False)])
status, budget = own.status.word, own._tuner._factory.config.budget
"""

pytestmark = pytest.mark.filterwarnings("ignore:.*lr_scheduler.step")


def test_a_trainer_without_a_callback_is_tuned_by_its_steps(run: Run, capsys: Output) -> None:
    run(SCRIPT.replace("STEPS", "1500") + "train([])", budget="30 W")
    said = capsys.readouterr().out
    assert said.count(BEGINS) == 1
    assert "Budget: fastest within 30 W" in said
    assert "this power mode stays" in said


def test_a_trainer_with_our_callback_tunes_alone(run: Run, capsys: Output) -> None:
    main = run(SCRIPT.replace("STEPS", "60") + OWN, budget="30 W")
    assert "PowerTrain" not in capsys.readouterr().out
    assert (main.status, str(main.budget)) == ("closed", "33 W")
