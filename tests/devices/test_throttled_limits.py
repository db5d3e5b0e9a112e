"""Limits that read lower than they were set, because the kernel's own cooling devices are at work."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Callable

import pytest
from plain_board import PlainBoard, start_helper
from virtual_board import MountedBoard

from lightning_powertrain.devices import SysfsDevice, sysfs
from lightning_powertrain.devices.diagnosis import _ON_A_JETSON, _check_heat
from lightning_powertrain.devices.facts import Facts
from lightning_powertrain.devices.helper_client import HelperClient
from lightning_powertrain.devices.roothelper import switching
from lightning_powertrain.devices.roothelper.heat import lowering
from lightning_powertrain.devices.roothelper.knobs import Knobs
from lightning_powertrain.devices.roothelper.server import STATE, Keeper
from lightning_powertrain.devices.roothelper.snapshot import Store
from lightning_powertrain.errors import DeviceError

Mount = Callable[..., MountedBoard]

COOLING = {"tx2-jp4": "thermal-cpufreq-0", "orin-agx-jp5": "thermal-cpufreq-0", "orin-agx-jp6": "cpufreq-cpu0"}
POLICY0 = "/sys/devices/system/cpu/cpufreq/policy0"
SNAPSHOT = f"/{STATE}/snapshot.json"


def add_cooling_device(board: PlainBoard, kind: str, state: str) -> Path:
    folder = board.root / "sys/class/thermal/cooling_device0"
    folder.mkdir(parents=True)
    (folder / "type").write_text(f"{kind}\n")
    (folder / "cur_state").write_text(f"{state}\n")
    return folder / "cur_state"


def highest(client: HelperClient) -> dict[str, int]:
    return {name: knob["values"][-1] for name, knob in client.ask("status")["knobs"].items()}


@pytest.mark.parametrize(
    ("kind", "state", "lowers"),
    [
        ("thermal-cpufreq-0", "3", True),
        ("cpufreq-cpu4", "1", True),
        ("devfreq-17000000.gpu", "1", True),
        ("cpufreq-cpu4", "0", False),
        ("cpu-throttle-alert", "1", False),
        ("pwm-fan", "2", False),
        ("cpufreq-cpu4", "nonsense", False),
    ],
)
def test_only_the_kernels_own_cooling_devices_lower_limits(tmp_path: Path, kind: str, state: str, lowers: bool) -> None:
    add_cooling_device(PlainBoard(tmp_path), kind, state)
    assert lowering(tmp_path) == ((kind,) if lowers else ())


@pytest.mark.parametrize("name", ["orin-agx-jp5", "orin-agx-jp6"])
@pytest.mark.parametrize("state", [3, 20, 28])
def test_a_restore_while_hot_is_done_when_the_writes_were_taken(virtual_board: Mount, name: str, state: int) -> None:
    board = virtual_board(name)
    before = board.settings()
    client = start_helper(board.root)
    client.ask("hold")
    client.ask("apply", mode=highest(client))
    board.throttle(state, COOLING[name])
    assert client.ask("restore")["differing"] == []
    assert not board.path(SNAPSHOT).exists()
    client.close()
    board.throttle(0, COOLING[name])
    assert board.settings() == before
    assert board.read(f"{POLICY0}/scaling_max_freq") == before[f"{POLICY0}/scaling_max_freq"]


def test_a_limit_that_reads_right_only_by_heat_is_written_all_the_same(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp6")
    table = board.read(f"{POLICY0}/scaling_available_frequencies").split()
    board.write(f"{POLICY0}/scaling_max_freq", table[8])
    before = board.settings()
    client = start_helper(board.root)
    client.ask("hold")
    client.ask("apply", mode=highest(client))
    board.throttle(len(table) - 1 - 8, COOLING["orin-agx-jp6"])
    assert board.read(f"{POLICY0}/scaling_max_freq") == table[8]
    assert client.ask("restore")["differing"] == []
    client.close()
    board.throttle(0, COOLING["orin-agx-jp6"])
    assert board.settings() == before


@pytest.mark.parametrize("name", ["orin-agx-jp5", "orin-agx-jp6"])
def test_a_write_that_is_refused_while_hot_is_named(virtual_board: Mount, name: str) -> None:
    board = virtual_board(name)
    before = board.settings()
    client = start_helper(board.root)
    client.ask("hold")
    client.ask("apply", mode=highest(client))
    board.throttle(20, COOLING[name])
    board.fail(f"{POLICY0}/scaling_max_freq", errno.EIO)
    assert [Path(path).name for path in client.ask("restore")["differing"]] == ["scaling_max_freq"]
    board.clear_faults()
    board.throttle(0, COOLING[name])
    client.close()
    assert board.settings() == before


def test_what_an_old_kernel_refuses_while_hot_is_restored_once_it_is_cool(virtual_board: Mount) -> None:
    """Kernel 4.9 refuses a minimum above what the throttled maximum shows."""
    board = virtual_board("tx2-jp4", preset="MAXN")
    board.write(f"{POLICY0}/scaling_min_freq", board.read(f"{POLICY0}/scaling_max_freq"))
    before = board.settings()
    client = start_helper(board.root)
    client.ask("hold")
    lowest = {name: knob["values"][0] for name, knob in client.ask("status")["knobs"].items()}
    client.ask("apply", mode=lowest)
    board.throttle(5, COOLING["tx2-jp4"])
    mode = highest(client)
    read = client.ask("apply", mode=mode)["mode"]
    assert {name for name in mode if read[name] != mode[name]} == {"a57_khz"}
    assert [Path(path).name for path in client.ask("restore")["differing"]] == ["scaling_min_freq"]
    board.throttle(0, COOLING["tx2-jp4"])
    assert client.ask("restore")["differing"] == []
    client.close()
    assert board.settings() == before


@pytest.mark.parametrize("name", ["tx2-jp4", "orin-agx-jp5", "orin-agx-jp6"])
def test_a_throttled_limit_is_never_saved(virtual_board: Mount, name: str) -> None:
    board = virtual_board(name)
    before = board.settings()
    board.throttle(5, COOLING[name])
    client = start_helper(board.root)
    with pytest.raises(DeviceError, match=rf"could not hold: .*throttles \({COOLING[name]}\).*let it cool down"):
        client.ask("hold")
    with pytest.raises(DeviceError, match="hold the board first"):
        client.ask("apply", mode=highest(client))
    assert not board.path(SNAPSHOT).exists()
    board.throttle(0, COOLING[name])
    client.ask("hold")
    client.ask("apply", mode=highest(client))
    client.close()
    assert board.settings() == before


def test_a_cluster_that_throttles_when_it_wakes_is_not_saved_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The board is cool until the sleeping cluster is woken to be looked at."""
    board = PlainBoard(tmp_path)
    (tmp_path / "sys/devices/system/cpu/cpufreq/policy4/affected_cpus").write_text("\n")
    state = add_cooling_device(board, "cpufreq-cpu4", "0")
    before = board.settings()
    wake_all = switching.wake_all

    def wake_and_heat(knobs: Knobs) -> None:
        wake_all(knobs)
        state.write_text("4\n")

    monkeypatch.setattr(switching, "wake_all", wake_and_heat)
    keeper = Keeper(tmp_path, Store(tmp_path / STATE, tmp_path))
    assert "throttles (cpufreq-cpu4)" in keeper.answer(b'{"do": "hold"}')["error"]
    assert "hold the board first" in keeper.answer(b'{"do": "apply", "mode": {"cores": 2}}')["error"]
    assert not (tmp_path / STATE / "snapshot.json").exists()
    state.write_text("0\n")
    assert board.settings() == before


