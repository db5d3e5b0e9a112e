"""Affinity around core hotplug: real threads and real DataLoader workers, on CPUs that a board of files takes away."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from plain_board import PlainBoard, helper_command
from torch.utils.data import DataLoader, Dataset

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import SysfsDevice
from lightning_powertrain.devices.affinity import Affinity, _allowed, _masks, forgetful_cpusets
from lightning_powertrain.devices.helper_client import HelperClient
from lightning_powertrain.devices.roothelper.reading import read_cpus

ALL = frozenset(os.sched_getaffinity(0))
FEW = frozenset(sorted(ALL)[:1])
OTHERS = ALL - FEW
ONLINE = "sys/devices/system/cpu/online"

pytestmark = pytest.mark.skipif(len(ALL) < 2, reason="one CPU alone cannot be taken away")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    for thread, _ in list(_masks()):
        with contextlib.suppress(ProcessLookupError):  # A thread that was joined may just be ending.
            os.sched_setaffinity(thread, ALL)


def set_online(root: Path, cpus: frozenset[int]) -> None:
    """Take CPUs offline, or back: as the kernel does, which shrinks every mask and never widens one."""
    (root / ONLINE).parent.mkdir(parents=True, exist_ok=True)
    (root / ONLINE).write_text(",".join(map(str, sorted(cpus))) + "\n")
    for thread, mask in list(_masks()):
        if mask - cpus:
            os.sched_setaffinity(thread, mask & cpus or cpus)


@pytest.fixture
def set_cpus(tmp_path: Path) -> Callable[[frozenset[int]], None]:
    def set_them(cpus: frozenset[int]) -> None:
        set_online(tmp_path, cpus)

    set_them(ALL)
    return set_them


@pytest.fixture
def affinity(tmp_path: Path, set_cpus: Callable[[frozenset[int]], None]) -> Affinity:
    affinity = Affinity(tmp_path)
    affinity.remember()
    return affinity


def own() -> frozenset[int]:
    return frozenset(os.sched_getaffinity(0))


def test_what_left_and_came_back_may_be_used_again(
    affinity: Affinity, set_cpus: Callable[[frozenset[int]], None]
) -> None:
    set_cpus(FEW)
    assert affinity.restore() == frozenset()
    assert own() in (FEW, ALL)
    os.sched_setaffinity(0, FEW)  # This kernel has its CPUs all the time; the one of the test has not.
    set_cpus(ALL)
    assert affinity.restore() == frozenset()
    assert own() == ALL


def test_a_mask_that_somebody_chose_is_left_alone(
    affinity: Affinity, set_cpus: Callable[[frozenset[int]], None]
) -> None:
    set_cpus(FEW)
    affinity.restore()
    set_cpus(ALL)
    os.sched_setaffinity(0, OTHERS)
    affinity.restore()
    assert own() == OTHERS


def test_a_thread_bound_to_cpus_that_left_gets_them_back(
    affinity: Affinity, set_cpus: Callable[[frozenset[int]], None]
) -> None:
    """The kernel moves it elsewhere; it must not stay there."""
    os.sched_setaffinity(0, OTHERS)
    affinity.remember()
    set_cpus(FEW)
    assert own() == FEW
    affinity.restore()
    set_cpus(ALL)
    affinity.restore()
    assert own() == OTHERS


def test_a_thread_that_started_meanwhile_gets_what_its_process_had(
    affinity: Affinity, set_cpus: Callable[[frozenset[int]], None]
) -> None:
    go, seen = threading.Event(), []

    def work() -> None:
        go.wait()
        seen.append(frozenset(os.sched_getaffinity(0)))

    set_cpus(FEW)
    os.sched_setaffinity(0, FEW)
    thread = threading.Thread(target=work)
    thread.start()
    affinity.restore()
    set_cpus(ALL)
    affinity.restore()
    go.set()
    thread.join()
    assert seen == [ALL]


class Scheduler:
    """Threads of a process in a control group of CPUs 0 to 5, with masks as they were measured on 5.10 and 6.1.

    Args:
        masks: Of each thread.
        forgets: Whether the group does not get CPUs back: version 1.
    """

    def __init__(self, masks: dict[int, frozenset[int]], forgets: bool) -> None:
        self.masks = masks
        self.allowed = frozenset(range(6))
        self._forgets = forgets

    def plug(self, online: frozenset[int]) -> None:
        self.allowed = online & self.allowed if self._forgets else online
        self.masks = dict.fromkeys(self.masks, self.allowed)

    def bind(self, thread: int, cpus: frozenset[int]) -> None:
        if not cpus & self.allowed:
            raise OSError(22, "Invalid argument")
        self.masks[thread] = cpus & self.allowed


@pytest.fixture
def scheduler(request: pytest.FixtureRequest) -> Iterator[Scheduler]:
    process = os.getpid()
    masks = {process: range(6), 1001: (0, 4), 1002: (4, 5), 1003: (0, 1)}
    scheduler = Scheduler({thread: frozenset(cpus) for thread, cpus in masks.items()}, forgets=request.param)
    module = "lightning_powertrain.devices.affinity"
    with pytest.MonkeyPatch.context() as patch:  # Undone before other fixtures see real threads.
        patch.setattr(f"{module}._masks", lambda: iter(list(scheduler.masks.items())))
        patch.setattr(f"{module}._mask", lambda thread: scheduler.masks[thread])
        patch.setattr(f"{module}._allowed", lambda: scheduler.allowed)
        patch.setattr(os, "sched_setaffinity", scheduler.bind)
        yield scheduler


@pytest.mark.parametrize("scheduler", [False], indirect=True, ids=["v2"])
def test_a_bound_thread_in_a_control_group_is_bound_again(tmp_path: Path, scheduler: Scheduler) -> None:
    """There every plugging gives all threads all CPUs of the group, bound or not."""
    bound = dict(scheduler.masks)
    affinity = Affinity(tmp_path)
    affinity.remember()
    (tmp_path / ONLINE).parent.mkdir(parents=True)
    for online in (range(4), range(6)):
        (tmp_path / ONLINE).write_text(f"0-{online[-1]}\n")
        scheduler.plug(frozenset(online))
        assert affinity.restore() == frozenset()
        now = {thread: cpus & frozenset(online) or scheduler.allowed for thread, cpus in bound.items()}
        assert scheduler.masks == now
    assert scheduler.masks == bound


@pytest.mark.parametrize("scheduler", [True], indirect=True, ids=["v1"])
def test_a_control_group_that_forgets_cpus_binds_to_what_it_has(tmp_path: Path, scheduler: Scheduler) -> None:
    affinity = Affinity(tmp_path)
    affinity.remember()
    (tmp_path / ONLINE).parent.mkdir(parents=True)
    for online, lost in ((range(4), ()), (range(6), (4, 5))):
        (tmp_path / ONLINE).write_text(f"0-{online[-1]}\n")
        scheduler.plug(frozenset(online))
        assert affinity.restore() == frozenset(lost)
    assert scheduler.masks[1001] == {0}
    assert scheduler.masks[1003] == {0, 1}
    assert scheduler.masks[1002] == scheduler.allowed, "the group has lost both of its CPUs"


def test_what_the_control_group_allows_is_asked_without_a_trace() -> None:
    os.sched_setaffinity(0, FEW)
    assert _allowed() == ALL
    assert own() == FEW


def test_cpus_that_a_control_group_keeps_are_named(
    affinity: Affinity, set_cpus: Callable[[frozenset[int]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_cpus(FEW)
    affinity.restore()
    os.sched_setaffinity(0, FEW)
    set_cpus(ALL)

    def refuse(thread: int, cpus: object) -> None:
        raise OSError(22, "Invalid argument")

    with monkeypatch.context() as patch:
        patch.setattr(os, "sched_setaffinity", refuse)
        assert affinity.restore() == OTHERS


def test_control_groups_that_forget_cpus(tmp_path: Path) -> None:
    """As Docker makes them under version 1; under version 2, and outside of containers, there are none."""
    assert forgetful_cpusets(tmp_path) == ()
    cgroup = tmp_path / "proc/self/cgroup"
    cgroup.parent.mkdir(parents=True)
    cgroup.write_text("0::/user.slice\n")
    assert forgetful_cpusets(tmp_path) == ()
    cgroup.write_text("9:cpu,cpuacct:/user\n8:cpuset:/\n")
    for group in (".", "docker", "docker/abc"):
        (tmp_path / "sys/fs/cgroup/cpuset" / group).mkdir(parents=True, exist_ok=True)
        (tmp_path / "sys/fs/cgroup/cpuset" / group / "cpuset.cpus").write_text("0-7\n")
    assert forgetful_cpusets(tmp_path) == ("/docker", "/docker/abc")
    cgroup.write_text("9:cpu,cpuacct:/user\n8:cpuset:/docker/def\n")
    assert forgetful_cpusets(tmp_path) == ("/docker", "/docker/abc", "/docker/def")


class WhereAmI(Dataset[torch.Tensor]):
    """Each item is how many CPUs the worker may use."""

    def __len__(self) -> int:
        return 100_000

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.tensor(len(os.sched_getaffinity(0)))


class Kernel(HelperClient):
    """Masks shrink as cores of the board leave: its first half stands for the first CPU here, the rest for others."""

    root: Path

    def ask(self, do: str, **fields: Any) -> Any:
        answer = super().ask(do, **fields)
        cores = self.root / "sys/devices/system/cpu"
        awake = [cpu for cpu in range(8) if (cores / f"cpu{cpu}/online").read_text().strip() == "1"]
        set_online(self.root, ALL if len(awake) > 4 else FEW)
        return answer


def test_workers_of_a_data_loader_are_as_before_once_cores_return(tmp_path: Path) -> None:
    board = PlainBoard(tmp_path)
    Kernel.root = tmp_path
    threads = torch.get_num_threads()
    device = SysfsDevice(tmp_path, lambda: Kernel(helper_command(tmp_path)))
    batches = iter(DataLoader(WhereAmI(), batch_size=1, num_workers=2, prefetch_factor=1))
    assert [int(next(batches)) for _ in range(4)] == [len(ALL)] * 4
    device.apply(PowerMode(**{**device.modes.highest, "cores": 2}))
    assert read_cpus(board.root / ONLINE) == tuple(FEW)
    assert torch.get_num_threads() == threads
    device.restore()
    for _ in range(4):  # What was loaded before.
        next(batches)
    assert [int(next(batches)) for _ in range(4)] == [len(ALL)] * 4
    assert own() == ALL
    assert torch.get_num_threads() == threads
    device.close()
    del batches
