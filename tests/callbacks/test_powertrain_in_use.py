from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from fakes import FakeDevice, true_time_ms
from jobs import LIGHTNING_WARNINGS, Model, StopWhen, Validated, data, locked, powertrain, trainer, weights
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from torch import Tensor
from torch.utils.data import DataLoader

from lightning_powertrain import PaperNetworks, PaperTransfer
from lightning_powertrain.errors import ArgumentError, FileFormatError, PowerTrainError

pytestmark = [*LIGHTNING_WARNINGS, pytest.mark.usefixtures("short_windows")]

# How much of a job may be spent.


def test_short_job_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    callback = powertrain(max_share=0.1, max_modes=50)
    trainer(callback).fit(Model(), data(300))
    assert callback.selection is None
    assert callback.profile is not None
    assert len(callback.profile) == 1
    assert "too short to tune" in caplog.text


def test_max_steps_count_as_the_length(caplog: pytest.LogCaptureFixture) -> None:
    trainer(powertrain(max_share=0.1), max_epochs=-1, max_steps=200).fit(Model(), data())
    assert "too short to tune" in caplog.text


def test_endless_job_is_long_enough() -> None:
    class Endless(torch.utils.data.IterableDataset[Any]):
        def __iter__(self) -> Iterator[Any]:
            while True:
                yield torch.zeros(8), torch.zeros(1)

    callback = powertrain(max_share=0.01)
    trainer(callback, StopWhen(lambda: locked(callback))).fit(Model(), DataLoader(Endless(), batch_size=4))
    assert callback.selection is not None


# What users do.


def test_fast_dev_run_does_nothing(caplog: pytest.LogCaptureFixture) -> None:
    callback = powertrain()
    trainer(callback, fast_dev_run=2).fit(Model(), data(10))
    assert callback.profile is None
    assert "disabled for this run, since `fast_dev_run`" in caplog.text