def test_a_job_that_starts_hot_waits_for_the_board_to_cool(
    virtual_board: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = virtual_board("orin-agx-jp6")
    before = board.settings()
    device = SysfsDevice(board.root, lambda: start_helper(board.root))
    board.throttle(5, "cpufreq-cpu4")
    waited: list[float] = []

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 3:
            board.throttle(0, "cpufreq-cpu4")

    monkeypatch.setattr(sysfs.time, "sleep", sleep)
    device.apply(device.modes.highest)
    assert len(waited) == 3
    device.close()
    assert board.settings() == before


def test_a_job_that_starts_on_a_board_that_stays_hot_says_so(
    virtual_board: Mount, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = virtual_board("orin-agx-jp6")
    before = board.settings()
    device = SysfsDevice(board.root, lambda: start_helper(board.root))
    board.throttle(5, "cpufreq-cpu4")
    monkeypatch.setattr(sysfs, "COOLING_S", 0.0)
    with pytest.raises(
        DeviceError, match=r"throttles \(cpufreq-cpu4\): its clock limits read lower than they were set"
    ):
        device.snapshot()
    device.close()
    assert board.settings() == before


def test_one_throttled_policy_of_three_is_seen_when_a_mode_is_read_back(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp6")
    client = start_helper(board.root)
    client.ask("hold")
    board.throttle(20, "cpufreq-cpu4")
    mode = highest(client)
    assert client.ask("apply", mode=mode)["mode"] == {**mode, "cpu_khz": 729600}
    client.close()


def test_doctor_says_that_limits_read_lower(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp6")
    assert list(_check_heat(Facts(jetson=True, lowering=lowering(board.root)))) == []
    board.throttle(5, "cpufreq-cpu4")
    (finding,) = _check_heat(Facts(jetson=True, lowering=lowering(board.root)))
    assert (finding.check, finding.status) == ("heat", "warn")
    assert "cpufreq-cpu4" in finding.text
    assert _check_heat in _ON_A_JETSON
