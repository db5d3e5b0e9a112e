"""Tuning without a line of code, through the entry points of the installed package."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import warnings
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import pytorch_lightning as pl
from fakes import FakeDevice
from forked import run_script
from jobs import LIGHTNING_WARNINGS, Model, StopWhen, data, locked, powertrain, trainer

from lightning_powertrain import PowerTrainCallback
from lightning_powertrain.callbacks.autoload import callbacks
from lightning_powertrain.callbacks.automatic import AutomaticPowerTrain

pytestmark = LIGHTNING_WARNINGS

PACKAGES = ["pytorch_lightning", "lightning.pytorch"]


@pytest.fixture
def asked_for(monkeypatch: pytest.MonkeyPatch, tiny: FakeDevice) -> FakeDevice:
    """As on a Jetson whose user wants tuning; the board is the tiny one."""
    monkeypatch.setenv("POWERTRAIN_BUDGET", "13 W")
    monkeypatch.setattr("lightning_powertrain.jobs.tuner_factory.open_device", lambda name, seed: tiny)
    return tiny


@pytest.fixture(params=PACKAGES)
def lightning(request: pytest.FixtureRequest) -> ModuleType:
    pytest.importorskip(request.param.partition(".")[0])
    return import_module(request.param)


def automatic(job: Any) -> list[AutomaticPowerTrain]:
    return [callback for callback in job.callbacks if isinstance(callback, AutomaticPowerTrain)]


def until_locked(**options: Any) -> pl.Trainer:
    """Of a job of this length, the part that tunes."""
    job = trainer(StopWhen(lambda: locked(automatic(job)[0])), **options)
    return job


# Whether there is one.


@pytest.mark.parametrize("environ", [{}, {"POWERTRAIN_BUDGET": " "}, {"POWERTRAIN": ""}, {"POWERTRAIN": "off"}])
def test_off_unless_asked_for(environ: dict[str, str]) -> None:
    assert callbacks(environ) == []


@pytest.mark.parametrize(
    ("environ", "budget"),
    [
        ({"POWERTRAIN_BUDGET": "30 W"}, "30 W"),
        ({"POWERTRAIN_BUDGET": "0.12 s"}, "120 ms"),
        ({"POWERTRAIN_BUDGET": "5 % slower"}, "5 % slower"),
        ({"POWERTRAIN_BUDGET": "energy"}, "energy"),
        ({"POWERTRAIN_BUDGET": "edp", "POWERTRAIN": "auto"}, "edp"),
        ({"POWERTRAIN": "auto"}, "no budget: least energy, no slower than the start"),
        ({"POWERTRAIN": "AUTO", "POWERTRAIN_BUDGET": ""}, "no budget: least energy, no slower than the start"),
    ],
)
def test_every_form_of_budget(environ: dict[str, str], budget: str) -> None:
    (callback,) = callbacks(environ)
    assert str(callback._tuner._factory.config.budget) == budget


def test_bad_budget_is_one_warning_and_no_callback(caplog: pytest.LogCaptureFixture) -> None:
    assert callbacks({"POWERTRAIN_BUDGET": "30 X"}) == callbacks({"POWERTRAIN_BUDGET": "30 X"}) == []
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "POWERTRAIN_BUDGET" in record.message
    assert "budget='30 X' is not valid. Did you mean \"30 W\"?" in record.message


def test_whatever_goes_wrong_is_a_warning(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightning_powertrain.callbacks.automatic", None)
    assert callbacks({"POWERTRAIN": "auto"}) == []
    assert "Power-mode tuning is disabled" in caplog.text


def test_costs_nothing_when_off() -> None:
    code = (
        "import sys\n"
        "from lightning_powertrain.callbacks.autoload import callbacks\n"
        "assert callbacks({}) == []\n"
        "heavy = {'torch', 'numpy', 'rich', 'pytorch_lightning', 'lightning'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "ours = {name for name in sys.modules if name.startswith('lightning_powertrain')}\n"
        "assert len(ours) == 3, ours\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_variable_names_a_device() -> None:
    (callback,) = callbacks({"POWERTRAIN": "auto", "POWERTRAIN_DEVICE": "simulated:orin-agx-64gb:resnet18"})
    assert callback._tuner._factory.device == "simulated:orin-agx-64gb:resnet18"


def test_a_device_that_there_is_not_is_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert callbacks({"POWERTRAIN": "auto", "POWERTRAIN_DEVICE": "simulated:orin"}) == []
    assert "POWERTRAIN_DEVICE" in caplog.text


# In a Trainer.


def test_trainer_finds_the_entry_point(lightning: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet: dict[str, Any] = {"logger": False, "accelerator": "cpu"}
    assert automatic(lightning.Trainer(**quiet)) == []
    monkeypatch.setenv("POWERTRAIN", "auto")
    assert len(automatic(lightning.Trainer(**quiet))) == 1


def test_it_tunes(asked_for: FakeDevice) -> None:
    job = until_locked(max_epochs=4)
    job.fit(Model(), data(1000))
    (callback,) = automatic(job)
    assert callback.selection is not None
    assert callback.selection.measured is not None
    assert asked_for.restored == 1


@pytest.mark.parametrize("where", ["trainer", "module"])
def test_it_steps_aside(asked_for: FakeDevice, where: str) -> None:
    class Configured(Model):
        def configure_callbacks(self) -> list[PowerTrainCallback]:
            return [mine] if where == "module" else []

    mine = powertrain(asked_for, max_modes=3)
    job = trainer(*([mine] if where == "trainer" else []))
    job.fit(Configured(), data(100))
    assert len(automatic(job)) == 1
    assert automatic(job)[0].profile is None
    assert mine.profile is not None
    assert asked_for.restored == 1


def test_one_list_of_callbacks_serves_two_trainers(lightning: ModuleType, asked_for: FakeDevice) -> None:
    mine: list[Any] = []
    jobs = [trainer_of(lightning, mine) for _ in range(2)]
    for job in jobs:
        job.fit(import_module(f"{lightning.__name__}.demos.boring_classes").BoringModel())
    assert asked_for.minibatches == 2 * 64
    assert asked_for.restored == 2


def trainer_of(lightning: ModuleType, callbacks: list[Any]) -> Any:
    return lightning.Trainer(
        callbacks=callbacks,
        max_epochs=1,
        limit_val_batches=0,
        logger=False,
        accelerator="cpu",
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
    )


SCRIPT = """
import warnings
warnings.simplefilter("ignore")
import {package} as pl
from {package}.demos.boring_classes import BoringModel
for _ in range(2):
    trainer = pl.Trainer(max_steps=2, logger=False, accelerator="cpu", enable_checkpointing=False)
    trainer.fit(BoringModel())
