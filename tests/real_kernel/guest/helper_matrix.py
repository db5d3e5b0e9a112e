"""Whatever dies or throttles, and however the helper is reached, modes are set and the board is restored."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest
from board import CLUSTERS, asleep, clocks_khz, helpers, online, read, settings, throttled, wait_for
from client import Client

from lightning_powertrain.errors import DeviceError

# Whole clusters fall asleep and wake in them, and so do single CPUs.
MODES = (
    {"cores": 12, "cpu_khz": 2201600, "gpu_hz": 1300500000, "emc_hz": 3199000000},
    {"cores": 11, "cpu_khz": 1497600, "gpu_hz": 816000000, "emc_hz": 2133000000},
    {"cores": 8, "cpu_khz": 1190400, "gpu_hz": 612000000, "emc_hz": 2133000000},
    {"cores": 4, "cpu_khz": 729600, "gpu_hz": 510000000, "emc_hz": 665600000},
    {"cores": 1, "cpu_khz": 422400, "gpu_hz": 408000000, "emc_hz": 204000000},
    {"cores": 8, "cpu_khz": 1036800, "gpu_hz": 714000000, "emc_hz": 665600000},
    {"cores": 12, "cpu_khz": 2112000, "gpu_hz": 1224000000, "emc_hz": 3199000000},
)
LOWEST = {"cores": 1, "cpu_khz": 115200, "gpu_hz": 306000000, "emc_hz": 204000000}

Start = Callable[..., Client]


@pytest.fixture
def client(user: str) -> Iterator[Start]:
    """Starts clients, and ends those that a test left."""
    clients: list[Client] = []

    def start(cgroup: str | None = None, bound_to: set[int] | None = None) -> Client:
        clients.append(Client(user, cgroup, bound_to))
        assert clients[-1].helper_error is None
        return clients[-1]

    yield start
    for each in clients:
        each.close()


def set_all_modes(client: Client) -> None:
    for mode in MODES:
        assert client.ask("apply", mode) == mode
        assert online() == list(range(mode["cores"]))
        assert set(clocks_khz().values()) == {mode["cpu_khz"]}


def test_every_mode_is_set_as_asked_and_the_board_restored(client: Start) -> None:
    before = settings()
    job = client()
    assert {name: len(values) for name, values in job.ask("tables").items()} == {
        "cores": 12,
        "cpu_khz": 29,
        "gpu_hz": 11,
        "emc_hz": 4,
    }
    set_all_modes(job)
    job.ask("restore")
    assert settings() == before


def test_power_follows_the_mode(client: Start) -> None:
    job = client()
    job.ask("apply", MODES[0])
    highest_w = job.ask("power_w")
    job.ask("apply", LOWEST)
    assert 5 < job.ask("power_w") < highest_w / 2
    job.ask("restore")


def test_a_cluster_that_sleeps_at_the_start_is_woken_and_put_to_sleep_again(client: Start) -> None:
    with asleep(*CLUSTERS[2]):
        before = settings()
        job = client()
        assert len(job.ask("tables")["cpu_khz"]) == 29
        set_all_modes(job)
        job.ask("restore")
        assert settings() == before


def test_a_killed_client_leaves_the_board_as_it_was(client: Start) -> None:
    before = settings()
    job = client()
    job.ask("apply", LOWEST)
    assert settings() != before
    job.kill()
    assert wait_for(lambda: settings() == before)
    assert wait_for(lambda: not helpers())


def test_a_killed_helper_leaves_the_board_as_it_was(client: Start) -> None:
    before = settings()
    job = client()
    job.ask("apply", LOWEST)
    for pid in helpers():
        os.kill(pid, signal.SIGKILL)
    job.ask("restore")
    assert settings() == before


def test_a_killed_client_and_a_killed_helper_leave_a_board_that_the_next_job_restores(client: Start) -> None:
    before = settings()
    job = client()
    job.ask("apply", LOWEST)
    for pid in helpers():
        os.kill(pid, signal.SIGSTOP)
    job.kill()
    for pid in helpers():
        os.kill(pid, signal.SIGKILL)
    client().ask("current_mode")
    assert wait_for(lambda: settings() == before)


def test_a_board_that_throttles_is_left_alone_until_it_is_cool(client: Start) -> None:
    before = settings()
    with throttled():
        hot = settings()
        job = client()
        with pytest.raises(DeviceError, match="throttles"):
            job.ask("apply", LOWEST)
        assert settings() == hot
    assert job.ask("apply", LOWEST) == LOWEST
    job.ask("restore")
    assert settings() == before


def test_a_board_that_throttles_while_it_is_restored_counts_as_restored(client: Start) -> None:
    before = settings()
    job = client()
    job.ask("apply", MODES[0])
    with throttled():
        assert "cpu" in " ".join(job.ask("throttled_by"))
        job.ask("restore")
    assert settings() == before


@pytest.mark.parametrize("bound_to", [{0, 4}, {8, 9}])
def test_threads_in_a_control_group_get_their_cpus_back(client: Start, control_group: str, bound_to: set[int]) -> None:
    before = settings()
    job = client(cgroup=control_group, bound_to=bound_to)
    masks = job.ask("masks")
    assert masks == (set(range(12)), bound_to)
    job.ask("apply", MODES[3])
    job.ask("apply", MODES[0])
    if Path(control_group, "cpuset.effective_cpus").exists():
        # Version 1 forgets CPUs that were offline; docs/containers.md prints the command that gives them back.
        Path(control_group, "cpuset.cpus").write_text(read(Path("/sys/fs/cgroup/cpuset/cpuset.cpus")))
    job.ask("restore")
    assert settings() == before
    assert job.ask("masks") == masks
