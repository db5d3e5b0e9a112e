"""The device of this library as anybody's device is tested, on a kernel that nobody here wrote, by an ordinary user."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from board import settings

from lightning_powertrain.devices import SysfsDevice
from lightning_powertrain.testing import DeviceConformance


@pytest.fixture(scope="module", autouse=True)
def _ordinary_user() -> Iterator[None]:
    subprocess.run(["powertrain", "setup-helper", "--user", "alice"], check=True)
    alice = pwd.getpwnam("alice")
    os.initgroups("alice", alice.pw_gid)
    os.setresgid(alice.pw_gid, alice.pw_gid, 0)
    os.setresuid(alice.pw_uid, alice.pw_uid, 0)
    yield
    os.setresuid(0, 0, 0)
    os.setresgid(0, 0, 0)


class TestSysfsDevice(DeviceConformance):
    @pytest.fixture
    def device(self) -> Iterator[SysfsDevice]:  # type: ignore[override]
        device = SysfsDevice()
        assert device.helper_error is None
        yield device
        device.close()

    def settings(self, device: SysfsDevice) -> object:  # type: ignore[override]
        return settings()


def test_it_ran_as_an_ordinary_user() -> None:
    assert os.geteuid() == 1000
    assert not os.access("/sys/kernel/debug", os.R_OK)
    assert Path("/home/alice").owner() == "alice"
