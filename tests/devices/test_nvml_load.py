"""The load of a GPU that no file shows, with NVML faked."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Callable, Sequence

import fake_nvml
import pytest
from fake_nvml import FakeNvml
from plain_board import PlainBoard

from lightning_powertrain.devices import Load
from lightning_powertrain.devices.nvml_load import NvmlLoad
from lightning_powertrain.devices.sysfs_activity import SysfsLoad

Install = Callable[[Sequence[str]], FakeNvml]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    installed: list[FakeNvml] = []

    def install(gpus: Sequence[str]) -> FakeNvml:
        installed.append(FakeNvml(gpus))
        monkeypatch.setitem(sys.modules, "pynvml", installed[-1])
        return installed[-1]

    yield install
    assert [fake.open_users() for fake in installed] == [0] * len(installed), "NVML was not closed"


def test_the_load_of_the_only_gpu(install: Install) -> None:
    load, nvml = NvmlLoad(), install(["GPU-0"])
    for percent in (0, 37, 100):
        nvml.is_busy(GPU_0=percent)
        assert load.read() == percent / 100
    assert nvml.open_users() == 1
    load.close()
    load.close()


@pytest.mark.parametrize("gpus", [[], ["GPU-0"], ["GPU-0", "GPU-1"]])
def test_a_load_that_is_not_shown_is_not_known_and_asked_for_once(
    install: Install, gpus: Sequence[str], caplog: pytest.LogCaptureFixture
) -> None:
    load, _ = NvmlLoad(), install(gpus)
    with caplog.at_level(logging.DEBUG, logger="lightning_powertrain"):
        assert [load.read() for _ in range(3)] == [None] * 3
    assert len(caplog.records) == 1


def test_without_the_package_it_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert NvmlLoad().read() is None


def test_a_gpu_that_is_lost_ends_it(install: Install) -> None:
    load, nvml = NvmlLoad(), install(["GPU-0"])
    nvml.is_busy(GPU_0=50)
    assert load.read() == 0.5
    nvml.fails(fake_nvml.NVML_ERROR_GPU_IS_LOST)
    assert load.read() is None
    nvml.fails(0)
    nvml.nvmlShutdown()  # It failed in the lost GPU.
    assert load.read() is None


def test_a_file_of_the_board_precedes(install: Install, tmp_path: Path) -> None:
    nvml = install(["GPU-0"])
    nvml.is_busy(GPU_0=50)
    PlainBoard(tmp_path)
    load = SysfsLoad(tmp_path, NvmlLoad())
    assert load.read() == Load(0.5)
    load.close()
    file = tmp_path / "sys/devices/gpu.0/load"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("317")
    load = SysfsLoad(tmp_path, NvmlLoad())
    assert load.read() == Load(0.317)
    assert nvml.open_users() == 0
