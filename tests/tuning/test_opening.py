"""A tuner that opens the board itself: by its name, or the one that it runs on."""

from __future__ import annotations

import pytest
from fakes import FakeDevice
from watching import train

from lightning_powertrain.errors import DeviceNotFoundError
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Phase


def test_a_device_is_opened_by_its_name_and_progress_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    tuner = Tuner("30 W", device="simulated:orin-agx-64gb:resnet18", max_modes=5)
    assert tuner.device is None
    with tuner.start(minibatches=100_000):
        train(tuner)
        assert tuner.phase is Phase.LOCKED
    assert tuner.device is not None
    assert tuner.device.simulated
    assert "start mode" in capsys.readouterr().out


def test_off_a_jetson_there_is_one_warning_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_jetson(name: str | None, seed: int) -> FakeDevice:
        raise DeviceNotFoundError("no Jetson found here: a test says so")

    monkeypatch.setattr("lightning_powertrain.tuning.session_guard.open_device", no_jetson)
    with Tuner("13 W").start(minibatches=100) as tuner:
        for _ in range(100):
            tuner.minibatch_ended()
        tuner.interrupt()
    assert tuner.outcome is None
    assert tuner.status.word == "failed"
    (record,) = caplog.records
    assert "training continues unchanged: no Jetson found here" in record.getMessage()
    with pytest.raises(DeviceNotFoundError):
        Tuner("13 W", strict=True).start()
