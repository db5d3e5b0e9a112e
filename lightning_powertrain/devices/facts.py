"""What an inspection of this machine finds: plain facts, which the checks of a diagnosis judge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lightning_powertrain.boards import Board
from lightning_powertrain.devices.gpu_clusters import GpuClusters
from lightning_powertrain.devices.nvpmodel import Nvpmodel

DebugFiles = Literal["firmware's", "others", "none", "unknown"]
"""Whether those of the firmware, which set the memory clock, are there; ``unknown`` where only root can see that."""


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
        leftover: Settings of such a job that it could not restore.
        busy: What it says when another job holds the board.
        unsafe: An earlier version's sudoers rule that is still there.
        way: How it was started: ``"service"``, ``"root"`` or ``"sudo"``; empty if it was not.
    """

    status: Mapping[str, Any] | None = None
    error: str = ""
    recovered: bool = False
    leftover: tuple[str, ...] = ()
    busy: str = ""
    unsafe: str = ""
    way: str = ""


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
        caveat: Why the total may be wrong.
        shows_zero: Whether the sensors can be read and show no power at all.
    """

    chips: int = 0
    rails: tuple[str, ...] = ()
    source: str = ""
    total_w: float = 0.0
    rate_hz: float = 0.0
    sample_ms: float = 0.0
    settle_s: float = 0.0
    error: str = ""
    caveat: str = ""
    shows_zero: bool = False


@dataclass(frozen=True)
class TorchFacts:
    """PyTorch, as a Python of its own sees it; no version if it cannot be imported.

    Args:
        error: Why it could not be imported.
        waited_s: For how long it was waited for in vain; 0 where it answered.
    """

    version: str = ""
    cuda: str = ""
    gpu: str = ""
    error: str = ""
    waited_s: float = 0.0


@dataclass(frozen=True)
class Facts:
    """Everything that an inspection of this machine found. Paths are relative to the root of its file systems.

    Args:
        jetson: Whether this is one.
        machine: The processor, such as ``aarch64``.
        root_user: Whether this process has root's rights.
        release: First line of ``/etc/nv_tegra_release``.
        model: The board's name in its device tree.
        board: What the catalogue knows of it, if it does.
        knobs: By name: those that were found, and those that the catalogue expects.
        kernel: Release of the kernel.
        read_only: Whether the kernel's settings are mounted read-only.
        refused: Settings that root may not open for writing, by what the kernel says; empty for others than root.
        debug_files: What is to be seen of the kernel's debug files.
        container: Whether this runs inside one.
        state_mounted: Whether the helper's folder comes from outside the container.
        forgetful_cpusets: Control groups (v1) that give no CPU back that was offline.
        lowering: Cooling devices that make clock limits read lower than they were set.
        jtop: Whether jtop is installed here.
        jtop_service: Whether its service listens, and lets this user in.
        clusters: How much of the GPU is switched off.
    """

    jetson: bool
    machine: str = ""
    root_user: bool = False
    release: str = ""
    model: str = ""
    board: Board | None = None
    knobs: Mapping[str, KnobFacts] = field(default_factory=dict)
    kernel: str = ""
    read_only: bool = False
    refused: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    debug_files: DebugFiles = "firmware's"
    helper: HelperFacts = field(default_factory=HelperFacts)
    power: PowerFacts = field(default_factory=PowerFacts)
    container: bool = False
    state_mounted: bool = False
    forgetful_cpusets: tuple[str, ...] = ()
    lowering: tuple[str, ...] = ()
    jtop: bool = False
    jtop_service: bool = False
    nvpmodel: Nvpmodel = field(default_factory=Nvpmodel)
    clusters: GpuClusters = field(default_factory=GpuClusters)
    torch: TorchFacts = field(default_factory=TorchFacts)
    lightning: bool = False
