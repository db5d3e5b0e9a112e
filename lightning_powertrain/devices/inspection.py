"""What can be known of this machine without changing anything: the facts that a diagnosis judges.

The one exception: starting the root helper makes it put back what a killed job left behind, as any start of it does.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lightning_powertrain.boards import Board
from lightning_powertrain.devices.affinity import forgetful_cpusets
from lightning_powertrain.devices.clock import SystemClock
from lightning_powertrain.devices.helper_client import HelperClient
from lightning_powertrain.devices.jtop_power import JtopPower
from lightning_powertrain.devices.nvpmodel import MASK_NAME, Nvpmodel, read_nvpmodel
from lightning_powertrain.devices.roothelper.knobs import Knobs, find_knobs, gpu_folder, read_raw
from lightning_powertrain.devices.sysfs_board import identify, is_jetson
from lightning_powertrain.devices.sysfs_power import SysfsPower
from lightning_powertrain.errors import DeviceError

SAMPLING_S = 1.5
PERIOD_S = 0.1
STATE_FOLDER = "run/lightning-powertrain"

_TORCH_PATIENCE_S = 120.0
_TORCH = """
import json, torch
cuda = torch.cuda.is_available()
name = torch.cuda.get_device_name(0) if cuda else ""
print(json.dumps({"version": str(torch.__version__), "cuda": torch.version.cuda or "", "gpu": name}))
"""


@dataclass(frozen=True)
class KnobFacts:
    """One knob.

    Args:
        values: Its table; empty if nothing shows it.
        now: Its value now, if it can be read.
        settable: Whether the helper, or root, sets it.
        asleep: Whether its files are hidden because all its cores are offline.
    """

    values: tuple[int, ...] = ()
    now: int | None = None
    settable: bool = False
    asleep: bool = False


@dataclass(frozen=True)
class HelperFacts:
    """The root helper.

    Args:
        status: What it says; None if it could not be started.
        error: Why not.
        recovered: Whether its start found what a killed job had left behind.
        leftover: Settings of such a job that it could not put back.
        busy: What it says when another job holds the board.
    """

    status: Mapping[str, Any] | None = None
    error: str = ""
    recovered: bool = False
    leftover: tuple[str, ...] = ()
    busy: str = ""


@dataclass(frozen=True)
class PowerFacts:
    """The power sensors.

    Args:
        chips: How many power monitors are there, readable or not.
        rails: Those whose names can be read.
        source: What the total is; empty if nothing gives it.
        total_w: The total now.
        rate_hz: Samples per second, of 10 that were asked for.
        sample_ms: What one sample costs; the median.
        settle_s: How long the sensor's filter remembers.
        error: Why nothing can be read.
    """

    chips: int = 0
    rails: tuple[str, ...] = ()
    source: str = ""
    total_w: float = 0.0
    rate_hz: float = 0.0
    sample_ms: float = 0.0
    settle_s: float = 0.0
    error: str = ""


@dataclass(frozen=True)
class TorchFacts:
    """PyTorch, as a Python of its own sees it; no version if it cannot be imported."""

    version: str = ""
    cuda: str = ""
    gpu: str = ""
    error: str = ""


@dataclass(frozen=True)
class Facts:
    """Everything that :func:`inspect` found. Paths are relative to the root of the board's file systems.

    Args:
        jetson: Whether this is one.
        machine: The processor, such as ``aarch64``.
        root_user: Whether this process has root's rights.
        release: First line of ``/etc/nv_tegra_release``.
        model: The board's name in its device tree.
        board: What the catalogue knows of it, if it does.
        knobs: By name: those that were found, and those that the catalogue expects.
        read_only: Whether the kernel's settings are mounted read-only.
        debugfs: Whether root sees the firmware's debug files; for others it cannot be told, and counts as yes.
        container: Whether this runs inside one.
        state_mounted: Whether the helper's folder comes from outside the container.
        forgetful_cpusets: Control groups (v1) that give no CPU back that was offline.
        jtop: Whether jtop is installed here.
        jtop_service: Whether its service listens, and lets this user in.
        mask: The GPU's power-gating mask, if it can be read.
    """

    jetson: bool
    machine: str = ""
    root_user: bool = False
    release: str = ""
    model: str = ""
    board: Board | None = None
    knobs: Mapping[str, KnobFacts] = field(default_factory=dict)
    read_only: bool = False
    debugfs: bool = True
    helper: HelperFacts = field(default_factory=HelperFacts)
    power: PowerFacts = field(default_factory=PowerFacts)
    container: bool = False
    state_mounted: bool = False
    forgetful_cpusets: tuple[str, ...] = ()
    jtop: bool = False
    jtop_service: bool = False
    nvpmodel: Nvpmodel = field(default_factory=Nvpmodel)
    mask: int | None = None
    torch: TorchFacts = field(default_factory=TorchFacts)
    lightning: bool = False


def inspect(root: Path = Path("/"), start_helper: Callable[[], HelperClient] | None = None) -> Facts:
    """Look at this machine; takes a few seconds.

    Args:
        root: Where the board's file systems are; anything but ``/`` is for tests.
        start_helper: Starts the root helper; None for the usual way.
    """
    common: dict[str, Any] = {
        "machine": platform.machine(),
        "root_user": os.geteuid() == 0,
        "container": any((root / mark).exists() for mark in (".dockerenv", "run/.containerenv")),
        "torch": torch_facts(),
        "lightning": any(importlib.util.find_spec(name) for name in ("lightning", "pytorch_lightning")),
        "jtop": JtopPower.installed(),
        "jtop_service": os.access(root / "run/jtop.sock", os.R_OK | os.W_OK),
    }
    if not is_jetson(root):
        return Facts(jetson=False, **common)
    own = find_knobs(root)
    board = identify(root, {name: knob.values for name, knob in own.known().items()})
    helper = helper_facts(start_helper or HelperClient)
    return Facts(
        jetson=True,
        release=(read_raw(root / "etc/nv_tegra_release") or "").partition("\n")[0],
        model=(read_raw(root / "proc/device-tree/model") or "").strip("\0\n"),
        board=board,
        knobs=knob_facts(own, board, helper),
        read_only=_on_read_only_mount(own),
        debugfs=os.geteuid() != 0 or (root / "sys/kernel/debug/bpmp").exists() or not _has_bpmp_clock(root),
        helper=helper,
        power=power_facts(root, board),
        state_mounted=(root / STATE_FOLDER).is_mount(),
        forgetful_cpusets=forgetful_cpusets(root),
        nvpmodel=read_nvpmodel(root),
        mask=gpu_mask(root),
        **common,
    )


def knob_facts(own: Knobs, board: Board | None, helper: HelperFacts) -> dict[str, KnobFacts]:
    """Each knob as this user and the helper see it."""
    status = helper.status or {"knobs": {}, "mode": {}, "asleep": []}
    seen, now = own.known(), {**own.read(), **status["mode"]}
    expected = [knob.name for knob in board.knobs] if board else []
    facts = {}
    for name in dict.fromkeys((*expected, *seen, *status["knobs"], *status["asleep"])):
        settable, asleep = name in status["knobs"], name in status["asleep"]
        values = status["knobs"][name]["values"] if settable else seen[name].values if name in seen else ()
        facts[name] = KnobFacts(tuple(values), now.get(name), settable or asleep, asleep)
    return facts


def helper_facts(start: Callable[[], HelperClient]) -> HelperFacts:
    """What the helper says of itself. ``restore`` does nothing but tell, unless a killed job left something behind."""
    try:
        client = start()
    except DeviceError as error:
        return HelperFacts(error=str(error))
    try:
        status = client.ask("status")
        recovered = bool(status.get("recovered"))
        try:
            leftover = tuple(client.ask("restore")["differing"])
        except DeviceError as error:
            return HelperFacts(status, recovered=recovered, busy=str(error))
        return HelperFacts(status, recovered=recovered, leftover=leftover)
    except DeviceError as error:
        return HelperFacts(error=str(error))
    finally:
        client.close()


def power_facts(root: Path, board: Board | None) -> PowerFacts:
    """Rails and total, and how fast they can be sampled."""
    sensors = SysfsPower(root, board.rails if board else (), board.total if board else "sum")
    names = [read_raw(path) or "" for path in (root / "sys/bus/i2c/devices").glob("*/name")]
    chips = sum("ina3221" in name or "ina238" in name for name in names)
    rails = tuple(rail.name for rail in sensors.rails)
    source: SysfsPower | JtopPower = sensors
    try:
        if not sensors.readable and JtopPower.installed():
            source = JtopPower()
        total_w = source.read().total_w
        rate_hz, sample_ms = sampling(source)
        return PowerFacts(chips, rails, source.source, total_w, rate_hz, sample_ms, source.settle_s)
    except DeviceError as error:
        return PowerFacts(chips, rails, error=str(error))
    finally:
        source.close()


def sampling(source: SysfsPower | JtopPower, seconds: float | None = None) -> tuple[float, float]:
    """Samples per second that a thread gets when it asks for ten, and milliseconds that one of them costs.

    Args:
        source: What to sample.
        seconds: For how long; None for :data:`SAMPLING_S`.
    """
    starts_s, costs_s = [], []

    def sample() -> None:
        starts_s.append(time.perf_counter())
        with contextlib.suppress(DeviceError):
            source.read()
            costs_s.append(time.perf_counter() - starts_s[-1])

    cancel = SystemClock().every(PERIOD_S, sample)
    threading.Event().wait(SAMPLING_S if seconds is None else seconds)
    cancel()
    if len(starts_s) < 2 or not costs_s:
        return 0.0, 0.0
    return (len(starts_s) - 1) / (starts_s[-1] - starts_s[0]), statistics.median(costs_s) * 1e3


def gpu_mask(root: Path) -> int | None:
    """The mask of GPU clusters without power; it is read here and written nowhere."""
    gpu = gpu_folder(root)
    folders = [root / "sys/devices/gpu.0", *([gpu / "device", gpu.resolve().parent.parent] if gpu else [])]
    for folder in folders:
        text = (read_raw(folder / MASK_NAME) or "").strip()
        with contextlib.suppress(ValueError):
            return int(text, 0)
    return None


def torch_facts(python: str = sys.executable) -> TorchFacts:
    """PyTorch and CUDA, seen from a child process: looking for a GPU would start CUDA here for good."""
    try:
        child = subprocess.run(
            [python, "-c", _TORCH], check=False, capture_output=True, text=True, timeout=_TORCH_PATIENCE_S
        )
        return TorchFacts(**json.loads(child.stdout.strip().rpartition("\n")[2]))
    except (OSError, subprocess.TimeoutExpired) as error:
        return TorchFacts(error=str(error))
    except (ValueError, TypeError):
        return TorchFacts(error=child.stderr.strip().rpartition("\n")[2])


def _on_read_only_mount(knobs: Knobs) -> bool:
    for path in knobs.files():
        with contextlib.suppress(OSError):
            return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    return False


def _has_bpmp_clock(root: Path) -> bool:
    """Whether the memory clock is the firmware's: on JetPack 7 it has a devfreq directory instead."""
    return not (root / "sys/class/devfreq/bwmgr").exists()
