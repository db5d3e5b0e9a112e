"""What a job draws and spends, against figures that are known or summed independently."""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from fake_nvml import FakeNvml
from fakes import FakeDevice, true_power_w, true_time_ms
from jobs import LIGHTNING_WARNINGS, RESNET, Model, StopWhen, Validated, data, powertrain, trainer, weights
from pytorch_lightning.loggers import CSVLogger, Logger
from torch import Tensor

from lightning_powertrain import PowerMonitor, SimulatedDevice
from lightning_powertrain.callbacks import power_monitor
from lightning_powertrain.devices import PowerReading
from lightning_powertrain.errors import ArgumentError, DeviceError

pytestmark = LIGHTNING_WARNINGS


class Notebook(Logger):
    """A logger that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[int | None, dict[str, float]]] = []

    @property
    def name(self) -> str:
        return "notebook"

    @property
    def version(self) -> int:
        return 0

    def log_hyperparams(self, *params: Any, **more: Any) -> None:
        pass

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        if any(name.startswith("power/") for name in metrics):
            self.rows.append((step, dict(metrics)))


class Remembering(SimulatedDevice):
    """Writes down every reading of its power."""

    def __init__(self) -> None:
        super().__init__("orin-agx-64gb", "resnet18")
        self.readings: list[tuple[float, float]] = []

    def read_power(self) -> PowerReading:
        reading = super().read_power()
        self.readings.append((self.clock.now(), reading.total_w))
        return reading


def monitor(device: Any = RESNET) -> PowerMonitor:
    return PowerMonitor(device, verbose=False)


def costs(device: FakeDevice) -> tuple[float, float]:
    """Seconds and joules of one minibatch on the tiny board, exactly."""
    row = device.modes.rows([device.mode])
    seconds = float(true_time_ms(row)[0]) / 1e3
    return seconds, seconds * float(true_power_w(row)[0])


# The figures.


def test_exact_figures_reach_the_loggers(device: FakeDevice) -> None:
    seconds, joules = costs(device)
    loggers = [Notebook(), Notebook()]
    trainer(monitor(device), logger=loggers, log_every_n_steps=20).fit(Model(), data(50))
    assert [step for step, _ in loggers[0].rows] == [19, 39, 50]
    for minibatches, (_, row) in zip((20, 40, 50), loggers[0].rows):
        assert row == {
            "power/simulated": 1.0,
            "power/power_w": pytest.approx(joules / seconds),
            "power/energy_j": pytest.approx(minibatches * joules),
            "power/energy_per_sample_j": pytest.approx(joules / 4),
        }
    assert loggers[0].rows == loggers[1].rows


def test_power_is_the_mean_since_it_was_last_written(device: FakeDevice) -> None:
    class Switch(pl.Callback):
        def on_train_batch_start(self, *details: Any) -> None:
            if details[-1] == 300:
                device.apply(device.board.preset("MAXN"))

    slow_s, slow_j = costs(device)
    notebook = Notebook()
    trainer(monitor(device), Switch(), logger=notebook, log_every_n_steps=200).fit(Model(), data(600))
    fast_s, fast_j = costs(device)
    before, between, after = (row["power/power_w"] for _, row in notebook.rows[:3])
    slow_w, fast_w = slow_j / slow_s, fast_j / fast_s
    assert (before, after) == (pytest.approx(slow_w), pytest.approx(fast_w))
    # The half second that spans the switch counts as a ramp: a quarter of a second too much or too little, at the most.
    off_j = 0.25 * (fast_w - slow_w)
    assert between == pytest.approx((slow_j + fast_j) / (slow_s + fast_s), abs=off_j / (100 * (slow_s + fast_s)))


def test_energy_is_the_trapezoidal_sum_of_all_readings() -> None:
    board = Remembering()
    callback = monitor(board)
    trainer(callback, log_every_n_steps=7).fit(Model(), data(300))
    times_s, watts = np.array(board.readings).T
    assert callback.summary is not None
    assert callback.summary.energy_j == pytest.approx(np.trapezoid(watts, times_s), rel=1e-12)
    assert callback.summary.seconds == board.clock.now() == times_s[-1]
    assert callback.summary.samples == 1200
    assert callback.summary.simulated
    assert len(times_s) > 300 * 0.1 / 0.5


def test_validation_costs_energy_too(device: FakeDevice) -> None:
    seconds, _ = costs(device)
    callback = monitor(device)
    job = trainer(callback, limit_val_batches=3, num_sanity_val_steps=0)
    job.fit(Validated(device), data(50), data(20, shuffle=False))
    assert callback.summary is not None
    assert callback.summary.seconds == pytest.approx(50 * seconds + 3.0)


@pytest.mark.parametrize("throttled", [True, False, None])
def test_throttling_is_logged_where_it_is_known(throttled: bool | None) -> None:
    class Hot(FakeDevice):
        pass

    Hot.throttled = throttled  # type: ignore[attr-defined]
    notebook = Notebook()
    trainer(monitor(Hot()), logger=notebook).fit(Model(), data(10))
    shown = {} if throttled is None else {"power/throttled": float(throttled)}
    assert {name: value for name, value in notebook.rows[-1][1].items() if "throttled" in name} == shown


def test_accumulation_is_written_once_a_step(device: FakeDevice) -> None:
    notebook = Notebook()
    job = trainer(monitor(device), logger=notebook, log_every_n_steps=2, accumulate_grad_batches=4)
    job.fit(Model(), data(34))
    # Eight full steps and one of two minibatches; the last line is the end.
    assert [step for step, _ in notebook.rows] == [1, 3, 5, 7, 9]


def test_last_figures_reach_a_file(device: FakeDevice, tmp_path: Path) -> None:
    trainer(monitor(device), logger=CSVLogger(tmp_path, name="csv")).fit(Model(), data(10))
    rows = (tmp_path / "csv" / "version_0" / "metrics.csv").read_text(encoding="utf-8").splitlines()
    assert "power/energy_j" in rows[0]
    assert len(rows) == 2


def test_gpus_that_count_are_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Train(pl.Callback):
        def on_train_batch_end(self, *details: Any) -> None:
            nvml.has_counted(GPU_0=5000 + 300 * (details[-1] + 1), GPU_1=77 + 200 * (details[-1] + 1))

    nvml = FakeNvml(["GPU-0", "GPU-1"])
    nvml.has_counted(GPU_0=5000, GPU_1=77)
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.setattr(power_monitor, "_gpus", lambda job: ["GPU-0", "GPU-1"])
    callback, notebook = monitor(None), Notebook()
    trainer(Train(), callback, logger=notebook, log_every_n_steps=10).fit(Model(), data(20))
    assert [row["power/energy_j"] for _, row in notebook.rows] == pytest.approx([5.0, 10.0, 10.0])
    assert [row["power/simulated"] for _, row in notebook.rows] == [0.0, 0.0, 0.0]
    assert notebook.rows[0][1]["power/energy_per_sample_j"] == pytest.approx(0.5 / 4)
    assert notebook.rows[0][1]["power/throttled"] == 0.0
    assert nvml.open_users() == 0


@pytest.mark.parametrize(
    ("batch", "samples"),
    [
        (torch.zeros(4, 2), 4),
        ([torch.zeros(3), torch.zeros(5)], 3),
        ({"id": "x", "image": torch.zeros(6, 1)}, 6),
        ([{"names": ["a", "b"]}, (torch.zeros(2, 2),)], 2),
        (torch.tensor(1.0), 1),
        ("text", 0),
        ([], 0),
    ],
)
def test_samples_of_a_minibatch(batch: object, samples: int) -> None:
    assert power_monitor._samples(batch) == samples


def test_gpus_are_those_of_the_trainer(monkeypatch: pytest.MonkeyPatch) -> None:
    job: Any = SimpleNamespace(strategy=SimpleNamespace(root_device=torch.device("cuda", 1)), device_ids=[1, 3])
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: SimpleNamespace(uuid=f"ab{index}"))
    assert power_monitor._gpus(job) == ["GPU-ab1", "GPU-ab3"]
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: SimpleNamespace())
    with pytest.raises(DeviceError, match=r"2\.5 and later"):
        power_monitor._gpus(job)
    job.strategy.root_device = torch.device("cpu")
    assert power_monitor._gpus(job) == []


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


def test_without_power_training_runs_as_ever(caplog: pytest.LogCaptureFixture) -> None:
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
        "powertrain": [powertrain(tiny, budget="12 W", modes=3), monitor(tiny)],
        "monitor": [monitor(tiny), powertrain(tiny, budget="12 W", modes=3)],
        "nobody": [monitor(tiny)],
    }
    trainer(*company[first]).fit(Model(), data(700))
    assert tiny.minibatches == 700


@pytest.mark.parametrize("monitor_first", [True, False])
def test_tuning_is_timed_as_without_a_monitor(monitor_first: bool) -> None:
    def times_ms(watched: bool) -> Any:
        board = SimulatedDevice("orin-agx-64gb", "resnet18")
        tuning, watching = powertrain(board, modes=5), monitor(board)
        callbacks: list[pl.Callback] = [watching, tuning] if monitor_first else [tuning, watching]
        enough = StopWhen(lambda: len(tuning.profile or ()) == 3)
        trainer(*(callbacks if watched else [tuning]), enough, max_epochs=-1).fit(Model(), data())
        assert tuning.profile is not None
        return tuning.profile.time_ms

    np.testing.assert_array_equal(times_ms(watched=True), times_ms(watched=False))


@pytest.mark.parametrize("monitor_first", [True, False])
def test_a_board_that_tuning_has_let_go_of_goes_on(tiny: FakeDevice, monitor_first: bool) -> None:
    """Too short a job is left alone, and then the monitor moves the clock; a minibatch may be lost on the way."""
    tuning, watching = powertrain(tiny, max_share=0.1, modes=50), monitor(tiny)
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
