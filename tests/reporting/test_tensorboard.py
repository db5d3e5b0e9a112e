"""What TensorBoard receives of a job."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from logged import report
from PIL import Image
from pytorch_lightning.loggers import TensorBoardLogger
from stories import make_outcome, verified
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


@pytest.fixture
def tensorboard(tmp_path: Path) -> Iterator[TensorBoardLogger]:
    logger = TensorBoardLogger(tmp_path, name="", version="")
    yield logger
    logger.finalize("success")


def events(logger: TensorBoardLogger) -> EventAccumulator:
    logger.experiment.flush()
    return EventAccumulator(logger.log_dir, size_guidance={"tensors": 0, "images": 0, "scalars": 0}).Reload()


def text(found: EventAccumulator, name: str) -> list[str]:
    return [event.tensor_proto.string_val[0].decode() for event in found.Tensors(f"{name}/text_summary")]


def test_tensorboard_gets_scalars_tables_and_the_figure(tensorboard: TensorBoardLogger) -> None:
    outcome = verified(make_outcome())
    random_state = torch.get_rng_state()
    report(tensorboard, outcome=outcome)
    assert torch.equal(torch.get_rng_state(), random_state)
    found = events(tensorboard)
    times = [event.value for event in found.Scalars("powertrain/time_ms")]
    assert times[:-1] == pytest.approx(outcome.profile.time_ms.tolist())
    assert [event.value for event in found.Scalars("powertrain/phase")] == [1, 2, 3, 4, 5, 6]
    (modes,) = text(found, "powertrain/modes")
    assert modes.startswith("**Measured power modes: resnet18 on test-board (SIMULATED)**")
    assert modes.count("\n| ") == 1 + len(outcome.profile)
    predicted, final = text(found, "powertrain/choice")
    assert "measured within it" not in predicted
    assert "measured within it" in final
    assert "| gpu | 1300.5 MHz | 816 MHz | 816 MHz | 37 % lower |" in final
    (phases,) = text(found, "powertrain/phases")
    listed = [row.split(" | ") for row in phases.splitlines()[4:]]
    assert [phase.rstrip(" |") for _, phase in listed] == [
        *("warming up", "measuring start", "profiling", "verifying", "locked")
    ]
    steps = [int(step.lstrip("| ")) for step, _ in listed]
    assert steps == sorted(set(steps))
    drawn = found.Images("powertrain/pareto")
    assert len(drawn) == 2
    pixels = np.asarray(Image.open(io.BytesIO(drawn[-1].encoded_image_string)))
    assert pixels.shape == (900, 1200, 3)
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50


def test_tensorboard_hyper_parameters_are_left_alone(tensorboard: TensorBoardLogger) -> None:
    report(tensorboard)
    assert tensorboard.hparams == {}
    names = [str(name) for names in events(tensorboard).Tags().values() if isinstance(names, list) for name in names]
    assert "powertrain/phase" in names
    assert not any("hparams" in name or "hp_metric" in name for name in names)


@pytest.mark.parametrize("module", ["matplotlib.figure", "matplotlib.patches", "matplotlib.pyplot"])
def test_without_a_figure_tensorboard_still_gets_the_rest(
    tensorboard: TensorBoardLogger, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    report(tensorboard)
    found = events(tensorboard)
    assert found.Tags()["images"] == []
    assert len(text(found, "powertrain/choice")) == 2
    assert [event.value for event in found.Scalars("powertrain/phase")] == [1, 2, 3, 4, 5, 6]
    assert len(caplog.records) == 1
