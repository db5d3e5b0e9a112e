"""A failure in one process ends tuning in all of them, and every board is restored."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from fakes import FakeDevice, Oracle
from threaded_job import ThreadedJob

from lightning_powertrain.boards import IntArray
from lightning_powertrain.devices import Health
from lightning_powertrain.errors import DeviceError, PowerTrainError
from lightning_powertrain.prediction import Prediction
from lightning_powertrain.profiling import Profile

MINIBATCHES = 3000


class FailingDevice(FakeDevice):
    """Raises an error in one method, after a number of calls."""

    def __init__(self, method: str, after: int = 0, error: type[Exception] = DeviceError) -> None:
        super().__init__()
        inner: Callable[..., Any] = getattr(self, method)
        calls = iter(range(1_000_000))

        def fails(*arguments: Any) -> Any:
            if next(calls) >= after:
                raise error(f"{method} is broken")
            return inner(*arguments)

        setattr(self, method, fails)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize("rank", [0, 1, 2])
@pytest.mark.parametrize(
    ("method", "after"),
    [
        ("snapshot", 0),
        ("current_mode", 0),
        ("apply", 0),
        ("apply", 3),
        ("minibatch_ended", 0),
        ("minibatch_ended", 200),
    ],
)
def test_a_failing_board_ends_tuning(
    rank: int, method: str, after: int, oracle: Oracle, caplog: pytest.LogCaptureFixture
) -> None:
    devices = [FakeDevice(), FakeDevice(), FakeDevice()]
    devices[rank] = FailingDevice(method, after)
    job = ThreadedJob(devices, "13 W", predictor=oracle, max_modes=5)
    job.run(MINIBATCHES)
    assert job.errors == [None] * 3
    assert len({communicator.exchanges for communicator in job.communicators}) == 1
    assert [device.mode for device in devices] == [device.found for device in devices]
    assert len(warnings(caplog)) == 1
    assert f"{method} is broken" in warnings(caplog)[0]
    job.stop()


@pytest.mark.parametrize("rank", [0, 1])
def test_an_unexpected_error_of_a_sensor_ends_tuning(
    rank: int, oracle: Oracle, caplog: pytest.LogCaptureFixture
) -> None:
    devices = [FakeDevice(), FakeDevice()]
    devices[rank] = FailingDevice("read_power", 50, error=ZeroDivisionError)
    job = ThreadedJob(devices, "13 W", predictor=oracle, max_modes=5)
    job.run(MINIBATCHES)
    assert job.errors == [None, None]
    assert all(device.mode == device.found for device in devices)
    assert len(warnings(caplog)) == 1
    assert f"rank {rank}" in warnings(caplog)[0]
    job.stop()


@pytest.mark.parametrize("rank", [0, 1])
def test_a_sensor_without_readings_ends_tuning(rank: int, oracle: Oracle, caplog: pytest.LogCaptureFixture) -> None:
    devices = [FakeDevice(), FakeDevice()]
    devices[rank] = FailingDevice("read_power", 50)
    job = ThreadedJob(devices, "13 W", predictor=oracle, max_modes=5)
    job.run(MINIBATCHES)
    assert all(device.mode == device.found for device in devices)
    assert "no power sample" in warnings(caplog)[0]
    job.stop()


def test_a_failing_predictor_ends_tuning(caplog: pytest.LogCaptureFixture) -> None:
    class FailingPredictor(Oracle):
        def fit(self, profile: Profile) -> None:
            raise ArithmeticError("fit failed")

        def predict(self, modes: IntArray) -> Prediction:
            raise NotImplementedError

    devices = [FakeDevice(), FakeDevice()]
    job = ThreadedJob(devices, "13 W", predictor=FailingPredictor(), max_modes=5)
    job.run(MINIBATCHES)
    assert job.errors == [None, None]
    assert all(device.mode == device.found for device in devices)
    assert len(warnings(caplog)) == 1
    job.stop()


@pytest.mark.parametrize("rank", [0, 1])
def test_strict_raises_in_all_processes(rank: int, oracle: Oracle) -> None:
    devices = [FakeDevice(), FakeDevice()]
    devices[rank] = FailingDevice("apply", 2)
    job = ThreadedJob(devices, "13 W", predictor=oracle, max_modes=5, strict=True)
    job.run(MINIBATCHES)
    assert all(isinstance(error, PowerTrainError) for error in job.errors)
    assert all("apply is broken" in str(error) for error in job.errors)
    job.stop()
    assert all(device.mode == device.found for device in devices)


def test_give_up_in_one_process_ends_tuning_in_all(oracle: Oracle) -> None:
    devices = [FakeDevice(), FakeDevice()]
    job = ThreadedJob(devices, "13 W", predictor=oracle, max_modes=5)

    def give_up(rank: int, minibatch: int) -> None:
        if (rank, minibatch) == (1, 300):
            job.tuners[1].give_up(ValueError("an error of the callback"))

    job.run(MINIBATCHES, give_up)
    assert job.errors == [None, None]
    assert all(device.mode == device.found for device in devices)
    assert not job.is_locked


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_the_end_of_a_process_restores_the_other_boards(rank: int, oracle: Oracle) -> None:
    devices = [FakeDevice(), FakeDevice(), FakeDevice()]
    job = ThreadedJob(devices, "13 W", predictor=oracle, max_modes=5)

    def end_process(this: int, minibatch: int) -> None:
        if (this, minibatch) == (rank, 300):
            job.communicators[rank].abort()
            raise SystemError("the process ends")

    job.run(MINIBATCHES, end_process)
    assert [error is not None for error in job.errors] == [each == rank for each in range(3)]
    survivors = [device for each, device in enumerate(devices) if each != rank]
    assert all(device.mode == device.found for device in survivors)
    job.stop()


def test_a_job_that_is_too_short_is_not_tuned(oracle: Oracle, caplog: pytest.LogCaptureFixture) -> None:
    devices = [FakeDevice(), FakeDevice()]
    job = ThreadedJob(devices, "13 W", predictor=oracle, max_modes=5, max_share=0.001)
    job.length = 2000
    job.run(2000)
    assert job.errors == [None, None]
    assert all(device.mode == device.found for device in devices)
    assert "too short to tune" in warnings(caplog)[0]
    assert job.communicators[0].exchanges == job.communicators[1].exchanges < 2000
    job.stop()


def test_over_currents_are_counted_on_every_board(oracle: Oracle, caplog: pytest.LogCaptureFixture) -> None:
    class Counting(FakeDevice):
        def health(self) -> Health:
            return Health((), over_current_events=int(self.clock.now()))

    job = ThreadedJob([FakeDevice(), Counting()], "13 W", predictor=oracle, max_modes=3)
    job.run(20_000)  # Tuning waits two minutes for the board to recover.
    assert "throttled (over-current)" in warnings(caplog)[0]
    job.stop()
