"""Torch's threads are left alone, unless the user asks that they follow the cores."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from fakes import FakeDevice, Oracle
from watching import train

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.profiling import Measurement
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Observer, Progress


@pytest.fixture(autouse=True)
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


class Watch(Observer):
    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def measured(self, measurement: Measurement, progress: Progress) -> None:
        self.seen.append((measurement.mode["cores"], torch.get_num_threads()))


@pytest.mark.parametrize("match_threads", [False, True])
def test_threads_follow_the_cores_only_if_asked(device: FakeDevice, oracle: Oracle, match_threads: bool) -> None:
    watch = Watch()
    tuner = Tuner(
        13,
        device=device,
        max_modes=8,
        verbose=False,
        options=ProfilingOptions(predictor=oracle, match_threads=match_threads, observers=[watch]),
    ).start()
    train(tuner)
    _, *sampled = watch.seen
    assert {cores for cores, _ in sampled} == {1, 2, 4}
    assert all(threads == (min(3, cores) if match_threads else 3) for cores, threads in sampled)
    assert torch.get_num_threads() == (min(3, device.mode["cores"]) if match_threads else 3)
    tuner.stop()
    assert torch.get_num_threads() == 3


def test_threads_are_as_before_when_the_job_stays_in_its_start_mode(device: FakeDevice, oracle: Oracle) -> None:
    device.found = device.mode = device.modes.highest
    tuner = Tuner(
        "1 ms",
        device=device,
        max_modes=5,
        verbose=False,
        options=ProfilingOptions(predictor=oracle, match_threads=True),
    ).start()
    train(tuner)
    assert device.mode == device.found
    assert torch.get_num_threads() == 3
    tuner.stop()