def test_several_processes_without_torch_distributed(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    callback = powertrain()
    monkeypatch.setattr(pl.Trainer, "world_size", 2)
    callback.on_train_start(trainer(), Model())
    assert callback.profile is None
    assert "torch.distributed" in caplog.text


def test_no_minibatch_at_all(tiny: FakeDevice) -> None:
    trainer(powertrain(tiny, max_modes=3), limit_train_batches=0).fit(Model(), data(10))
    assert tiny.restored == 0


def test_module_without_optimizer(tiny: FakeDevice) -> None:
    class Frozen(Model):
        def configure_optimizers(self) -> None:  # type: ignore[override]
            return None

    callback = powertrain(tiny, budget="13 W", max_modes=3)
    with pytest.warns(UserWarning, match="no optimizer"):
        trainer(callback).fit(Frozen(), data(350))
    assert callback.selection is not None


def test_manual_optimization(tiny: FakeDevice) -> None:
    class Manual(Model):
        def __init__(self) -> None:
            super().__init__()
            self.automatic_optimization = False

        def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
            optimizer = self.optimizers()
            optimizer.zero_grad()
            self.manual_backward(self.network(batch[0]).mean())
            optimizer.step()

    callback = powertrain(tiny, budget="13 W", max_modes=3)
    trainer(callback).fit(Manual(), data(350))
    assert callback.profile is not None
    assert callback.profile.time_ms == pytest.approx(true_time_ms(callback.profile.modes), rel=1e-6)


def test_a_device_that_was_opened_here_is_closed_and_one_that_was_given_is_not(
    tiny: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = []
    monkeypatch.setattr(tiny, "close", lambda: closed.append(True))
    monkeypatch.setattr("lightning_powertrain.jobs.tuner_factory.open_device", lambda name, seed: tiny)
    trainer(powertrain(tiny, budget="13 W", max_modes=3)).fit(Model(), data(100))
    assert closed == []
    trainer(powertrain(None, budget="13 W", max_modes=3)).fit(Model(), data(100))
    assert closed == [True]
    trainer(powertrain(None, budget="13 W", max_modes=55)).fit(Model(), data(100))
    assert closed == [True, True]


@pytest.mark.usefixtures("quick_networks")
def test_the_papers_method_can_be_asked_for(tiny: FakeDevice) -> None:
    callback = powertrain(predictor=PaperTransfer(PaperNetworks.load("orin-agx-64gb-resnet18")), max_modes=10)
    trainer(callback, StopWhen(lambda: locked(callback)), max_epochs=4).fit(Model(), data(1500))
    assert callback.selection is not None
    assert callback.selection.measured is not None


def test_other_stages_are_none_of_our_business(tiny: FakeDevice) -> None:
    class All(Validated):
        test_step = Validated.validation_step

        def predict_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
            return batch[0]

    job = trainer(powertrain(tiny, max_modes=3))
    for stage in (job.validate, job.test, job.predict):
        stage(All(tiny), data(5, shuffle=False), **({} if stage == job.predict else {"verbose": False}))
    assert tiny.applied == []
    assert tiny.restored == 0


def test_two_fits_tune_twice(tiny: FakeDevice) -> None:
    callback = powertrain(tiny, budget="13 W", max_modes=3)
    trainer(callback).fit(Model(), data(350))
    first = callback.outcome
    trainer(callback).fit(Model(), data(350))
    assert first is not None
    assert callback.outcome is not None
    assert callback.outcome is not first
    assert tiny.restored == 2


def test_shared_by_two_running_trainers_is_refused(tiny: FakeDevice) -> None:
    class Nested(pl.Callback):
        def on_train_batch_end(self, job: pl.Trainer, module: pl.LightningModule, *details: Any) -> None:
            if details[-1] == 50:
                with pytest.raises(PowerTrainError, match="another Trainer"):
                    trainer(callback).fit(Model(), data(10))

    callback = powertrain(tiny, budget="13 W", max_modes=3)
    trainer(callback, Nested()).fit(Model(), data(350))
    assert callback.selection is not None
    assert callback.selection.measured is not None


@pytest.mark.parametrize("at", [5, 100, 300])
@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_the_users_exception_is_the_one_that_surfaces(
    tiny: FakeDevice, at: int, kind: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(Model):
        def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor | None:
            if batch_idx == at:
                raise kind("out of memory")
            return super().training_step(batch, batch_idx)

    callback = powertrain(tiny, budget="13 W", max_modes=3)
    # An interrupt ends the job quietly in Lightning 2.0 to 2.2, is raised in 2.3, and is an exit from 2.4 on.
    interrupted = contextlib.suppress(KeyboardInterrupt, SystemExit)
    with interrupted if kind is KeyboardInterrupt else pytest.raises(kind):
        trainer(callback).fit(Failing(), data(350))
    assert tiny.restored == 1


def test_board_that_cannot_be_looked_at_is_soft(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(name: str | None, seed: int) -> None:
        raise OSError("/sys is broken")

    monkeypatch.setattr("lightning_powertrain.jobs.tuner_factory.open_device", unreadable)
    tuned, plain = weights(powertrain(None)), weights()
    assert all(torch.equal(tuned[name], plain[name]) for name in plain)
    assert "/sys is broken" in caplog.text
    with pytest.raises(OSError, match="broken"):
        trainer(powertrain(None, strict=True)).fit(Model(), data(10))


def test_nothing_is_left_on_a_model_that_fails_at_once() -> None:
    class Failing(Model):
        def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor | None:
            raise RuntimeError("shapes do not match")

    model = Failing()
    with pytest.raises(RuntimeError, match="shapes"):
        trainer(powertrain("simulated:orin-agx-64gb")).fit(model, data(100))
    assert not any(module._forward_hooks for module in model.modules())


def test_failure_of_ours_in_a_job_is_soft(tiny: FakeDevice, caplog: pytest.LogCaptureFixture) -> None:
    tiny.fail_after = 2
    callback = powertrain(tiny, budget="13 W", max_modes=3)
    tuned, plain = weights(callback), weights()
    assert all(torch.equal(tuned[name], plain[name]) for name in plain)
    assert len([record for record in caplog.records if record.name == "lightning_powertrain"]) == 1


# What is written down.


def test_scalars_and_files_reach_tensorboard_and_csv(tiny: FakeDevice, tmp_path: Path) -> None:
    loggers = [TensorBoardLogger(tmp_path, name="tb"), CSVLogger(tmp_path, name="csv")]
    callback = powertrain(tiny, budget="13 W", max_modes=3)
    trainer(callback, logger=loggers).fit(Model(), data(350))
    rows = (tmp_path / "csv" / "version_0" / "metrics.csv").read_text(encoding="utf-8").splitlines()
    assert "powertrain/time_ms" in rows[0]
    folder = tmp_path / "tb" / "version_0" / "powertrain"
    assert {path.name for path in folder.iterdir()} == {
        *("profile.csv", "profile.json", "summary.json", "pareto.png", "report.html")
    }
    found = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert callback.selection is not None
    assert found["chosen"]["mode"] == dict(callback.selection.mode)
    assert found["simulated"] is True


def test_nothing_is_written_without_a_logger(tiny: FakeDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trainer(powertrain(tiny, budget="13 W", max_modes=3, cache=False)).fit(Model(), data(350))
    assert list(tmp_path.iterdir()) == []


def test_silent_unless_verbose(tiny: FakeDevice, capfd: pytest.CaptureFixture[str]) -> None:
    trainer(powertrain(tiny, budget="13 W", max_modes=3)).fit(Model(), data(350))
    quiet = capfd.readouterr()
    assert "PowerTrain" not in quiet.out + quiet.err
    trainer(powertrain(tiny, budget="13 W", max_modes=3, verbose=True)).fit(Model(), data(350))
    assert "PowerTrain" in capfd.readouterr().out


# Bad input.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": "30 X"}, r"budget='30 X' is not valid\. Did you mean \"30 W\"\? Allowed: 30 or \"30 W\""),
        ({"budget": -5}, "budget=-5"),
        ({"budget": float("nan")}, "budget=nan"),
        ({"budget": ""}, "budget=''"),
        ({"device": "simulated:raspberry-pi"}, "device='simulated:raspberry-pi'.*orin-agx-64gb"),
        ({"device": "orin-agx-64gb"}, "device='orin-agx-64gb'"),
        ({"device": "simulated:orin-agx-64gb:gpt5"}, "gpt5.*resnet18"),
        ({"max_modes": 2}, "max_modes=2 is not valid.*from 5"),
        ({"max_modes": 20_000}, "max_modes=20000 is not valid.*to 18096"),
        ({"max_share": 0}, "max_share=0"),
        ({"tolerance": 0}, "tolerance=0"),
        ({"reference": "no-such-reference"}, "no-such-reference"),
    ],
)
def test_wrong_arguments_fail_in_the_constructor(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        powertrain(**options)


def test_damaged_reference_fails_in_the_constructor(tmp_path: Path) -> None:
    (tmp_path / "mine.safetensors").write_bytes(b"not a reference")
    (tmp_path / "mine.json").write_text("{}", encoding="utf-8")
    with pytest.raises(FileFormatError, match="mine"):
        powertrain(reference=tmp_path / "mine.safetensors")


def test_it_is_locked_to_the_end_and_closed_afterwards(tiny: FakeDevice) -> None:
    callback = powertrain(tiny, budget="13 W", max_modes=3)
    words = []

    class Watch(pl.Callback):
        def on_train_batch_end(self, *details: Any) -> None:
            words.append(callback.status.word)

    trainer(callback, Watch()).fit(Model(), data(350))
    assert words[-1] == "locked"
    assert callback.status.word == "closed"
