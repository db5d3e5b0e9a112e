"""Whatever fails on one process ends tuning on all of them, with every board as it was found."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest
from fakes import FakeDevice, Oracle
from threads import Job

from lightning_powertrain.boards import IntArray
from lightning_powertrain.devices import Health
from lightning_powertrain.errors import DeviceError, PowerTrainError
from lightning_powertrain.prediction import Prediction
from lightning_powertrain.profiling import Profile

MINIBATCHES = 3000


class Broken(FakeDevice):
    """Fails in one method, from the given call on."""

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
def test_a_board_that_fails(
    rank: int, method: str, after: int, oracle: Oracle, caplog: pytest.LogCaptureFixture
) -> None:
    devices = [FakeDevice(), FakeDevice(), FakeDevice()]
    devices[rank] = Broken(method, after)
    job = Job(devices, "13 W", predictor=oracle, modes=5)
    job.run(MINIBATCHES)
    assert job.errors == [None] * 3
    assert len({peers.gathers for peers in job.peers}) == 1
    assert [device.mode for device in devices] == [device.found for device in devices]
    assert len(warnings(caplog)) == 1
    assert f"{method} is broken" in warnings(caplog)[0]
    job.stop()


@pytest.mark.parametrize("rank", [0, 1])
def test_a_sensor_that_fails_as_no_sensor_should(rank: int, oracle: Oracle, caplog: pytest.LogCaptureFixture) -> None:
    devices = [FakeDevice(), FakeDevice()]
    devices[rank] = Broken("read_power", 50, error=ZeroDivisionError)
    job = Job(devices, "13 W", predictor=oracle, modes=5)
    job.run(MINIBATCHES)
    assert job.errors == [None, None]
    assert all(device.mode == device.found for device in devices)
    assert len(warnings(caplog)) == 1
    assert f"rank {rank}" in warnings(caplog)[0]
    job.stop()


@pytest.mark.parametrize("rank", [0, 1])
def test_a_sensor_without_a_reading(rank: int, oracle: Oracle, caplog: pytest.LogCaptureFixture) -> None:
    devices = [FakeDevice(), FakeDevice()]
    devices[rank] = Broken("read_power", 50)
    job = Job(devices, "13 W", predictor=oracle, modes=5)
    job.run(MINIBATCHES)
    assert all(device.mode == device.found for device in devices)
    assert "no power sample" in warnings(caplog)[0]
    job.stop()


def test_a_predictor_that_fails(caplog: pytest.LogCaptureFixture) -> None:
    class Confused(Oracle):
        def fit(self, profile: Profile) -> None:
            raise ArithmeticError("confused")

        def predict(self, modes: IntArray) -> Prediction:
            raise NotImplementedError

    devices = [FakeDevice(), FakeDevice()]
    job = Job(devices, "13 W", predictor=Confused(), modes=5)
    job.run(MINIBATCHES)
    assert job.errors == [None, None]
    assert all(device.mode == device.found for device in devices)
    assert len(warnings(caplog)) == 1
    job.stop()


@pytest.mark.parametrize("rank", [0, 1])
def test_strict_raises_everywhere(rank: int, oracle: Oracle) -> None:
    devices = [FakeDevice(), FakeDevice()]
    devices[rank] = Broken("apply", 2)
    job = Job(devices, "13 W", predictor=oracle, modes=5, strict=True)
    job.run(MINIBATCHES)
    assert all(isinstance(error, PowerTrainError) for error in job.errors)
    assert all("apply is broken" in str(error) for error in job.errors)
    job.stop()
    assert all(device.mode == device.found for device in devices)


def test_what_a_process_gives_up_on_ends_tuning_everywhere(oracle: Oracle) -> None:
    devices = [FakeDevice(), FakeDevice()]
    job = Job(devices, "13 W", predictor=oracle, modes=5)

    def give_up(rank: int, minibatch: int) -> None:
        if (rank, minibatch) == (1, 300):
            job.parts[1].give_up(ValueError("no more"))

    job.run(MINIBATCHES, give_up)
    assert job.errors == [None, None]
    assert all(device.mode == device.found for device in devices)
    assert not job.is_locked


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_a_process_that_dies(rank: int, oracle: Oracle) -> None:
    devices = [FakeDevice(), FakeDevice(), FakeDevice()]
    job = Job(devices, "13 W", predictor=oracle, modes=5)

    def die(this: int, minibatch: int) -> None:
        if (this, minibatch) == (rank, 300):
            job.peers[rank].die()
            raise SystemError("dead")

    job.run(MINIBATCHES, die)
    assert [error is not None for error in job.errors] == [each == rank for each in range(3)]
    survivors = [device for each, device in enumerate(devices) if each != rank]
    assert all(device.mode == device.found for device in survivors)
    job.stop()


def test_a_job_that_is_too_short(oracle: Oracle, caplog: pytest.LogCaptureFixture) -> None:
    devices = [FakeDevice(), FakeDevice()]
    job = Job(devices, "13 W", predictor=oracle, modes=5, max_share=0.001)
    job.length = 2000
    job.run(2000)
    assert job.errors == [None, None]
    assert all(device.mode == device.found for device in devices)
    assert "left alone" in warnings(caplog)[0]
    assert job.peers[0].gathers == job.peers[1].gathers < 2000
    job.stop()


def test_over_currents_are_counted_on_every_board(oracle: Oracle, caplog: pytest.LogCaptureFixture) -> None:
    class Counting(FakeDevice):
        def health(self) -> Health:
            return Health((), over_current_events=int(self.clock.now()))

    job = Job([FakeDevice(), Counting()], "13 W", predictor=oracle, modes=3)
    job.run(20_000)  # The board is given two minutes to recover.
    assert "throttled (over-current)" in warnings(caplog)[0]
    job.stop()
