"""PowerMonitor in jobs that are not its own."""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from fake_nvml import FakeNvml
from fakes import FakeDevice
from jobs import LIGHTNING_WARNINGS, RESNET, Model, StopWhen, data, powertrain, trainer, weights
from monitors import costs, monitor
from torch import Tensor

from lightning_powertrain import PowerMonitor, SimulatedDevice
from lightning_powertrain.callbacks import power_log, power_monitor
from lightning_powertrain.devices import PowerReading
from lightning_powertrain.errors import ArgumentError, DeviceError

pytestmark = LIGHTNING_WARNINGS

# Training is sacred.


@pytest.mark.parametrize("device", [RESNET, "simulated:orin-agx-64gb"])
def test_weights_are_equal_bit_for_bit(device: str) -> None:
    callback = monitor(device)
    watched = weights(callback)
    watched_state = torch.get_rng_state()
    plain = weights()
    assert torch.equal(torch.get_rng_state(), watched_state)
    assert all(torch.equal(watched[name], plain[name]) for name in plain)
    assert callback.summary is not None
    # A model as small as this one waits for the host, not for the GPU: far from ResNet-18's 100 ms.
    assert (callback.summary.seconds / 1000 < 0.02) == (device != RESNET)


def test_without_power_training_continues_unchanged(caplog: pytest.LogCaptureFixture) -> None:
    callback = PowerMonitor()
    watched, plain = weights(callback), weights()
    assert all(torch.equal(watched[name], plain[name]) for name in plain)
    assert callback.summary is None
    (record,) = (record for record in caplog.records if record.name == "lightning_powertrain")
    assert record.levelno == logging.WARNING
    assert "no Jetson and the job uses no NVIDIA GPU" in record.message


def test_a_sensor_that_dies_is_one_warning(device: FakeDevice, caplog: pytest.LogCaptureFixture) -> None:
    class Dying(FakeDevice):
        def read_power(self) -> PowerReading:
            if self.minibatches >= 100:
                raise DeviceError("the sensor is gone")
            return super().read_power()

    callback = monitor(Dying())
    watched, plain = weights(callback, log_every_n_steps=10), weights()
    assert all(torch.equal(watched[name], plain[name]) for name in plain)
    (record,) = (record for record in caplog.records if record.name == "lightning_powertrain")
    assert "the sensor is gone" in record.message
    assert callback.summary is not None
    assert callback.summary.samples < 101 * 4


@pytest.mark.parametrize("at", [0, 30])
def test_the_users_exception_is_the_one_that_surfaces(at: int) -> None:
    class Failing(Model):
        def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor | None:
            if batch_idx == at:
                raise RuntimeError("out of memory")
            return super().training_step(batch, batch_idx)

    callback, model = monitor("simulated:orin-agx-64gb"), Failing()
    with pytest.raises(RuntimeError, match="out of memory"):
        trainer(callback).fit(model, data(50))
    assert callback.summary is not None
    assert callback.summary.samples == at * 4
    assert not any(module._forward_hooks for module in model.modules())
    assert callback._trainer is None


