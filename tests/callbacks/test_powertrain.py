from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from fakes import FakeDevice, Oracle, true_time_ms
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from lightning_powertrain import PaperTransfer, PowerTrainCallback, SimulatedDevice, load_reference
from lightning_powertrain.errors import ArgumentError, DeviceNotFoundError, FileFormatError, PowerTrainError
from lightning_powertrain.tuning import Phase

pytestmark = [
    # What Lightning itself warns of in jobs as small as these.
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.*is smaller than the logging interval"),
    pytest.mark.filterwarnings("ignore:.*GPU available but not used"),
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec."),
]

RESNET = "simulated:orin-agx-64gb:resnet18"


class Model(pl.LightningModule):
    """Everything whose result depends on order or random state: dropout, batch norm, momentum."""

    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.Dropout(0.3), nn.ReLU(), nn.Linear(16, 1))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor | None:
        features, targets = batch
        return nn.functional.mse_loss(self.network(features), targets)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1e-2, momentum=0.9)


class Validated(Model):
    def __init__(self, device: FakeDevice) -> None:
        super().__init__()
        self.device_under_test = device

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.device_under_test.clock.advance(1.0)


class StopWhen(pl.Callback):
    """Ends a job of no given length."""

    def __init__(self, is_enough: Callable[[], bool]) -> None:
        self._is_enough = is_enough

    def on_train_batch_end(self, trainer: pl.Trainer, *details: Any) -> None:
        trainer.should_stop = self._is_enough()


def data(minibatches: int = 1000, size: int = 4, shuffle: bool = True) -> DataLoader[tuple[Tensor, ...]]:
    features = torch.randn(minibatches * size, 8, generator=torch.Generator().manual_seed(1))
    return DataLoader(TensorDataset(features, features.sum(dim=1, keepdim=True)), batch_size=size, shuffle=shuffle)


def trainer(*callbacks: pl.Callback, **options: Any) -> pl.Trainer:
    quiet: dict[str, Any] = {
        "max_epochs": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "accelerator": "cpu",
    }
    return pl.Trainer(callbacks=list(callbacks), **{**quiet, **options})


def powertrain(device: Any = RESNET, **options: Any) -> PowerTrainCallback:
    usual: dict[str, Any] = {"budget": "30 W", "modes": 10, "max_share": 1.0, "verbose": False}
    return PowerTrainCallback(device=device, **{**usual, **options})


@pytest.fixture
def tiny(device: FakeDevice, oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDevice]:
    """The tiny board and a predictor that knows it, so that what a callback does can be told exactly."""
    monkeypatch.setattr("lightning_powertrain.callbacks.powertrain.default_predictor", lambda reference, seed: oracle)
    device.settle_s = 0.2
    yield device
    assert device.mode == device.found, "the board was not put back"


def locked(callback: PowerTrainCallback) -> bool:
    return callback.selection is not None and callback.selection.measured is not None


def weights(*callbacks: pl.Callback, **options: Any) -> dict[str, Tensor]:
    pl.seed_everything(7, verbose=False)
    model = Model()
    trainer(*callbacks, **options).fit(model, data())
    return {name: value.clone() for name, value in model.state_dict().items()}


# The main job.


@pytest.mark.parametrize("device", [RESNET, "simulated:orin-agx-64gb"])
def test_weights_are_equal_bit_for_bit(device: str) -> None:
    """With a named workload through the whole story; with the job's own model, some modes far into it."""
    callback = powertrain(device)
    minibatches = []

    def is_enough() -> bool:
        minibatches.append(len(callback.profile or ()))
        return locked(callback) if device == RESNET else minibatches[-1] == 3

    tuned = weights(callback, StopWhen(is_enough), max_epochs=-1)
    tuned_state = torch.get_rng_state()
    plain = weights(max_epochs=-1, max_steps=len(minibatches))
    assert torch.equal(torch.get_rng_state(), tuned_state)
    assert tuned.keys() == plain.keys()
    for name, value in tuned.items():
        assert torch.equal(value, plain[name]), name


