"""Fixtures that all tests share."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterator
from functools import partialmethod
from itertools import count
from pathlib import Path

# Small matrices gain nothing from threads, and threads that wait for each other on busy cores cost a lot. Set before
# torch and numpy are loaded, and inherited by the processes that tests start. No cache of profiles for fixtures that
# outlive a test and tests that undo their patches, or it would be the one of whoever runs the tests.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", POWERTRAIN_CACHE="off")

import pytest
from fakes import TINY, FakeDevice, Oracle, true_power_w, true_time_ms
from hypothesis import settings
from leftovers import left_since, running
from typer.testing import CliRunner

from lightning_powertrain import logs
from lightning_powertrain.devices import ComputingCost, simulated
from lightning_powertrain.profiling import sensor_noise

# Simulated boards are repeatable to the last digit where computing takes no time.
simulated.COMPUTING = ComputingCost(factor=0.0)

# Before click 8.2 a runner mixes stderr into stdout unless it is told not to.
if "mix_stderr" in inspect.signature(CliRunner.__init__).parameters:
    CliRunner.__init__ = partialmethod(CliRunner.__init__, mix_stderr=False)  # type: ignore[method-assign,assignment]

_TESTS = Path(__file__).parent
_numbers = count()

# Doctests are looked for in every file, but two of the same name cannot both be imported as one.
collect_ignore_glob = ["conftest.py", "*/conftest.py"]

# Property tests try the same examples every time, and none of them is timed.
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")


# Whole jobs, searches and virtual boards, and programs in processes of their own; the others are the unit tests:
# pytest -m "not slow". The longest come first: with xdist's loadfile, whichever file starts last decides when all ends.
_SLOW = [
    "survival",
    "callbacks",
    "test_examples.py",
    "cli",
    "docs",
    "frameworks",
    "test_script_tuning.py",
    "test_cached_scripts.py",
    "test_huggingface_scripts.py",
    "test_tutorials.py",
    "test_packages.py",
    "evaluation",
    "test_nvidia_torch.py",
    "test_drift.py",
    "test_drift_on_simulated_boards.py",
    "test_conformance.py",
    "test_sysfs.py",
    "test_sysfs_trouble.py",
    "test_roothelper_server.py",
    "test_roothelper_kept.py",
    "test_roothelper_recovery.py",
    "test_paper_fitting.py",
    "test_paper_transfer.py",
    "test_board_sequences.py",
    "test_sysfs_throttling.py",
    "test_search.py",
    "test_warm_start.py",
    "test_outdated_history.py",
    "test_advice.py",
    "test_warm_board.py",
    "test_time_left.py",
    "test_diagnosis.py",
    "characterization",
    "test_html_report.py",
    "test_report_in_a_browser.py",
    "test_layout.py",
    "test_loggers.py",
    "test_tensorboard.py",
    "test_roothelper_fuzz.py",
    "test_roothelper_faults.py",
    "test_failing_processes.py",
    "test_track.py",
    "test_board_of_a_script.py",
    "test_program.py",
]


def _place(path: Path) -> int:
    """Where a file stands among the slow ones; after them if it is none."""
    parts = path.relative_to(_TESTS).parts if _TESTS in path.parents else ()
    return min((_SLOW.index(part) for part in parts if part in _SLOW), default=len(_SLOW))


def _is_slow(path: Path) -> bool:
    return _place(path) < len(_SLOW)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The unit tests do not even import the others, nor modules without a doctest, and with them Lightning."""
    if config.option.markexpr != "not slow":
        return None
    return True if _is_slow(collection_path) or _has_no_tests(collection_path) else None


def _has_no_tests(path: Path) -> bool:
    """Whether a file is one of the package, and without a doctest."""
    is_of_package = path.suffix == ".py" and _TESTS not in path.parents
    return is_of_package and ">>>" not in path.read_text(encoding="utf-8")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if _is_slow(item.path):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: _place(item.path))


@pytest.fixture(autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of profiles of its own for each test, and for the processes that it starts; made when it is needed."""
    folder = tmp_path_factory.getbasetemp() / f"profile-cache-{next(_numbers)}"
    monkeypatch.setenv("POWERTRAIN_CACHE", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _nothing_was_warned_of() -> None:
    """What a process warns of once, each test may see."""
    logs._given_once.clear()


@pytest.fixture(autouse=True)
def _nothing_is_left_running() -> Iterator[None]:
    """No test leaves a thread or a child process behind, whether it passes or fails."""
    before = running()
    yield
    assert left_since(before) == []


@pytest.fixture
def device() -> FakeDevice:
    return FakeDevice()


@pytest.fixture
def oracle() -> Oracle:
    return Oracle()


@pytest.fixture
def quick_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The paper's networks train for one epoch instead of a hundred, for tests of what is around them."""
    from lightning_powertrain.prediction.baselines.paper import fitting, training

    train = training.train
    monkeypatch.setattr(fitting, "train", lambda *some, epochs, rows: train(*some, epochs=1, rows=1))


@pytest.fixture
def brute_force() -> Callable[[float], tuple[float, float]]:
    """Time and power of the fastest mode of the tiny board that is within a power limit for sure, by trying all."""

    def fastest(limit_w: float) -> tuple[float, float]:
        costs = [(float(t), float(p)) for t, p in zip(true_time_ms(TINY.modes.array), true_power_w(TINY.modes.array))]
        return min(cost for cost in costs if cost[1] * (1 + sensor_noise(cost[1])) <= limit_w)

    return fastest


@pytest.fixture
def tiny(device: FakeDevice, oracle: Oracle, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDevice]:
    """The tiny board and a predictor that knows it, so that what a callback does is known exactly."""
    monkeypatch.setattr("lightning_powertrain.tuning.options.default_predictor", lambda reference, seed: oracle)
    device.settle_s = 0.2
    yield device
    assert device.mode == device.found, "the board was not restored"
