from __future__ import annotations

import logging

import pytest
from fakes import FakeDevice, Oracle
from watching import Recorder, train

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.errors import ArgumentError, DeviceError
from lightning_powertrain.profiling import Measurement
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Observer, Phase, Progress


@pytest.mark.parametrize("writes", [0, 2, 5])
def test_failing_board_is_restored_and_training_goes_on(
    device: FakeDevice, oracle: Oracle, caplog: pytest.LogCaptureFixture, writes: int
) -> None:
    device.fail_after = writes
    tuner = Tuner(13, device=device, max_modes=5, verbose=False, options=ProfilingOptions(predictor=oracle))
    tuner.start()
    train(tuner)
    assert tuner.phase is Phase.CLOSED
    assert device.mode == device.found
    assert "the board refused a write" in caplog.text
    assert len(caplog.records) == 1
    tuner.minibatch_ended()


def test_failing_board_is_an_error_when_strict(device: FakeDevice, oracle: Oracle) -> None:
    device.fail_after = 2
    tuner = Tuner(
        12, device=device, max_modes=5, strict=True, verbose=False, options=ProfilingOptions(predictor=oracle)
    )
    tuner.start()
    with pytest.raises(DeviceError, match="refused"):
        train(tuner)
    assert device.mode == device.found


def test_failing_snapshot_leaves_the_board_alone(
    device: FakeDevice, oracle: Oracle, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise DeviceError("no snapshot")

    monkeypatch.setattr(device, "snapshot", fail)
    tuner = Tuner(12, device=device, max_modes=5, verbose=False, options=ProfilingOptions(predictor=oracle))
    tuner.start()
    for _ in range(1000):
        tuner.minibatch_ended()
    assert device.applied == []
    assert [record.levelno for record in caplog.records] == [logging.WARNING]


def test_board_that_cannot_be_restored_is_said_so(
    device: FakeDevice, oracle: Oracle, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise DeviceError("stuck")

    device.fail_after = 2
    monkeypatch.setattr(device, "restore", fail)
    tuner = Tuner(12, device=device, max_modes=5, verbose=False, options=ProfilingOptions(predictor=oracle))
    tuner.start()
    for _ in range(2000):
        tuner.minibatch_ended()
    assert "could not be restored" in caplog.text


def test_failing_observer_is_left_out(device: FakeDevice, oracle: Oracle, caplog: pytest.LogCaptureFixture) -> None:
    class Broken(Observer):
        calls = 0

        def measured(self, measurement: Measurement, progress: Progress) -> None:
            self.calls += 1
            raise OSError("disk full")

    broken, recorder = Broken(), Recorder()
    tuner = Tuner(
        12,
        device=device,
        max_modes=5,
        verbose=False,
        options=ProfilingOptions(predictor=oracle, observers=[broken, recorder]),
    )
    tuner.start()
    train(tuner)
    assert tuner.phase is Phase.LOCKED
    assert broken.calls == 1
    assert len(recorder.progress) == 6
    assert "disk full" in caplog.text
    tuner.stop()


@pytest.mark.parametrize("modes", [2, 0, -1, 55, 4.0, True, "5"])
def test_bad_number_of_modes(device: FakeDevice, oracle: Oracle, modes: int) -> None:
    with pytest.raises(ArgumentError, match=r"max_modes=.*whole number from 3.* to 54, the modes of this board"):
        Tuner(12, device=device, max_modes=modes, verbose=False, options=ProfilingOptions(predictor=oracle))


@pytest.mark.parametrize("share", [0.0, -0.1, 1.5, float("nan"), "a tenth", True])
def test_bad_share(device: FakeDevice, oracle: Oracle, share: float) -> None:
    with pytest.raises(ArgumentError, match=r"max_share=.*above 0 and up to 1"):
        Tuner(
            12, device=device, max_modes=3, max_share=share, verbose=False, options=ProfilingOptions(predictor=oracle)
        )


@pytest.mark.parametrize("precision", [0, -0.1, 1.0, 2, float("nan"), "2 %", True])
def test_bad_precision(device: FakeDevice, oracle: Oracle, precision: float) -> None:
    with pytest.raises(ArgumentError, match=r"tolerance=.*above 0 and below 1.*None for 40 minibatches"):
        Tuner(
            12,
            device=device,
            max_modes=3,
            verbose=False,
            options=ProfilingOptions(predictor=oracle, tolerance=precision),
        )


def test_bad_budget(device: FakeDevice, oracle: Oracle) -> None:
    with pytest.raises(ArgumentError, match="budget='30 X'"):
        Tuner("30 X", device=device, max_modes=3, verbose=False, options=ProfilingOptions(predictor=oracle))


def unable(*details: object) -> None:
    raise DeviceError("stuck")


def test_board_that_fails_once_locked_does_not_end_the_job(
    device: FakeDevice, oracle: Oracle, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    tuner = Tuner(12, device=device, max_modes=3, verbose=False, options=ProfilingOptions(predictor=oracle)).start()
    train(tuner)
    assert tuner.phase is Phase.LOCKED
    monkeypatch.setattr(device.clock, "now", unable)
    for _ in range(5):
        tuner.minibatch_ended()
    assert device.mode == device.found
    assert len(caplog.records) == 1


def test_board_that_cannot_be_restored_is_a_warning_or_an_error_when_strict(
    device: FakeDevice, oracle: Oracle, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    restore = device.restore
    monkeypatch.setattr(device, "restore", unable)
    with Tuner(12, device=device, max_modes=3, verbose=False, options=ProfilingOptions(predictor=oracle)).start():
        pass
    assert caplog.text.count("could not be restored") == 1
    strict = Tuner(
        12, device=device, max_modes=3, strict=True, verbose=False, options=ProfilingOptions(predictor=oracle)
    ).start()
    with pytest.raises(DeviceError, match="stuck"):
        strict.stop()
    monkeypatch.setattr(device, "restore", restore)
    strict.stop()
    assert device.mode == device.found
    assert device.restored == 1, "another stop tries again"


def test_what_fails_around_a_tuner_can_be_left_to_it(
    device: FakeDevice, oracle: Oracle, caplog: pytest.LogCaptureFixture
) -> None:
    error = OSError("the training loop cannot count")
    for strict in (False, True):
        tuner = Tuner(
            12, device=device, max_modes=3, strict=strict, verbose=False, options=ProfilingOptions(predictor=oracle)
        ).start()
        for _ in range(300):
            tuner.minibatch_ended()
        assert device.mode != device.found
        if strict:
            with pytest.raises(OSError, match="cannot count") as raised:
                tuner.give_up(error)
            assert raised.value is error
        else:
            tuner.give_up(error)
            assert "cannot count" in caplog.text
        assert device.mode == device.found
        assert tuner.phase is Phase.CLOSED
        tuner.stop()
    assert len(caplog.records) == 1
