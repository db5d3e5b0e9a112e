"""What the helper's caller hands on to it, and the signals that end it in good order."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from plain_board import PlainBoard, helper_command, process_of

from lightning_powertrain.devices.helper_client import HelperClient
from lightning_powertrain.devices.roothelper import process
from lightning_powertrain.devices.roothelper.process import ending_signals, leave_control_groups

ROOT = Path(__file__).parent.parent.parent
FIRST_SIGNALS = [number for number in ending_signals() if number < signal.SIGRTMIN]
LOW = {"cores": 2, "cpu_khz": 115200, "gpu_hz": 114750000, "emc_hz": 204000000}

HOSTILE = """
import contextlib, os, resource, signal, sys
for name, limit in (("CPU", 60), ("FSIZE", 1 << 20), ("DATA", 1 << 30), ("AS", 1 << 32), ("NOFILE", 32)):
    number = getattr(resource, "RLIMIT_" + name)
    resource.setrlimit(number, (limit, limit if "hard" in os.environ else resource.getrlimit(number)[1]))
os.nice(19)
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
os.umask(0)
for path, text in (("timerslack_ns", "1000000000"), ("oom_score_adj", "1000")):
    with contextlib.suppress(OSError):
        open("/proc/self/" + path, "w").write(text)
catchable = set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP}
for number in catchable:
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, catchable)
os.execv(sys.argv[1], sys.argv[1:])
"""


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def limits_of(pid: int) -> dict[str, list[str]]:
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()[1:]
    return {line[:26].strip(): line[26:].split()[:2] for line in lines}


@pytest.mark.parametrize("number", [*FIRST_SIGNALS, signal.SIGRTMIN, signal.SIGRTMAX])
def test_every_signal_that_can_be_caught_ends_it_in_good_order(tmp_path: Path, number: int) -> None:
    board = PlainBoard(tmp_path)
    before = board.settings()
    client = HelperClient([sys.executable, "-c", HOSTILE, *helper_command(tmp_path)])
    client.ask("hold")
    client.ask("apply", mode=LOW)
    assert board.settings() != before
    process_of(client).send_signal(number)
    assert process_of(client).wait(20) == 0
    assert board.settings() == before
    client.close()


def test_only_signals_of_a_broken_program_are_left_to_end_it_at_once() -> None:
    names = {signal.Signals(number).name for number in set(signal.valid_signals()) - set(ending_signals())}
    faults = {"SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP"}
    assert names == faults | {"SIGKILL", "SIGSTOP"} | {"SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH"}


def test_it_unblocks_signals_and_resets_its_umask(tmp_path: Path) -> None:
    PlainBoard(tmp_path)
    client = HelperClient([sys.executable, "-c", HOSTILE, *helper_command(tmp_path)])
    status = status_of(process_of(client).pid)
    assert int(status["SigBlk"], 16) == 0
    assert status["Umask"] == "0077"
    caught = int(status["SigCgt"], 16)
    assert all(caught >> (number - 1) & 1 for number in ending_signals())
    client.close()


def test_it_raises_limits_and_may_use_every_cpu(tmp_path: Path) -> None:
    PlainBoard(tmp_path)
    client = HelperClient([sys.executable, "-c", HOSTILE, *helper_command(tmp_path)])
    pid = process_of(client).pid
    own, limits = limits_of(os.getpid()), limits_of(pid)
    for name in ("Max cpu time", "Max file size", "Max data size", "Max address space"):
        assert limits[name] == [own[name][1]] * 2
    assert limits["Max open files"] == ["1024", "1024"]
    assert limits["Max core file size"] == ["0", "0"]
    assert os.sched_getaffinity(pid) == os.sched_getaffinity(0)
    client.close()


def has_capability(number: int) -> bool:
    return bool(int(status_of(os.getpid())["CapEff"], 16) >> number & 1)


@pytest.mark.skipif(not has_capability(23), reason="needs CAP_SYS_NICE")
def test_as_root_it_is_as_nice_as_others(tmp_path: Path) -> None:
    PlainBoard(tmp_path)
    client = HelperClient([sys.executable, "-c", HOSTILE, *helper_command(tmp_path)])
    pid = process_of(client).pid
    assert os.getpriority(os.PRIO_PROCESS, pid) == 0
    assert os.sched_getscheduler(pid) == os.SCHED_OTHER
    assert Path(f"/proc/{pid}/timerslack_ns").read_text() == "50000\n"
    client.close()


@pytest.mark.skipif(not has_capability(24), reason="needs CAP_SYS_RESOURCE")
def test_as_root_it_raises_hard_limits_and_lowers_its_oom_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("hard", "1")
    PlainBoard(tmp_path)
    client = HelperClient([sys.executable, "-c", HOSTILE, *helper_command(tmp_path)])
    pid = process_of(client).pid
    for name in ("Max cpu time", "Max file size", "Max data size", "Max address space"):
        assert limits_of(pid)[name] == ["unlimited", "unlimited"]
    assert Path(f"/proc/{pid}/oom_score_adj").read_text() == "-1000\n"
    client.close()


def test_a_service_that_may_neither_set_nor_read_limits_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Older versions of systemd count prlimit, which does both, among the calls that the unit forbids."""

    def forbidden(*arguments: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(process.resource, "setrlimit", forbidden)
    monkeypatch.setattr(process.resource, "getrlimit", forbidden)
    process._set_limit(process.resource.RLIMIT_CORE, 0)


def test_it_stops_the_timers_of_its_caller() -> None:
    code = (
        "import signal; timers = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)\n"
        "for timer in timers: signal.setitimer(timer, 3600)\n"
        "from lightning_powertrain.devices.roothelper.process import shed_inheritance; shed_inheritance()\n"
        "assert [signal.getitimer(timer) for timer in timers] == [(0, 0)] * 3"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, cwd=ROOT)


@pytest.fixture
def own_group(tmp_path: Path) -> Iterator[Path]:
    """A control group of version 2 that a process may be put into."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    folder = next((Path(mount[1]) / f"test-{os.getpid()}" for mount in mounts if mount[2] == "cgroup2"), None)
    try:
        if folder is None:
            raise FileNotFoundError
        folder.mkdir()
    except OSError:
        pytest.skip("no control group of version 2 can be made here")
    yield folder
    folder.rmdir()


def test_it_leaves_the_control_group_that_its_caller_may_freeze(own_group: Path) -> None:
    code = (
        "import sys; from pathlib import Path; group = Path(sys.argv[1])\n"
        "from lightning_powertrain.devices.roothelper.process import leave_control_groups\n"
        "(group / 'cgroup.procs').write_text('0'); inside = (group / 'cgroup.procs').read_text()\n"
        "leave_control_groups(group.parent); print(bool(inside), (group / 'cgroup.procs').read_text() == '')"
    )
    done = subprocess.run([sys.executable, "-c", code, own_group], check=True, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "True"]


def test_it_leaves_the_groups_of_every_hierarchy(tmp_path: Path) -> None:
    for hierarchy in ("freezer", "memory"):
        (tmp_path / hierarchy).mkdir()
        (tmp_path / hierarchy / "cgroup.procs").touch()
    leave_control_groups(tmp_path)
    assert [file.read_text() for file in sorted(tmp_path.glob("*/cgroup.procs"))] == ["0", "0"]


def test_a_package_that_is_reached_through_a_link_starts(tmp_path: Path) -> None:
    PlainBoard(tmp_path / "board")
    (tmp_path / "link").symlink_to(ROOT)
    python, flags, _, *arguments = helper_command(tmp_path / "board")
    folder = tmp_path / "link/lightning_powertrain/devices/roothelper"
    request = json.dumps({"do": "status"}) + "\n"
    done = subprocess.run(
        [python, flags, folder, *arguments], input=request, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["ok"]
