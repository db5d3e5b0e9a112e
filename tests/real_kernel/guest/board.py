"""The board as its kernel shows it, without any code of the library."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

CPU = Path("/sys/devices/system/cpu")
CLUSTERS = ((0, 1, 2, 3), (4, 5, 6, 7), (8, 9, 10, 11))
BPMP = Path("/sys/kernel/debug/bpmp/debug")

_SETTABLE = (
    (CPU, "cpu[0-9]*/online"),
    (CPU, "cpufreq/policy*/scaling_m[ai][xn]_freq"),
    (CPU, "cpufreq/policy*/scaling_governor"),
    (Path("/sys/class/devfreq"), "*/m[ai][xn]_freq"),
    (Path("/sys/class/devfreq"), "*/governor"),
    (BPMP, "clk/emc/mrq_rate_locked"),
    (Path("/sys/kernel"), "nvpmodel_*/*"),
)


def read(path: Path) -> str:
    """What a file says; the error in words if it cannot be read."""
    try:
        return path.read_text().strip()
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def settings() -> dict[str, str]:
    """What every file says that a power mode may set, as far as this user may look."""
    return {str(path): read(path) for folder, pattern in _SETTABLE for path in _visible(folder, pattern)}


def online() -> list[int]:
    """The CPUs that are online."""
    return [cpu for cluster in CLUSTERS for cpu in cluster if cpu == 0 or read(_switch(cpu)) == "1"]


def clocks_khz() -> dict[int, int]:
    """The clock of each cluster with a CPU that is online, by its first CPU."""
    policies = {cluster[0]: CPU / f"cpufreq/policy{cluster[0]}" for cluster in CLUSTERS}
    awake = {first: policy for first, policy in policies.items() if set(range(first, first + 4)) & set(online())}
    return {first: int(read(policy / "scaling_cur_freq")) for first, policy in awake.items()}


@contextmanager
def asleep(*cpus: int) -> Iterator[None]:
    """With these CPUs offline, as the stock mode of an AGX Orin has its third cluster."""
    for cpu in cpus:
        _switch(cpu).write_text("0")
    try:
        yield
    finally:
        for cpu in cpus:
            _switch(cpu).write_text("1")


@contextmanager
def throttled(state: int = 20) -> Iterator[None]:
    """With the first cluster held back by the kernel's own cooling device, as a hot board does."""
    device = next(
        path for path in sorted(Path("/sys/class/thermal").glob("cooling_device*")) if "cpufreq" in read(path / "type")
    )
    (device / "cur_state").write_text(str(state))
    time.sleep(0.1)
    try:
        yield
    finally:
        (device / "cur_state").write_text("0")
        time.sleep(0.1)


def wait_for(condition: Callable[[], bool], patience_s: float = 60.0) -> bool:
    """Whether something becomes true within some seconds of the board's time."""
    end_s = time.monotonic() + patience_s
    while time.monotonic() < end_s:
        if condition():
            return True
        time.sleep(0.1)
    return condition()


def helpers() -> list[int]:
    """The root helpers that run, without the sudo that started them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        pid = int(path.parent.name)
        try:
            line = path.read_bytes()
        except OSError:
            continue
        is_helper = b"powertrain-helper" in line or b"/roothelper" in line
        if is_helper and read(path.with_name("comm")) != "sudo":
            found.append(pid)
    return found


def _visible(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))
    except PermissionError:  # All of debugfs is closed to users.
        return []


def _switch(cpu: int) -> Path:
    return CPU / f"cpu{cpu}" / "online"
