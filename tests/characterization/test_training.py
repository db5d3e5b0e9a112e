"""What trains while a board is characterized."""

from __future__ import annotations

import os
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from fakes import FakeDevice
from torch.utils.data import DataLoader

from lightning_powertrain.characterization.networks import LanguageLstm, TextTransformer, resnet18
from lightning_powertrain.characterization.training import find_training, train
from lightning_powertrain.characterization.workloads import WORKLOADS, built_in
from lightning_powertrain.devices import Interval, SimulatedDevice, open_device
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.simulation import workload_names

MINE = """
steps = []

def work():
    return [1, 2, 3], steps.append

def wrong():
    return steps
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / f"mine_{os.getpid()}.py").write_text(MINE)
    return tmp_path


@pytest.mark.parametrize("source", ["mine_{}.py:work", "mine_{}:work"])
def test_a_function_of_ones_own(folder: Path, device: FakeDevice, source: str) -> None:
    training = find_training(source.format(os.getpid()), device)
    assert (training.name, training.prefetched) == ("work", 0)
    assert list(training.loader) == [1, 2, 3]
    assert training.step(4) is None


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("mine_{}.py:none", "a function none in mine_.*, which has none"),
        ("mine_{}.py:wrong", "a function that returns two things"),
        ("nowhere.py:work", "a file that exists; there is no nowhere.py"),
        ("nowhere:work", "a module that can be imported; No module named 'nowhere'"),
        ("resnet", "FILE.py:FUNCTION, MODULE:FUNCTION, or one of bert-base, lstm, resnet18 .did you mean resnet18"),
    ],
)
def test_what_cannot_train_is_refused_in_words(folder: Path, device: FakeDevice, source: str, reason: str) -> None:
    with pytest.raises(ArgumentError, match=reason):
        find_training(source.format(os.getpid()), device)


def test_a_simulated_board_simulates_its_workload() -> None:
    device = open_device("simulated:orin-nano-8gb:lstm")
    assert isinstance(device, SimulatedDevice)
    training = find_training(None, device)
    assert (training.name, training.prefetched) == ("lstm", 8)
    with pytest.raises(ArgumentError, match=r"workload='lstm' is not valid. Allowed: none with a simulated board"):
        find_training("lstm", device)


def test_simulated_boards_know_the_built_in_workloads() -> None:
    assert set(WORKLOADS) <= set(workload_names())


def test_networks_are_as_large_as_those_that_they_are_named_after() -> None:
    sizes = [sum(each.numel() for each in network.parameters()) for network in (resnet18(), LanguageLstm())]
    assert sizes == [11_689_512, 45_800_400]
    layer = sum(each.numel() for each in TextTransformer(layers=1).parameters())
    block = sum(each.numel() for each in TextTransformer(layers=2).parameters()) - layer
    assert 105e6 < layer + 11 * block < 112e6


@pytest.mark.parametrize("name", WORKLOADS)
def test_built_in_workloads_train(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    workloads = "lightning_powertrain.characterization.workloads"
    monkeypatch.setattr(f"{workloads}._MINIBATCH", 2)
    monkeypatch.setattr(TextTransformer.__init__, "__defaults__", (48, 12, 1, 128))
    loader, step = built_in(name, workers=0)
    assert isinstance(loader, DataLoader)
    minibatch, again = (next(iter(loader)) for _ in range(2))
    assert all(torch.equal(one, other) for one, other in zip(minibatch, again)), "the same in every run"
    assert minibatch[0].shape == {"resnet18": (2, 3, 224, 224), "lstm": (2, 35), "bert-base": (2, 128)}[name]
    step(minibatch)


class Runner:
    """What :func:`train` needs of a runner."""

    advance_to_data = None

    def __init__(self, device: FakeDevice) -> None:
        self.device = device
        self.advance_clock = device.minibatch_ended


class Five:
    """Waits for five minibatches."""

    def __init__(self) -> None:
        self.intervals: list[Interval] = []

    def add(self, interval: Interval) -> bool:
        self.intervals.append(interval)
        return len(self.intervals) == 5


def test_the_edge_of_an_epoch_is_no_minibatch(folder: Path, device: FakeDevice) -> None:
    training = find_training(f"mine_{os.getpid()}.py:work", device)
    waits = [Five(), Five()]
    runner: Any = Runner(device)
    train(training, runner, iter(waits))  # type: ignore[arg-type]
    assert [[each.clean for each in wait.intervals] for wait in waits] == [
        [True, True, True, False, True],
        [True, False, True, True, False],
    ]


def test_a_loader_that_is_empty_is_refused(device: FakeDevice, folder: Path) -> None:
    (folder / "empty_loader.py").write_text("def work(): return iter([1]), print")
    training = find_training("empty_loader.py:work", device)
    runner: Any = Runner(device)
    with pytest.raises(ArgumentError, match="a data loader that yields minibatches each time"):
        train(training, runner, islice([Five()], 1))  # type: ignore[arg-type]