def test_best_mode_is_kept_to_the_end_and_the_board_is_put_back() -> None:
    device = SimulatedDevice("orin-agx-64gb", "resnet18")
    found = device.current_mode()
    seen = []

    class Watch(pl.Callback):
        def on_train_batch_end(self, *details: Any) -> None:
            seen.append(device.current_mode())

        def on_train_end(self, *details: Any) -> None:
            seen.append(device.current_mode())

    callback = powertrain(device)
    trainer(Watch(), callback, max_epochs=2).fit(Model(), data(1300))
    assert callback.selection is not None
    assert callback.profile is not None
    assert len(callback.profile) >= 1 + 5
    assert len(set(seen)) >= 6
    assert set(seen[-100:]) == {callback.selection.mode}
    assert device.current_mode() == found
    assert callback.selection.measured is not None
    assert callback.selection.measured.mode == callback.selection.mode
    assert callback.profile.provenance.simulated
    assert callback.profile.provenance.workload == "resnet18"


def test_simulated_board_trains_this_very_model() -> None:
    callback = powertrain("simulated:orin-agx-64gb")
    trainer(callback, StopWhen(lambda: callback.profile is not None), max_epochs=-1).fit(Model(), data())
    assert callback.profile is not None
    assert callback.profile.provenance.workload == "Model"
    # A model as small as this one waits for the host, not for the GPU: far from ResNet-18's 60 ms.
    assert callback.profile.measurements[0].time_ms < 20


def test_off_a_jetson_training_runs_as_ever(caplog: pytest.LogCaptureFixture) -> None:
    callback = PowerTrainCallback(budget="30 W", verbose=False)
    tuned, plain = weights(callback), weights()
    assert all(torch.equal(tuned[name], plain[name]) for name in plain)
    assert callback.selection is None
    assert callback.profile is None
    assert [record.levelno for record in caplog.records if record.name == "lightning_powertrain"] == [logging.WARNING]
    assert "no Jetson found" in caplog.text


def test_off_a_jetson_is_an_error_when_strict() -> None:
    with pytest.raises(DeviceNotFoundError):
        trainer(PowerTrainCallback(strict=True)).fit(Model(), data(10))


# What a minibatch is.


def test_validation_in_an_epoch_is_no_minibatch(tiny: FakeDevice) -> None:
    callback = powertrain(tiny, budget="12 W", modes=5)
    trainer(callback, val_check_interval=7, limit_val_batches=2, max_epochs=3).fit(
        Validated(tiny), data(), data(20, shuffle=False)
    )
    assert callback.profile is not None
    assert len(callback.profile) >= 6
    assert callback.profile.time_ms == pytest.approx(true_time_ms(callback.profile.modes), rel=1e-6)


def test_checkpoints_and_epoch_edges_are_no_minibatch(tiny: FakeDevice, tmp_path: Path) -> None:
    class SlowCheckpoint(pl.callbacks.ModelCheckpoint):
        def on_train_batch_end(self, *details: Any) -> None:
            super().on_train_batch_end(*details)
            if details[-1] % 5 == 4:
                tiny.clock.advance(0.5)

    class SlowEpoch(pl.Callback):
        def on_train_epoch_end(self, *details: Any) -> None:
            tiny.clock.advance(3.0)

    checkpoint = SlowCheckpoint(dirpath=tmp_path, every_n_train_steps=5, save_top_k=-1)
    callback = powertrain(tiny, budget="12 W", modes=3)
    job = trainer(callback, SlowEpoch(), checkpoint, enable_checkpointing=True, max_epochs=40)
    job.fit(Model(), data(25))
    assert callback.profile is not None
    assert len(callback.profile) >= 4
    assert callback.profile.time_ms == pytest.approx(true_time_ms(callback.profile.modes), rel=1e-6)


@pytest.mark.parametrize("accumulate", [1, 4])
def test_accumulation_is_measured_in_whole_cycles(tiny: FakeDevice, accumulate: int) -> None:
    class SlowStep(pl.Callback):
        def on_before_optimizer_step(self, *details: Any) -> None:
            tiny.clock.advance(0.1)

    callback = powertrain(tiny, budget="12 W", modes=3)
    trainer(callback, SlowStep(), accumulate_grad_batches=accumulate, max_epochs=3).fit(Model(), data())
    assert callback.profile is not None
    expected_ms = true_time_ms(callback.profile.modes) + 100.0 / accumulate
    assert callback.profile.time_ms == pytest.approx(expected_ms, rel=1e-6)


