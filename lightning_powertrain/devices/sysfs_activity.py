"""How busy a Jetson is, from sysfs and procfs; whatever cannot be read is left out."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

from lightning_powertrain.devices.activity import CpuTimes, Load
from lightning_powertrain.devices.nvml_load import NvmlLoad
from lightning_powertrain.devices.roothelper.discovery import gpu_folder
from lightning_powertrain.devices.roothelper.reading import read_number

_log = logging.getLogger(__name__)

GPU_LOADS = (
    "sys/devices/gpu.0/load",
    "sys/devices/platform/bus@0/17000000.gpu/load",
    "sys/devices/platform/host1x/17000000.gv11b/load",
)
"""Permille of the time in which the GPU was busy: JetPack 4 and 5, JetPack 6, Xavier. Thor has none."""

EMC_ACTIVITIES = ("sys/kernel/actmon_avg_activity/mc_all", "sys/kernel/debug/cactmon/mc_all")
"""Thousands of active cycles a second: JetPack 4, for everybody; JetPack 6, for root."""

_PROCESSES = Path("/proc")
_TICKS_PER_S = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
# Columns of a line of /proc/stat (proc(5)): user, nice, system, irq, softirq and steal are busy; idle and iowait not.
_BUSY = (0, 1, 2, 5, 6, 7)
# Fields of /proc/PID/stat behind the name of the command: parent, and utime, stime, cutime, cstime.
_PARENT, _TIMES = 1, slice(11, 15)


class SysfsLoad:
    """The files of a board that show how busy its GPU and its memory are.

    They are looked for at the first reading: the GPU's own may appear only once a program uses it.

    Args:
        root: Where the board's file systems are.
        nvml: Shows the load of a GPU without such a file; None for nothing.
    """

    def __init__(self, root: Path, nvml: NvmlLoad | None = None) -> None:
        self._root = root
        self._nvml = nvml
        self._files: tuple[Path | None, Path | None] | None = None

    def read(self) -> Load:
        """How busy the board is now."""
        if self._files is None:
            self._files = self._found()
        permille, emc_khz = (None if file is None else read_number(file) for file in self._files)
        gpu = None if permille is None else min(max(permille / 1e3, 0.0), 1.0)
        if self._nvml is not None and self._files[0] is None:
            gpu = self._nvml.read()
        return Load(gpu, None if emc_khz is None or emc_khz < 0 else emc_khz * 1e3)

    def close(self) -> None:
        """Close what reads the load of the GPU."""
        if self._nvml is not None:
            self._nvml.close()

    def _found(self) -> tuple[Path | None, Path | None]:
        gpu = gpu_folder(self._root)
        loads = ([] if gpu is None else [gpu / "device/load"]) + [self._root / path for path in GPU_LOADS]
        return _first(loads, "load of the GPU"), _first([self._root / path for path in EMC_ACTIVITIES], "EMC activity")


def _first(files: list[Path], what: str) -> Path | None:
    readable = next((file for file in files if read_number(file) is not None), None)
    if readable is None:
        _log.debug("PowerTrain: this board does not show the %s to this user", what)
    return readable


def read_cpu_times(root: Path) -> CpuTimes:
    """CPU seconds of the board's cores, of this process and of its children."""
    return CpuTimes(core_times_s(root), time.process_time(), children_s())


def core_times_s(root: Path) -> dict[int, float]:
    """Seconds in which each online core was busy since the board booted; empty if they cannot be read."""
    busy = {}
    for line in _text(root / "proc/stat").splitlines():
        name, *columns = line.split() or [""]
        if name.startswith("cpu") and name[3:].isdigit() and all(map(str.isdigit, columns)):
            ticks = [int(columns[column]) for column in _BUSY if column < len(columns)]
            busy[int(name[3:])] = sum(ticks) / _TICKS_PER_S
    return busy


def children_s() -> float | None:
    """CPU seconds of all child processes of this one, those that have ended included; None if not known."""
    if not _PROCESSES.is_dir():
        return None
    ended = os.times()
    living = [_fields(pid)[_TIMES] for pid in _children()]
    ticks = sum(int(each) for times in living for each in times if each.isdigit())
    return ended.children_user + ended.children_system + ticks / _TICKS_PER_S


def _children() -> Iterator[str]:
    """Process numbers of the living children: as the kernel lists them, or else found among all processes."""
    lists = list(_PROCESSES.glob("self/task/*/children"))
    if lists:
        for children in lists:
            yield from _text(children).split()
        return
    own = str(os.getpid())
    for process in _PROCESSES.iterdir():
        if process.name.isdigit() and _fields(process.name)[_PARENT : _PARENT + 1] == [own]:
            yield process.name


def _fields(pid: str) -> list[str]:
    """What stands in the status line of a process behind the name of its command; nothing if it has ended."""
    return _text(_PROCESSES / pid / "stat").rpartition(")")[2].split()


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
