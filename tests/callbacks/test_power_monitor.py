"""What a job draws and spends, against figures that are known or summed independently."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from fake_nvml import FakeNvml
from fakes import FakeDevice
from jobs import LIGHTNING_WARNINGS, Model, Validated, data, trainer
from monitors import Notebook, costs, monitor
from plain_board import PlainBoard
from pytorch_lightning.loggers import CSVLogger

from lightning_powertrain import PowerMonitor, SimulatedDevice
from lightning_powertrain.callbacks import power_monitor
from lightning_powertrain.devices import Health, PowerReading, find_power_source
from lightning_powertrain.errors import DeviceError

pytestmark = LIGHTNING_WARNINGS


class Remembering(SimulatedDevice):
    """Writes down every reading of its power."""

    def __init__(self) -> None:
        super().__init__("orin-agx-64gb", "resnet18")
        self.readings: list[tuple[float, float]] = []

    def read_power(self) -> PowerReading:
        reading = super().read_power()
        self.readings.append((self.clock.now(), reading.total_w))
        return reading


def test_exact_figures_reach_the_loggers(device: FakeDevice) -> None:
    seconds, joules = costs(device)
    loggers = [Notebook(), Notebook()]
    trainer(monitor(device), logger=loggers, log_every_n_steps=20).fit(Model(), data(50))
    assert [step for step, _ in loggers[0].rows] == [19, 39, 50]
    for minibatches, (_, row) in zip((20, 40, 50), loggers[0].rows):
        assert row == {
            "power/simulated": 1.0,
            "power/power_w": pytest.approx(joules / seconds),
            "power/hours": pytest.approx(minibatches * seconds / 3600),
            "power/energy_j": pytest.approx(minibatches * joules),
            "power/energy_wh": pytest.approx(minibatches * joules / 3600),
            "power/energy_per_sample_j": pytest.approx(joules / 4),
            "power/throttled": 0.0,
        }
    assert loggers[0].rows == loggers[1].rows


def test_price_carbon_and_temperature_reach_the_loggers(
    device: FakeDevice, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, joules = costs(device)
    monkeypatch.setattr(FakeDevice, "health", lambda self: Health(temperature_c=51.5))
    notebook = Notebook()
    watching = PowerMonitor(device, price_per_kwh=0.4, carbon_per_kwh=250)
    trainer(watching, logger=[notebook], log_every_n_steps=20).fit(Model(), data(50))
    for minibatches, (_, row) in zip((20, 40, 50), notebook.rows):
        assert row["power/price"] == pytest.approx(minibatches * joules / 3.6e6 * 0.4)
        assert row["power/carbon_g"] == pytest.approx(minibatches * joules / 3.6e6 * 250)
        assert row["power/temperature_c"] == 51.5
    assert " a sample, price " in capsys.readouterr().out


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
    energy_j = np.sum(np.diff(times_s) * (watts[1:] + watts[:-1]) / 2)
    assert callback.summary.energy_j == pytest.approx(energy_j, rel=1e-12)
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
        def health(self) -> Health | None:  # type: ignore[override]
            return None if throttled is None else Health(("heat",) if throttled else ())

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


def test_gpus_that_count_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_jetson_is_read_and_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = PlainBoard(tmp_path)
    before = board.settings()
    shown_w = find_power_source(root=tmp_path).read_power().total_w
    monkeypatch.setattr(power_monitor, "find_power_source", lambda gpus: find_power_source(gpus, root=tmp_path))
    callback = monitor(None)
    trainer(callback).fit(Model(), data(50))
    assert callback.summary is not None
    assert callback.summary.power_w == pytest.approx(shown_w)
    assert not callback.summary.simulated
    assert board.settings() == before


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
    with pytest.raises(DeviceError, match=r"2\.5 or later"):
        power_monitor._gpus(job)
    job.strategy.root_device = torch.device("cpu")
    assert power_monitor._gpus(job) == []
