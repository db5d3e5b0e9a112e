"""Whatever of ours fails in a hook: the board is restored, one warning, the same weights; an error under ``strict``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Optional

import pytest
import pytorch_lightning as pl
import torch
from breaking import (
    CALLBACK,
    FACTORY,
    JOB,
    TUNER,
    WORKLOAD,
    UnforeseenError,
    Weights,
    break_after,
    stuck,
    trained,
    warnings_of,
)
from fakes import FakeDevice, Oracle
from jobs import LIGHTNING_WARNINGS, Model, data, locked, powertrain, trainer
from pytorch_lightning.loggers import CSVLogger

from lightning_powertrain import SimulatedDevice
from lightning_powertrain.errors import PowerTrainError

pytestmark = LIGHTNING_WARNINGS

MODEL_OF_ITS_OWN = "simulated:orin-agx-64gb"

SHORT = 40
"""Minibatches of an epoch that comes through every hook, though to no second mode."""

Open = Callable[[Optional[str]], Any]


@dataclass(frozen=True)
class Failure:
    """One thing of ours that fails.

    Args:
        what: Dotted name of what fails.
        hook: The hook of the callback in which it does.
        after: Calls of it that go well before.
        device: Name of the device that is asked for; the board of the test is what is then opened.
    """

    what: str
    hook: str
    after: int = 0
    device: str | None = None


# In each hook. What fails inside of the tuner is tested there: tests/tuning/test_failing_parts.py.
FAILURES = {
    "log folder": Failure("pytorch_lightning.Trainer.log_dir", "on_train_start", after=1),
    "opening the board": Failure(f"{FACTORY}.open_device", "on_train_start"),
    "making the tuner": Failure(f"{TUNER}.__init__", "on_train_start"),
    "reporter": Failure(f"{FACTORY}.LoggerReporter", "on_train_start"),
    "probe made": Failure(f"{WORKLOAD}.ModelProbe", "on_train_start", device=MODEL_OF_ITS_OWN),
    "length of the job": Failure(f"{JOB}.minibatches_left", "on_train_start"),
    "workers at the start": Failure(f"{JOB}.loader_workers", "on_train_start"),
    "tuner started": Failure(f"{TUNER}.start", "on_train_start"),
    "snapshot": Failure("fakes.FakeDevice.snapshot", "on_train_start"),
    "probe started": Failure(f"{WORKLOAD}.ModelProbe.start", "on_train_batch_start", device=MODEL_OF_ITS_OWN),
    "probe finished": Failure(f"{WORKLOAD}.ModelProbe.finish", "on_train_batch_end", device=MODEL_OF_ITS_OWN),
    "workers after a minibatch": Failure(
        f"{JOB}.loader_workers", "on_train_batch_end", after=2, device=MODEL_OF_ITS_OWN
    ),
    "end of a cycle": Failure(f"{CALLBACK}._has_saved", "on_train_batch_end", after=20),
    "last minibatch": Failure(f"{TUNER}.interrupt", "on_train_batch_end", after=2),
    "minibatch reported": Failure(f"{TUNER}.minibatch_ended", "on_train_batch_end", after=20),
    "validation started": Failure(f"{TUNER}.interrupt", "on_validation_start"),
    "checkpoint saved": Failure(f"{TUNER}.interrupt", "on_save_checkpoint", after=1),
    "epoch ended": Failure(f"{TUNER}.interrupt", "on_train_epoch_end", after=5),
    "tuner stopped": Failure(f"{TUNER}.stop", "on_train_end", after=1),
    "board closed": Failure("fakes.FakeDevice.close", "on_train_end"),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    """The weights without the callback."""
    return trained(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="module")
def briefly(tmp_path_factory: pytest.TempPathFactory) -> Weights:
    """The weights of a short job without the callback."""
    return trained(tmp_path_factory.mktemp("briefly"), minibatches=SHORT)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, oracle: Oracle) -> Open:
    """Opens the board of the test, which is what the callback finds, whichever it asks for."""

    def opened(name: str | None) -> FakeDevice | SimulatedDevice:
        device = SimulatedDevice("orin-agx-64gb") if name else FakeDevice()
        monkeypatch.setattr(f"{FACTORY}.open_device", lambda name, seed: device)
        monkeypatch.setattr("lightning_powertrain.tuning.options.default_predictor", lambda reference, seed: oracle)
        monkeypatch.setattr(type(device), "settle_s", 0.2)
        return device

    return opened


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
def test_a_failure_of_ours_is_one_warning(
    failure: Failure,
    opened: Open,
    briefly: Weights,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    device = opened(failure.device)
    found = device.current_mode()
    callback = powertrain(failure.device, budget="12 W", max_modes=3)
    with monkeypatch.context() as patch:
        raised = break_after(patch, failure.what, failure.after, UnforeseenError("of a kind unheard of"))
        weights = trained(tmp_path, callback, minibatches=SHORT)
    assert raised[0] == failure.hook
    assert [message for message in warnings_of(caplog) if "unheard of" not in message] == []
    assert len(warnings_of(caplog)) == 1
    assert device.current_mode() == found
    assert all(torch.equal(weights[name], briefly[name]) for name in briefly)


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
def test_a_failure_of_ours_is_an_error_when_strict(
    failure: Failure, opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = opened(failure.device)
    found = device.current_mode()
    callback = powertrain(failure.device, budget="12 W", max_modes=3, strict=True)
    with monkeypatch.context() as patch:
        break_after(patch, failure.what, failure.after, UnforeseenError("of a kind unheard of"))
        with pytest.raises(UnforeseenError, match="unheard of"):
            trained(tmp_path, callback, minibatches=SHORT)
    assert device.current_mode() == found


# Errors of other kinds, at the start, in the middle and at the end.


@pytest.mark.parametrize("error", [PowerTrainError("of ours"), OSError(5, "of the system")], ids=repr)
@pytest.mark.parametrize("name", ["opening the board", "end of a cycle", "board closed"])
def test_errors_of_every_kind(
    name: str,
    error: Exception,
    opened: Open,
    briefly: Weights,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    failure, device = FAILURES[name], opened(None)
    for strict in (False, True):
        callback = powertrain(failure.device, budget="12 W", max_modes=3, strict=strict)
        with monkeypatch.context() as patch:
            break_after(patch, failure.what, failure.after, error)
            if strict:
                with pytest.raises(type(error)) as raised:
                    trained(tmp_path, callback, minibatches=SHORT)
                assert raised.value is error
            else:
                weights = trained(tmp_path, callback, minibatches=SHORT)
                assert all(torch.equal(weights[name], briefly[name]) for name in briefly)
        assert len(warnings_of(caplog)) == 1
        assert device.mode == device.found


# A board that cannot be restored.


def test_board_that_cannot_be_restored_is_one_warning(
    opened: Open, briefly: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    device = opened(None)

    class Sticks(pl.Callback):
        def on_train_end(self, *details: Any) -> None:
            monkeypatch.setattr(device, "restore", stuck)

    weights = trained(tmp_path, Sticks(), powertrain(device, budget="12 W", max_modes=3), minibatches=SHORT)
    assert all(torch.equal(weights[name], briefly[name]) for name in briefly)
    assert len(warnings_of(caplog)) == 1
    assert "could not be restored" in caplog.text
    monkeypatch.undo()
    device = opened(None)
    with pytest.raises(UnforeseenError, match="stuck"):
        trained(tmp_path, Sticks(), powertrain(device, budget="12 W", max_modes=3, strict=True), minibatches=SHORT)


def test_a_failure_and_a_board_that_cannot_be_restored_is_said_at_once_and_at_the_end(
    opened: Open, plain: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    device = opened(None)
    device.fail_after = 2
    with monkeypatch.context() as patch:
        patch.setattr(device, "restore", stuck)
        weights = trained(tmp_path, powertrain(device, budget="12 W", max_modes=3))
    assert all(torch.equal(weights[name], plain[name]) for name in plain)
    stopped, still = warnings_of(caplog)
    assert "refused a write" in stopped
    assert "could not be restored" in stopped
    assert "could not be restored" in still


# Those who only watch.


@pytest.mark.parametrize(
    "what",
    [
        "lightning_powertrain.reporting.LoggerReporter.measured",
        "lightning_powertrain.reporting.LoggerReporter.closed",
        "lightning_powertrain.reporting.ConsoleReporter.phase_changed",
        "lightning_powertrain.reporting.RunWriter.verified",
        f"{JOB}.logging_step",
    ],
)
def test_an_observer_that_fails_is_left_out_and_tuning_goes_on(
    what: str, opened: Open, plain: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    device = opened(None)
    callback = powertrain(device, budget="12 W", max_modes=3, verbose=True)
    with monkeypatch.context() as patch:
        raised = break_after(patch, what, 0, OSError("disk full"))
        weights = trained(tmp_path, callback)
    assert len(raised) == 1
    assert len(warnings_of(caplog)) == 1
    assert locked(callback)
    assert device.mode == device.found
    assert all(torch.equal(weights[name], plain[name]) for name in plain)
    with monkeypatch.context() as patch:
        break_after(patch, what, 0, OSError("disk full"))
        with pytest.raises(OSError, match="disk full"):
            trained(tmp_path, powertrain(device, budget="12 W", max_modes=3, verbose=True, strict=True))
    assert device.mode == device.found


def test_a_logger_that_fails_is_left_out_and_tuning_goes_on(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Full(CSVLogger):
        def log_metrics(self, metrics: Any, step: int | None = None) -> None:
            if any(name.startswith("powertrain/") for name in metrics):
                raise OSError("disk full")
            super().log_metrics(metrics, step)

    device = opened(None)
    callback = powertrain(device, budget="12 W", max_modes=3)
    trainer(callback, logger=Full(tmp_path)).fit(Model(), data(600))
    assert locked(callback)
    assert len(warnings_of(caplog)) == 1
    assert device.mode == device.found
