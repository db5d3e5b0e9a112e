"""What can be known of this machine without changing anything: the facts that a diagnosis judges.

The one exception: starting the root helper makes it restore what a killed job left behind, as any start of it does.
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lightning_powertrain.boards import Board
from lightning_powertrain.devices.affinity import forgetful_cpusets
from lightning_powertrain.devices.clock import SystemClock
from lightning_powertrain.devices.facts import DebugFiles, Facts, HelperFacts, KnobFacts, PowerFacts, TorchFacts
from lightning_powertrain.devices.gpu_clusters import read_gpu_clusters
from lightning_powertrain.devices.helper_checks import helper_facts
from lightning_powertrain.devices.helper_client import HelperClient
from lightning_powertrain.devices.jtop_power import JtopPower
from lightning_powertrain.devices.nvpmodel import read_nvpmodel
from lightning_powertrain.devices.roothelper.discovery import find_knobs
from lightning_powertrain.devices.roothelper.heat import lowering
from lightning_powertrain.devices.roothelper.knobs import Knobs
from lightning_powertrain.devices.roothelper.reading import read_raw
from lightning_powertrain.devices.sysfs_board import identify, is_jetson
from lightning_powertrain.devices.sysfs_power import SysfsPower
from lightning_powertrain.errors import DeviceError
from lightning_powertrain.logs import log_swallowed, swallowed

SAMPLING_S = 1.5
PERIOD_S = 0.1
_SLOWEST_SAMPLING_S = 5.0
STATE_FOLDER = "run/lightning-powertrain"

_TORCH = """
import json, torch
cuda = torch.cuda.is_available()
name = torch.cuda.get_device_name(0) if cuda else ""
print(json.dumps({"version": str(torch.__version__), "cuda": torch.version.cuda or "", "gpu": name}))
"""


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
    helper = helper_facts(root, start_helper or HelperClient)
    directly = helper.way != "service"  # Else what this process may write says nothing of what the helper may.
    return Facts(
        jetson=True,
        release=(read_raw(root / "etc/nv_tegra_release") or "").partition("\n")[0],
        model=(read_raw(root / "proc/device-tree/model") or "").strip("\0\n"),
        board=board,
        knobs=knob_facts(own, board, helper),
        kernel=platform.release(),
        read_only=directly and _on_read_only_mount(own),
        refused=refused(own) if directly and os.geteuid() == 0 else {},
        debug_files=debug_files(root),
        helper=helper,
        power=power_facts(root, board),
        state_mounted=(root / STATE_FOLDER).is_mount(),
        forgetful_cpusets=forgetful_cpusets(root),
        lowering=lowering(root),
        nvpmodel=read_nvpmodel(root),
        clusters=read_gpu_clusters(root, board),
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


def power_facts(root: Path, board: Board | None) -> PowerFacts:
    """Rails and total, and how fast they can be sampled."""
    sensors = SysfsPower(root, board.rails if board else (), board.total if board else "sum")
    names = [read_raw(path) or "" for path in (root / "sys/bus/i2c/devices").glob("*/name")]
    chips = sum("ina3221" in name or "ina238" in name for name in names)
    rails = tuple(rail.name for rail in sensors.rails)
    source: SysfsPower | JtopPower = sensors
    try:
        if board and not board.rails and not sensors.source:
            return PowerFacts(chips, rails, error="no power sensor")
        if not sensors.readable and JtopPower.installed():
            source = JtopPower(board.rails if board else ())
        total_w = source.read().total_w
        rate_hz, sample_ms = sampling(source)
        return PowerFacts(
            chips, rails, source.source, total_w, rate_hz, sample_ms, source.settle_s, caveat=source.caveat
        )
    except DeviceError as error:
        log_swallowed("reading power", error)
        return PowerFacts(chips, rails, error=str(error), shows_zero=sensors.shows_zero)
    finally:
        source.close()


def sampling(source: SysfsPower | JtopPower, seconds: float | None = None) -> tuple[float, float]:
    """Samples per second that a thread gets when it asks for ten, and milliseconds that one of them costs.

    Args:
        source: What to sample.
        seconds: For how long; None for :data:`SAMPLING_S`.
    """
    starts_s: list[float] = []
    costs_s: list[float] = []
    enough = threading.Event()

    def sample() -> None:
        starts_s.append(time.perf_counter())
        with swallowed("reading power", DeviceError):
            source.read()
            costs_s.append(time.perf_counter() - starts_s[-1])
        if len(starts_s) > 1 and costs_s:
            enough.set()

    cancel = SystemClock().every(PERIOD_S, sample)
    threading.Event().wait(SAMPLING_S if seconds is None else seconds)
    enough.wait(_SLOWEST_SAMPLING_S)
    cancel()
    if not enough.is_set():
        return 0.0, 0.0
    return (len(starts_s) - 1) / (starts_s[-1] - starts_s[0]), statistics.median(costs_s) * 1e3


def torch_facts(python: str = sys.executable, patience_s: float = 120.0) -> TorchFacts:
    """PyTorch and CUDA, seen from a child process: looking for a GPU would start CUDA here for good."""
    try:
        child = subprocess.run([python, "-c", _TORCH], check=False, capture_output=True, text=True, timeout=patience_s)
        return TorchFacts(**json.loads(child.stdout.strip().rpartition("\n")[2]))
    except subprocess.TimeoutExpired as error:
        log_swallowed("looking for PyTorch", error)
        return TorchFacts(waited_s=patience_s)
    except OSError as error:
        log_swallowed("looking for PyTorch", error)
        return TorchFacts(error=str(error))
    except (ValueError, TypeError) as error:
        log_swallowed("looking for PyTorch", error)
        return TorchFacts(error=child.stderr.strip().rpartition("\n")[2])


def debug_files(root: Path) -> DebugFiles:
    """What is to be seen of the kernel's debug files."""
    folder = root / "sys/kernel/debug"
    try:
        names = {entry.name for entry in folder.iterdir()}
        return "firmware's" if "bpmp" in names else "others" if names else "none"
    except FileNotFoundError:
        return "none"
    except OSError:
        return "unknown"


def refused(knobs: Knobs) -> dict[str, tuple[str, ...]]:
    """Settings that cannot be opened for writing, by what the kernel says. Nothing is written."""
    found: dict[str, list[str]] = {}
    for path in knobs.files():
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CLOEXEC))
        except OSError as error:
            found.setdefault(error.strerror or str(error), []).append(str(path))
    return {reason: tuple(paths) for reason, paths in found.items()}


def _on_read_only_mount(knobs: Knobs) -> bool:
    """Whether any setting is: a container may get some folders read-only and others not."""
    for path in knobs.files():
        with contextlib.suppress(OSError):
            if os.statvfs(path).f_flag & os.ST_RDONLY:
                return True
    return False
