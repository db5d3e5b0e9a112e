"""Finds the knobs of a board by the files that are there, with the tables that the board gives. Nothing here writes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from lightning_powertrain.devices.roothelper.knobs import CPU, Cores, CpuClock, DevfreqClock, EmcClock, Knobs, policies
from lightning_powertrain.devices.roothelper.reading import read_cpus, read_raw, read_table

_TX2_A57 = (0, 3, 4, 5)
_GPU_NAME = re.compile(r"gpu-gpc|g[pv]\d+b|ga10b|\.gpu$")
_GPU_PLACES = (
    "sys/class/devfreq/*",
    "sys/devices/gpu.0/devfreq/*",
    "sys/devices/*/devfreq/*",
    "sys/devices/platform/*/devfreq/*",
    "sys/devices/platform/bus@0/*/devfreq/*",
    "sys/devices/platform/host1x/*/devfreq/*",
    "sys/devices/*.g*/devfreq_dev",
    "sys/devices/platform/*.g*/devfreq_dev",
)
_BPMP = "sys/kernel/debug/bpmp/debug"
_EMC_CAPS = ("sys/kernel/nvpmodel_clk_cap/emc", "sys/kernel/nvpmodel_emc_cap/emc_iso_cap")
_KHZ_BELOW = 10**7  # EMC tables come in kHz or Hz; no EMC clock in Hz is below 10 MHz, none in kHz above 10 GHz.


def find_knobs(root: Path) -> Knobs:
    """The knobs of the board whose file systems are under ``root``."""
    cores, clocks = _find_cpus(root)
    return Knobs(root, cores, (*clocks, *_find_gpu(root), *_find_emc(root)))


def gpu_folder(root: Path) -> Path | None:
    """The devfreq directory of the GPU; on JetPack 4 and 5 it may appear only once the GPU is in use."""
    for place in _GPU_PLACES:
        for folder in sorted(root.glob(place)):
            of_node = (read_raw(folder / "device/of_node/name") or "").strip("\0\n")
            is_gpu = any(map(_GPU_NAME.search, (folder.name, folder.parent.name, f".{of_node}")))
            if is_gpu and read_table(folder / "available_frequencies"):
                return folder
    return None


def _find_cpus(root: Path) -> tuple[tuple[Cores, ...], tuple[CpuClock, ...]]:
    cpus = sorted(int(path.name[3:]) for path in (root / CPU).glob("cpu[0-9]*") if path.name[3:].isdigit())
    cores, clocks = [], []
    for prefix, cluster in _clusters(root, cpus):
        folders = tuple(root / CPU / f"cpu{cpu}" for cpu in cluster)
        counts = range(1 if 0 in cluster else 0, len(cluster) + 1)
        cores.append(Cores(f"{prefix}cores", tuple(counts), folders))
        tables = [
            set(read_table(policy / "scaling_available_frequencies"))
            for policy in policies(root)
            if set(read_cpus(policy / "related_cpus")) & set(cluster)
        ]
        shared = tuple(sorted(set.intersection(*tables))) if tables else ()
        clocks.append(CpuClock(f"{prefix or 'cpu_'}khz", shared, root, cluster))
    return tuple(cores), tuple(clocks)


def _clusters(root: Path, cpus: Sequence[int]) -> list[tuple[str, tuple[int, ...]]]:
    """Prefix and CPUs of each kind of core. Only the TX2 has two kinds, and only there are clusters interleaved."""
    if any(read_cpus(policy / "related_cpus") == _TX2_A57 for policy in policies(root)):
        denver = tuple(cpu for cpu in cpus if cpu not in _TX2_A57)
        return [("a57_", _TX2_A57), *([("denver_", denver)] if denver else [])]
    return [("", tuple(cpus))] if cpus else []


def _find_gpu(root: Path) -> list[DevfreqClock]:
    folder = gpu_folder(root)
    return [DevfreqClock("gpu_hz", read_table(folder / "available_frequencies"), "gpu", folder)] if folder else []


def _find_emc(root: Path) -> list[DevfreqClock | EmcClock]:
    bwmgr = root / "sys/class/devfreq/bwmgr"
    if table := read_table(bwmgr / "available_frequencies"):
        return [DevfreqClock("emc_hz", table, "emc", bwmgr)]
    rates = read_table(root / _BPMP / "emc/possible_rates") or _names_of(root / _BPMP / "emc/tables/regular")
    values = tuple(sorted({rate * 1000 if rate < _KHZ_BELOW else rate for rate in rates}))
    lock, rate = (root / _BPMP / "clk/emc" / name for name in ("mrq_rate_locked", "rate"))
    cap = next((root / cap for cap in _EMC_CAPS if (root / cap).exists()), None)
    pinned = read_raw(lock) is not None and read_raw(rate) is not None
    if cap is None and not pinned:
        return []
    return [EmcClock("emc_hz", values, cap, lock if pinned else None, rate if pinned else None)]


def _names_of(folder: Path) -> tuple[int, ...]:
    try:
        names = [re.sub("[^0-9]", "", entry.name) for entry in folder.iterdir()]
    except OSError:
        return ()
    return tuple(sorted({int(name) for name in names if 0 < len(name) <= 12}))
