"""Which files a capture takes, and how it reads them: those that this library reads itself, and no others.

A pseudo file may block, or do something when it is read. These are read all the time by the library, so a capture does
to a board nothing that a job does not do. Serial numbers, boot ids and control groups are left out.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, Iterator, List, Optional

from lightning_powertrain.devices.nvpmodel import CONF, MASK_NAME, STATUS
from lightning_powertrain.devices.roothelper.discovery import gpu_folder
from lightning_powertrain.devices.sysfs_activity import EMC_ACTIVITIES, GPU_LOADS

_CPU = "sys/devices/system/cpu"
_BPMP = "sys/kernel/debug/bpmp/debug"
_DEVFREQ = ("available_frequencies", "min_freq", "max_freq")
_POLICY = (
    *("related_cpus", "affected_cpus", "scaling_available_frequencies"),
    *("scaling_min_freq", "scaling_max_freq", "scaling_governor"),
)
_I2C = "sys/bus/i2c/devices/*"

CONTENTS = (
    *("etc/nv_tegra_release", CONF, STATUS, "proc/device-tree/compatible", "proc/device-tree/model"),
    *(f"{_CPU}/online", f"{_CPU}/cpu[0-9]*/online"),
    *(f"{_CPU}/cpufreq/policy[0-9]*/{name}" for name in _POLICY),
    *(f"sys/class/devfreq/bwmgr/{name}" for name in _DEVFREQ),
    *("sys/kernel/nvpmodel_clk_cap/emc", "sys/kernel/nvpmodel_emc_cap/emc_iso_cap"),
    *(f"{_BPMP}/emc/possible_rates", f"{_BPMP}/clk/emc/mrq_rate_locked", f"{_BPMP}/clk/emc/rate"),
    *(f"{_I2C}/name", f"{_I2C}/hwmon/hwmon*/in[1-3]_label", f"{_I2C}/hwmon/hwmon*/in[1-3]_input"),
    *(f"{_I2C}/hwmon/hwmon*/curr[1-3]_input", f"{_I2C}/hwmon/hwmon*/power1_input"),
    *(f"{_I2C}/hwmon/hwmon*/update_interval", f"{_I2C}/iio:device*/rail_name_[0-2]"),
    *(f"{_I2C}/iio:device*/in_power[0-2]_input", f"{_I2C}/iio:device*/update_interval"),
    *("sys/class/hwmon/hwmon*/name", "sys/class/hwmon/hwmon*/oc*_event_cnt"),
    *("sys/class/thermal/thermal_zone*/type", "sys/class/thermal/thermal_zone*/temp"),
    *("sys/class/thermal/cooling_device*/type", "sys/class/thermal/cooling_device*/cur_state"),
    *("proc/stat", *GPU_LOADS, *EMC_ACTIVITIES),
)
"""Files whose text is taken. Those of the GPU's clock come on top, wherever they are."""

NAMES = (".dockerenv", "run/.containerenv", f"{_CPU}/cpu[0-9]*", f"{_BPMP}/emc/tables/regular/*", "sys/kernel/debug/*")
"""Files and folders of which only the names count."""

_MOST_FILES = 4000
_MOST_BYTES = 1 << 16
_FILE_PATIENCE_S = 2.0
_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Files:
    """What was read.

    Args:
        texts: Contents, by path below the root; empty where a file is there and could not be read.
        folders: Paths of folders that count by their names.
        unread: Why files could not be read, by path.
    """

    texts: Dict[str, bytes] = field(default_factory=dict)
    folders: List[str] = field(default_factory=list)
    unread: Dict[str, str] = field(default_factory=dict)


def read_files(root: Path) -> Files:
    """Read the files under ``root``; takes no longer than a minute, whatever blocks."""
    files = Files()
    ends_s = time.monotonic() + _PATIENCE_S
    for path in _existing(root, NAMES):
        name = path.relative_to(root).as_posix()
        if path.is_dir():
            files.folders.append(name)
        else:
            files.texts[name] = b""
    for path in (*_existing(root, CONTENTS), *_of_gpu(root)):
        name = path.relative_to(root).as_posix()
        if len(files.texts) == _MOST_FILES or time.monotonic() > ends_s:
            files.unread[name] = "too many files, or too slow"
            continue
        content = _Reading(path)
        files.texts[name] = content.text or b""
        if content.text is None:
            files.unread[name] = content.reason
    return files


def _existing(root: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    for pattern in patterns:
        try:
            yield from sorted(root.glob(pattern))
        except OSError:  # a folder that only root may list
            continue


def _of_gpu(root: Path) -> Iterator[Path]:
    folder = gpu_folder(root)
    if folder is None:
        return
    names = (*_DEVFREQ, "device/of_node/name", "device/load", f"device/{MASK_NAME}")
    yield from (folder / name for name in names if (folder / name).exists())
    if (root / "sys/devices/gpu.0" / MASK_NAME).exists():
        yield root / "sys/devices/gpu.0" / MASK_NAME


class _Reading:
    """One read of a regular file, by a thread of its own: a read that blocks cannot be interrupted otherwise."""

    def __init__(self, path: Path) -> None:
        self.text: Optional[bytes] = None
        self.reason = f"did not answer within {_FILE_PATIENCE_S:g} s"
        reader = threading.Thread(target=self._read, args=(path,), name="powertrain-capture", daemon=True)
        reader.start()
        reader.join(_FILE_PATIENCE_S)

    def _read(self, path: Path) -> None:
        try:
            source = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                if not stat.S_ISREG(os.fstat(source).st_mode):
                    self.reason = "no regular file"
                    return
                self.text = os.read(source, _MOST_BYTES)
            finally:
                os.close(source)
        except OSError as error:
            self.reason = error.strerror or str(error)