print("steps:", trainer.global_step)
print("automatic:", sum(type(callback).__name__ == "AutomaticPowerTrain" for callback in trainer.callbacks))
"""


@pytest.mark.parametrize(
    ("package", "environ", "found", "no_jetson", "not_valid"),
    [
        ("pytorch_lightning", {}, 0, 0, 0),
        ("pytorch_lightning", {"POWERTRAIN_BUDGET": "30 W"}, 1, 1, 0),
        ("lightning.pytorch", {"POWERTRAIN": "auto"}, 1, 1, 0),
        ("lightning.pytorch", {"POWERTRAIN_BUDGET": "30 X"}, 0, 0, 1),
    ],
)
def test_as_a_user_meets_it(
    package: str, environ: dict[str, str], found: int, no_jetson: int, not_valid: int, tmp_path: Path
) -> None:
    """A script that has never heard of this package."""
    pytest.importorskip(package.partition(".")[0])
    environment = {key: value for key, value in os.environ.items() if not key.startswith("POWERTRAIN")}
    (tmp_path / "script.py").write_text(SCRIPT.format(package=package), encoding="utf-8")
    done = run_script(tmp_path / "script.py", folder=tmp_path, environ={**environment, **environ})
    assert done.returncode == 0, done.stderr
    assert "steps: 2" in done.stdout
    assert f"automatic: {found}" in done.stdout
    assert done.stderr.count("no Jetson found") == no_jetson
    assert done.stderr.count("budget='30 X' is not valid") == not_valid


@pytest.mark.parametrize("trainers_before", [0, 2])
def test_resumed_job_finds_its_state(asked_for: FakeDevice, tmp_path: Path, trainers_before: int) -> None:
    """Whatever number of Trainers either script has made."""
    first = until_locked(max_epochs=4)
    first.fit(Model(), data(1000))
    first.save_checkpoint(tmp_path / "job.ckpt")
    for _ in range(trainers_before):
        trainer()
    second = until_locked(max_epochs=8)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", ".*callbacks used to create the checkpoint")
        second.fit(Model(), data(1000), ckpt_path=tmp_path / "job.ckpt")
    (before,), (after,) = automatic(first), automatic(second)
    assert before.profile is not None
    assert after.outcome is not None
    known = {each.mode for each in before.profile.measurements}
    assert set() < after.outcome.reused < known  # The best of them was measured again.