@pytest.mark.parametrize("minibatches", [1, 2, 5])
def test_tiny_epochs_do_not_stall(tiny: FakeDevice, minibatches: int) -> None:
    callback = powertrain(tiny, budget="12 W", modes=3)
    trainer(callback, max_epochs=1600 // minibatches).fit(Model(), data(minibatches))
    assert callback.selection is not None
    assert callback.selection.measured is not None


def test_waits_for_what_the_loader_made_before(tiny: FakeDevice) -> None:
    class Loader(DataLoader[Any]):
        """Claims to have workers, without starting any."""

        def __iter__(self) -> Any:
            return iter(DataLoader(self.dataset, batch_size=4))

    loader = Loader(data(1500).dataset, batch_size=4, num_workers=2, prefetch_factor=60)
    callback = powertrain(tiny, budget="12 W", modes=3)
    trainer(callback).fit(Model(), loader)
    assert callback.profile is not None
    assert all(measurement.discarded_minibatches >= 120 for measurement in callback.profile.measurements)


# How much of a job may be spent.


def test_short_job_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    callback = powertrain(max_share=0.1, modes=50)
    trainer(callback).fit(Model(), data(300))
    assert callback.selection is None
    assert callback.profile is not None
    assert len(callback.profile) == 1
    assert "left alone" in caplog.text


def test_max_steps_count_as_the_length(caplog: pytest.LogCaptureFixture) -> None:
    trainer(powertrain(max_share=0.1), max_epochs=-1, max_steps=200).fit(Model(), data())
    assert "left alone" in caplog.text


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
    assert "skipped, since `fast_dev_run`" in caplog.text


def test_several_processes_are_left_alone(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    callback = powertrain()
    monkeypatch.setattr(pl.Trainer, "world_size", 2)
    callback.on_train_start(trainer(), Model())
    assert callback.profile is None
    assert "more than one process" in caplog.text


def test_no_minibatch_at_all(tiny: FakeDevice) -> None:
    trainer(powertrain(tiny, modes=3), limit_train_batches=0).fit(Model(), data(10))
    assert tiny.restored == 0


def test_module_without_optimizer(tiny: FakeDevice) -> None:
    class Frozen(Model):
        def configure_optimizers(self) -> None:  # type: ignore[override]
            return None

    callback = powertrain(tiny, budget="12 W", modes=3)
    with pytest.warns(UserWarning, match="no optimizer"):
        trainer(callback).fit(Frozen(), data(700))
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

    callback = powertrain(tiny, budget="12 W", modes=3)
    trainer(callback).fit(Manual(), data(700))
    assert callback.profile is not None
    assert callback.profile.time_ms == pytest.approx(true_time_ms(callback.profile.modes), rel=1e-6)


def test_a_device_that_was_opened_here_is_closed_and_one_that_was_given_is_not(
    tiny: FakeDevice, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = []
    monkeypatch.setattr(tiny, "close", lambda: closed.append(True))
    monkeypatch.setattr("lightning_powertrain.callbacks.powertrain.open_device", lambda name, seed: tiny)
    trainer(powertrain(tiny, budget="12 W", modes=3)).fit(Model(), data(100))
    assert closed == []
    trainer(powertrain(None, budget="12 W", modes=3)).fit(Model(), data(100))
    assert closed == [True]
    trainer(powertrain(None, budget="12 W", modes=55)).fit(Model(), data(100))
    assert closed == [True, True]


def test_the_papers_method_can_be_asked_for(tiny: FakeDevice) -> None:
    callback = powertrain(predictor=PaperTransfer(load_reference("orin-agx-64gb-resnet18")), modes=10)
    trainer(callback, max_epochs=4).fit(Model(), data(1500))
    assert callback.selection is not None
    assert callback.selection.measured is not None


def test_other_stages_are_none_of_our_business(tiny: FakeDevice) -> None:
    class All(Validated):
        test_step = Validated.validation_step

        def predict_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
            return batch[0]

    job = trainer(powertrain(tiny, modes=3))
    for stage in (job.validate, job.test, job.predict):
        stage(All(tiny), data(5, shuffle=False), **({} if stage == job.predict else {"verbose": False}))
    assert tiny.applied == []
    assert tiny.restored == 0


def test_two_fits_tune_twice(tiny: FakeDevice) -> None:
    callback = powertrain(tiny, budget="12 W", modes=3)
    trainer(callback).fit(Model(), data(700))
    first = callback.outcome
    trainer(callback).fit(Model(), data(700))
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

    callback = powertrain(tiny, budget="12 W", modes=3)
    trainer(callback, Nested()).fit(Model(), data(700))
    assert callback.selection is not None
    assert callback.selection.measured is not None


@pytest.mark.parametrize("at", [5, 200, 600])
@pytest.mark.parametrize("kind", [RuntimeError, KeyboardInterrupt])
def test_the_users_exception_is_the_one_that_surfaces(
    tiny: FakeDevice, at: int, kind: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(Model):
        def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor | None:
            if batch_idx == at:
                raise kind("out of memory")
            return super().training_step(batch, batch_idx)

    callback = powertrain(tiny, budget="12 W", modes=3)
    surfaced = SystemExit if kind is KeyboardInterrupt else kind
    with pytest.raises(surfaced):
        trainer(callback).fit(Failing(), data(700))
    assert tiny.restored == 1


def test_failure_of_ours_in_a_job_is_soft(tiny: FakeDevice, caplog: pytest.LogCaptureFixture) -> None:
    tiny.fail_after = 2
    callback = powertrain(tiny, budget="12 W", modes=3)
    tuned, plain = weights(callback), weights()
    assert all(torch.equal(tuned[name], plain[name]) for name in plain)
    assert len([record for record in caplog.records if record.name == "lightning_powertrain"]) == 1


# What is written down.


def test_scalars_and_files_reach_tensorboard_and_csv(tiny: FakeDevice, tmp_path: Path) -> None:
    loggers = [TensorBoardLogger(tmp_path, name="tb"), CSVLogger(tmp_path, name="csv")]
    callback = powertrain(tiny, budget="12 W", modes=3)
    trainer(callback, logger=loggers).fit(Model(), data(700))
    rows = (tmp_path / "csv" / "version_0" / "metrics.csv").read_text(encoding="utf-8").splitlines()
    assert "powertrain/time_ms" in rows[0]
    folder = tmp_path / "tb" / "version_0" / "powertrain"
    assert {path.name for path in folder.iterdir()} == {"profile.csv", "profile.json", "summary.json", "pareto.png"}
    found = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert callback.selection is not None
    assert found["chosen"]["mode"] == dict(callback.selection.mode)
    assert found["simulated"] is True


def test_nothing_is_written_without_a_logger(tiny: FakeDevice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    trainer(powertrain(tiny, budget="12 W", modes=3)).fit(Model(), data(700))
    assert list(tmp_path.iterdir()) == []


def test_silent_unless_verbose(tiny: FakeDevice, capfd: pytest.CaptureFixture[str]) -> None:
    trainer(powertrain(tiny, budget="12 W", modes=3)).fit(Model(), data(700))
    quiet = capfd.readouterr()
    assert "PowerTrain" not in quiet.out + quiet.err
    trainer(powertrain(tiny, budget="12 W", modes=3, verbose=True)).fit(Model(), data(700))
    assert "PowerTrain" in capfd.readouterr().out


# Bad input.


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"budget": "30 X"}, r"budget='30 X' is not valid\. Allowed: 30 or \"30 W\""),
        ({"budget": -5}, "budget=-5"),
        ({"budget": float("nan")}, "budget=nan"),
        ({"budget": ""}, "budget=''"),
        ({"device": "simulated:raspberry-pi"}, "device='simulated:raspberry-pi'.*orin-agx-64gb"),
        ({"device": "orin-agx-64gb"}, "device='orin-agx-64gb'"),
        ({"device": "simulated:orin-agx-64gb:gpt5"}, "gpt5.*resnet18"),
        ({"modes": 2}, "modes=2 is not valid.*from 5"),
        ({"modes": 20_000}, "modes=20000 is not valid.*to 18096"),
        ({"max_share": 0}, "max_share=0"),
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


def test_phase_is_off_afterwards(tiny: FakeDevice) -> None:
    callback = powertrain(tiny, budget="12 W", modes=3)
    phases = []

    class Watch(pl.Callback):
        def on_train_batch_end(self, *details: Any) -> None:
            if callback._tuner is not None:
                phases.append(callback._tuner.phase)

    trainer(callback, Watch()).fit(Model(), data(700))
    assert phases[-1] is Phase.LOCKED
    assert callback._tuner is None
