"""Loggers of users, for real: what they keep of their own, and what they keep of ours."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fakes import FakeDevice
from jobs import LIGHTNING_WARNINGS, Model, data, powertrain, trainer
from PIL import Image
from torch import Tensor
from trackers import Csv, Memory, MLflow, Series, TensorBoard, Tracker, Wandb

from lightning_powertrain import PowerMonitor

pytestmark = LIGHTNING_WARNINGS


class Logged(Model):
    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor | None:
        loss = super().training_step(batch, batch_idx)
        self.log("train/loss", loss)
        return loss


@pytest.fixture
def tracker(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tracker]:
    made = request.param(tmp_path, monkeypatch)
    yield made
    made.close()


def of_kind(*kinds: type[Tracker]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("tracker", kinds, indirect=True, ids=lambda kind: kind.__name__.lower())


def train(device: FakeDevice | None, *loggers: Any) -> None:
    callbacks = [powertrain(device, budget="13 W", max_modes=3), PowerMonitor(device, verbose=False)] if device else []
    torch.manual_seed(0)
    trainer(*callbacks, logger=list(loggers), log_every_n_steps=10).fit(Logged(), data(700))


def split(series: Series) -> tuple[Series, Series]:
    """Ours, and the user's."""
    ours = {name: values for name, values in series.items() if name.startswith(("powertrain/", "power/"))}
    return ours, {name: values for name, values in series.items() if name not in ours}


def same(found: Series, expected: Series) -> bool:
    return found.keys() == expected.keys() and all(
        np.allclose(found[name], expected[name], rtol=1e-6, atol=0) for name in expected
    )


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


@of_kind(Csv, TensorBoard, MLflow, Wandb)
def test_a_logger_keeps_the_history_of_the_user_and_ours(tracker: Tracker, tiny: FakeDevice) -> None:
    alone, beside = Memory(), Memory()
    train(None, alone)
    train(tiny, beside, tracker.logger)
    ours, users = split(tracker.scalars())
    assert same(users, split(alone.scalars())[1])
    assert same(ours, split(beside.scalars())[0])
    assert len(users["train/loss"]) == 70
    assert {"powertrain/time_ms", "powertrain/budget_power_w", "power/power_w"} < ours.keys()


@of_kind(Wandb)
def test_weights_and_biases_shows_tables_and_the_figure(tracker: Wandb, tiny: FakeDevice) -> None:
    train(tiny, tracker.logger)
    assert dict(tracker.logger.experiment.config) == {}
    rows = tracker.rows()

    def last(name: str) -> Any:
        return [row[name] for row in rows if name in row][-1]

    def table(name: str) -> tuple[list[str], list[list[str]]]:
        found = json.loads((tracker.files / last(name)["path"]).read_text(encoding="utf-8"))
        return found["columns"], found["data"]

    columns, modes = table("powertrain/modes")
    assert columns[0].startswith("Measured power modes: ")
    assert "SIMULATED" in columns[0]
    assert [row[0] for row in modes] == ["start", "1", "2", "3"]
    columns, choice = table("powertrain/choice")
    assert "SIMULATED" in columns[0]
    assert columns[1:] == ["start", "chosen, predicted", "measured", "chosen is"]
    assert choice[0][:2] == ["cores", "2"]
    columns, notes = table("powertrain/choice_notes")
    assert "SIMULATED" in columns[0]
    assert notes[0] == ["Budget: fastest within 13 W; predicted within it, measured within it."]
    (image,) = last("powertrain/pareto")["filenames"]
    assert size(tracker.files / image) == (1200, 900)


@of_kind(MLflow)
def test_mlflow_gets_tables_and_the_figure_as_artifacts(tracker: MLflow, tiny: FakeDevice) -> None:
    train(tiny, tracker.logger)
    assert tracker.logger.experiment.get_run(tracker.logger.run_id).data.params == {}
    folder = tracker.artifacts / "powertrain"
    assert {path.name for path in folder.iterdir()} == {"modes.html", "choice.html", "phases.html", "pareto.png"}
    modes, choice = ((folder / name).read_text(encoding="utf-8") for name in ("modes.html", "choice.html"))
    assert "SIMULATED" in modes
    assert modes.count("<tr>") == 5  # The headings, the start and three sampled modes.
    assert "SIMULATED" in choice
    assert "<tr><td>cores</td><td>2</td>" in choice
    assert "<p>Budget: fastest within 13 W; predicted within it, measured within it.</p>" in choice
    assert size(folder / "pareto.png") == (1200, 900)
