"""What goes wrong in jobs of Hugging Face's Trainer: the board is restored, and training is what it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from fakes import FakeDevice

pytest.importorskip("transformers", reason="transformers is not installed")
pytest.importorskip("accelerate", reason="accelerate is not installed")

import pytorch_lightning as pl
from hf_jobs import At, locked, powertrain, trainer, until, weights

import lightning_powertrain
from lightning_powertrain.errors import ArgumentError, BudgetError, PowerTrainError
from lightning_powertrain.huggingface import PowerTrainCallback

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*pin_memory"),
    pytest.mark.filterwarnings("ignore:.*lr_scheduler.step"),
]


@pytest.mark.parametrize("error", [ArithmeticError("the loss is NaN"), KeyboardInterrupt()])
def test_an_error_in_training_restores_the_board(slow: FakeDevice, tmp_path: Path, error: BaseException) -> None:
    callback = powertrain(slow)

    def fail(control: Any) -> None:
        assert slow.mode != slow.found
        raise error

    job = trainer(tmp_path, callback, At(50, fail))
    with pytest.raises(type(error)) as kept:
        job.train()
    until(lambda: slow.mode == slow.found)
    until(lambda: callback.status.word == "closed")
    assert kept.traceback  # What keeps the variables of the failed call alive does not keep the board.
    job.pop_callback(At)
    job.train()
    assert locked(callback)


def test_an_error_is_no_obstacle_to_a_job_that_begins_at_once(slow: FakeDevice, tmp_path: Path) -> None:
    callback = powertrain(slow)

    def fail(control: Any) -> None:
        raise ArithmeticError

    job = trainer(tmp_path, callback, At(50, fail))
    with pytest.raises(ArithmeticError):
        job.train()
    job.pop_callback(At)
    job.train()
    assert locked(callback)


def test_off_a_jetson_training_continues_with_one_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tuned = trainer(tmp_path / "tuned", powertrain(None, max_modes=5), max_steps=20)
    tuned.train()
    plain = trainer(tmp_path / "plain", max_steps=20)
    plain.train()
    ours = [record for record in caplog.records if record.name.startswith("lightning_powertrain")]
    assert len(ours) == 1
    assert "no Jetson found" in ours[0].getMessage()
    assert all(torch.equal(value, weights(plain)[name]) for name, value in weights(tuned).items())


def test_a_failure_of_ours_is_one_warning(slow: FakeDevice, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    slow.fail_after = 2
    callback = powertrain(slow)
    job = trainer(tmp_path, callback)
    job.train()
    assert job.state.global_step == 160
    ours = [record for record in caplog.records if record.name.startswith("lightning_powertrain")]
    assert len(ours) == 1
    assert callback.status.word == "failed"


def test_a_trainer_that_is_not_as_expected_trains_untuned(
    slow: FakeDevice, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(report_to: Any) -> None:
        raise LookupError("a tracker that nobody knows")

    callback = powertrain(slow)
    job = trainer(tmp_path, callback, max_steps=20)
    monkeypatch.setattr("lightning_powertrain.huggingface.get_reporting_integration_callbacks", fail)
    job.train()
    (warning,) = [each.getMessage() for each in caplog.records if each.name.startswith("lightning_powertrain")]
    assert "a tracker that nobody knows" in warning
    assert job.state.global_step == 20
    assert callback.status.word == "failed"


def test_strict_raises(slow: FakeDevice, tmp_path: Path) -> None:
    with pytest.raises(BudgetError, match="1 W"):
        trainer(tmp_path, powertrain(slow, budget="1 W", strict=True)).train()
    until(lambda: slow.mode == slow.found)


def test_wrong_arguments_are_named(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match=r"^budget="):
        PowerTrainCallback("30 X")


def test_lightnings_callback_names_the_right_import(tmp_path: Path) -> None:
    right = "from lightning_powertrain.huggingface import PowerTrainCallback"
    wrong = lightning_powertrain.PowerTrainCallback("30 W")
    with pytest.raises(PowerTrainError, match=right):
        trainer(tmp_path, wrong)
    late = trainer(tmp_path)
    late.add_callback(wrong)
    with pytest.raises(PowerTrainError, match=right):
        late.train()


def test_lightnings_trainer_names_the_right_import() -> None:
    callback: Any = powertrain(None, max_modes=5)
    with pytest.raises(PowerTrainError, match="from lightning_powertrain import PowerTrainCallback"):
        pl.Trainer(callbacks=[callback], logger=False, enable_checkpointing=False, max_epochs=1).fit(
            pl.LightningModule()
        )


def test_nothing_of_it_is_imported_by_the_package() -> None:
    code = (
        "import sys, lightning_powertrain\n"
        "from lightning_powertrain import PowerTrainCallback, Tuner\n"
        "found = {'transformers', 'accelerate', 'ultralytics'} & set(sys.modules)\n"
        "assert not found, found\n"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)


def test_without_transformers_the_message_says_how_to_install_it() -> None:
    code = "import sys; sys.modules['transformers'] = None\nimport lightning_powertrain.huggingface"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'lightning-powertrain[huggingface]'" in done.stderr
