"""``powertrain apply`` and ``powertrain restore`` as people type them: a power mode that stays without a job."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from board import clocks_khz, helpers, online, settings, throttled, wait_for
from client import Client
from commands import powertrain

MODE = "4 cores, cpu 729.6 MHz, gpu 510 MHz, emc 665.6 MHz"
LOWEST = {"cores": 1, "cpu_khz": 115200, "gpu_hz": 306000000, "emc_hz": 204000000}
STATE = Path("/run/lightning-powertrain")


@pytest.fixture(scope="module", autouse=True)
def _alice_may_set_modes() -> Iterator[None]:
    assert powertrain("setup-helper", "--user", "alice").returncode == 0
    yield
    assert powertrain("setup-helper", "--remove").returncode == 0


@pytest.fixture
def kept() -> Iterator[dict[str, str]]:
    """What the board's files say in a mode that was applied."""
    before = settings()
    done = powertrain("apply", MODE, user="alice")
    assert done.returncode == 0
    assert f"The board stays in {MODE}" in done.stdout
    found = settings()
    assert found != before
    yield found
    assert powertrain("restore", user="alice").returncode == 0
    assert settings() == before


def test_the_mode_stays_when_nothing_of_us_runs(kept: dict[str, str]) -> None:
    assert wait_for(lambda: not helpers())
    assert settings() == kept
    assert online() == [0, 1, 2, 3]
    assert clocks_khz() == {0: 729600}


def test_a_mode_applied_after_it_is_reverted_to_the_time_before_both(kept: dict[str, str]) -> None:
    assert powertrain("apply", MODE.replace("4 cores", "6 cores"), user="alice").returncode == 0
    assert online() == list(range(6))


def test_a_job_returns_to_the_mode_also_if_it_is_killed(kept: dict[str, str]) -> None:
    job = Client("alice")
    assert job.ask("apply", LOWEST) == LOWEST
    assert settings() != kept
    job.kill()
    assert wait_for(lambda: settings() == kept)
    assert wait_for(lambda: not helpers())


def test_while_a_job_holds_the_board_nothing_is_applied_or_restored(kept: dict[str, str]) -> None:
    job = Client("alice")
    job.ask("apply", LOWEST)
    held = settings()
    for command in (("apply", MODE), ("restore",)):
        done = powertrain(*command, user="alice")
        assert done.returncode == 1
        assert "another process holds this board" in done.stderr
    assert settings() == held
    job.ask("restore")
    job.close()
    assert settings() == kept


def test_nothing_is_applied_while_the_board_throttles() -> None:
    with throttled():
        hot = settings()
        done = powertrain("apply", MODE, user="alice")
        assert done.returncode == 1
        assert "throttles" in done.stderr
        assert settings() == hot


def test_values_that_the_board_lacks_and_users_without_the_right_change_nothing() -> None:
    before = settings()
    assert powertrain("apply", MODE.replace("510", "511"), user="alice").returncode == 2
    assert powertrain("apply", MODE, user="bob").returncode == 1
    assert settings() == before


def test_what_leads_back_is_in_memory_alone(kept: dict[str, str]) -> None:
    """As are the settings, which live in the kernel: neither outlives a reboot."""
    mount = subprocess.run(["findmnt", "-no", "FSTYPE", "-T", str(STATE)], capture_output=True, text=True, check=True)
    assert mount.stdout.strip() == "tmpfs"
    assert any(STATE.iterdir())