def test_a_device_that_was_given_is_neither_set_nor_closed(device: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    for forbidden in ("apply", "snapshot", "restore", "close"):
        monkeypatch.setattr(device, forbidden, lambda *details, name=forbidden: pytest.fail(name))
    trainer(monitor(device)).fit(Model(), data(20))


def test_no_thread_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml = FakeNvml(["GPU-0"])
    nvml.draws(GPU_0=50_000)
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.setattr(power_monitor, "_gpus", lambda job: ["GPU-0"])
    callback = monitor(None)
    trainer(callback).fit(Model(), data(50))
    assert callback.summary is not None
    assert callback.summary.power_w == pytest.approx(50.0)
    assert not [thread for thread in threading.enumerate() if thread.name == "powertrain-clock"]
    assert nvml.open_users() == 0


# In company.


@pytest.mark.parametrize("first", ["powertrain", "monitor", "nobody"])
def test_a_shared_board_is_moved_once_a_minibatch(tiny: FakeDevice, first: str) -> None:
    company = {
        "powertrain": [powertrain(tiny, budget="12 W", max_modes=3), monitor(tiny)],
        "monitor": [monitor(tiny), powertrain(tiny, budget="12 W", max_modes=3)],
        "nobody": [monitor(tiny)],
    }
    trainer(*company[first]).fit(Model(), data(700))
    assert tiny.minibatches == 700


@pytest.mark.parametrize("monitor_first", [True, False])
def test_tuning_is_timed_as_without_a_monitor(monitor_first: bool) -> None:
    def times_ms(watched: bool) -> Any:
        board = SimulatedDevice("orin-agx-64gb", "resnet18")
        tuning, watching = powertrain(board, max_modes=5), monitor(board)
        callbacks: list[pl.Callback] = [watching, tuning] if monitor_first else [tuning, watching]
        enough = StopWhen(lambda: len(tuning.profile or ()) == 3)
        trainer(*(callbacks if watched else [tuning]), enough, max_epochs=-1).fit(Model(), data())
        assert tuning.profile is not None
        return tuning.profile.time_ms

    np.testing.assert_array_equal(times_ms(watched=True), times_ms(watched=False))


@pytest.mark.parametrize("monitor_first", [True, False])
def test_a_board_that_tuning_has_closed_goes_on(tiny: FakeDevice, monitor_first: bool) -> None:
    """Too short a job is left alone, and then the monitor moves the clock; a minibatch may be lost on the way."""
    tuning, watching = powertrain(tiny, max_share=0.1, max_modes=50), monitor(tiny)
    trainer(*([watching, tuning] if monitor_first else [tuning, watching])).fit(Model(), data(300))
    assert tuning.selection is None
    assert tiny.minibatches in (299, 300)


def test_two_fits_count_separately(device: FakeDevice) -> None:
    seconds, _ = costs(device)
    callback = monitor(device)
    job = trainer(callback)
    for _ in range(2):
        job.fit_loop.epoch_progress.reset()
        job.fit(Model(), data(30))
        assert callback.summary is not None
        assert callback.summary.samples == 120
        assert callback.summary.seconds == pytest.approx(30 * seconds)


def test_a_trainer_within_the_job_is_not_counted(device: FakeDevice) -> None:
    class Nested(pl.Callback):
        def on_train_batch_end(self, *details: Any) -> None:
            if details[-1] == 5:
                trainer(callback).fit(Model(), data(10))

    callback = monitor(device)
    trainer(callback, Nested()).fit(Model(), data(20))
    assert callback.summary is not None
    assert callback.summary.samples == 80


def test_only_the_first_process_of_a_node_watches(device: FakeDevice, monkeypatch: pytest.MonkeyPatch) -> None:
    callback = monitor(device)
    monkeypatch.setattr(pl.Trainer, "local_rank", 1)
    trainer(callback).fit(Model(), data(10))
    assert callback.summary is None
    assert device.minibatches == 0


# What is shown.


def test_every_name_is_documented() -> None:
    documented = (Path(__file__).parents[2] / "docs" / "logging.md").read_text(encoding="utf-8")
    names = [name for name in vars(power_log).values() if isinstance(name, str) and name.startswith("power/")]
    assert len(names) == 10
    assert all(f"| `{name}` |" in documented for name in names)


def test_one_line_at_the_end(capfd: pytest.CaptureFixture[str], device: FakeDevice) -> None:
    trainer(PowerMonitor(device)).fit(Model(), data(100))
    said = [line for line in capfd.readouterr().out.splitlines() if "Energy of this job" in line]
    callback = monitor(device)
    trainer(callback).fit(Model(), data(100))
    assert said == [f"Energy of this job: {callback.summary}"]
    assert said[0].endswith("(simulated)")
    assert "Energy" not in capfd.readouterr().out


@pytest.mark.parametrize("device", ["orin-agx-64gb", "simulated:raspberry-pi", "simulated:orin-agx-64gb:gpt5"])
def test_wrong_device_fails_in_the_constructor(device: str) -> None:
    with pytest.raises(ArgumentError):
        PowerMonitor(device)
