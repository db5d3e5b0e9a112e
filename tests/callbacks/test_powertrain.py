from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from fakes import FakeDevice, true_time_ms
from jobs import LIGHTNING_WARNINGS, RESNET, Model, StopWhen, Validated, data, locked, powertrain, trainer, weights
from torch.utils.data import DataLoader

from lightning_powertrain import PowerTrainCallback, SimulatedDevice
from lightning_powertrain.errors import DeviceNotFoundError

pytestmark = LIGHTNING_WARNINGS

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


def test_best_mode_is_kept_to_the_end_and_the_board_is_restored() -> None:
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


def test_off_a_jetson_training_continues_unchanged(caplog: pytest.LogCaptureFixture) -> None:
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
    callback = powertrain(tiny, budget="13 W", max_modes=5)
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
    callback = powertrain(tiny, budget="13 W", max_modes=3)
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

    callback = powertrain(tiny, budget="13 W", max_modes=3)
    trainer(callback, SlowStep(), accumulate_grad_batches=accumulate, max_epochs=3).fit(Model(), data())
    assert callback.profile is not None
    expected_ms = true_time_ms(callback.profile.modes) + 100.0 / accumulate
    assert callback.profile.time_ms == pytest.approx(expected_ms, rel=1e-6)


@pytest.mark.parametrize("minibatches", [1, 2, 5])
def test_tiny_epochs_do_not_stall(tiny: FakeDevice, minibatches: int) -> None:
    callback = powertrain(tiny, budget="13 W", max_modes=3)
    trainer(callback, max_epochs=1600 // minibatches).fit(Model(), data(minibatches))
    assert callback.selection is not None
    assert callback.selection.measured is not None


def test_waits_for_what_the_loader_made_before(tiny: FakeDevice) -> None:
    class Loader(DataLoader[Any]):
        """Claims to have workers, without starting any."""

        def __iter__(self) -> Any:
            return iter(DataLoader(self.dataset, batch_size=4))

    loader = Loader(data(1500).dataset, batch_size=4, num_workers=2, prefetch_factor=60)
    callback = powertrain(tiny, budget="13 W", max_modes=3)
    trainer(callback).fit(Model(), loader)
    assert callback.profile is not None
    assert all(measurement.discarded_minibatches >= 120 for measurement in callback.profile.measurements)
