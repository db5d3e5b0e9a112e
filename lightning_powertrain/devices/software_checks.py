"""Checks of what runs on the board: JetPack, nvpmodel, container, PyTorch."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lightning_powertrain.devices.affinity import give_cpus_back
from lightning_powertrain.devices.facts import Facts
from lightning_powertrain.devices.findings import (
    CONTAINER_FLAGS,
    DEBUGFS_FLAG,
    NVPMODEL_FLAGS,
    RELEASE_FLAG,
    STATE_FLAG,
    Finding,
    docker_run,
)
from lightning_powertrain.devices.nvpmodel import StockMode, gated

_JETPACKS = {
    "32.7": "4.6",
    "32": "4",
    "35.6.5": "5.1.7",
    "35": "5",
    "36.2": "6.0",
    "36.3": "6.0",
    "36.4.0": "6.1",
    "36.4.3": "6.2",
    "36.4.4": "6.2.1",
    "36.4.7": "6.2.1",
    "36.5.0": "6.2.2",
    "36.5.2": "6.2.3",
    "36": "6",
    "38.2": "7.0",
    "38.4": "7.1",
    "38": "7",
    "39.2.0": "7.2",
    "39.2.1": "7.2.1",
    "39.2.2": "7.2.2",
    "39": "7",
}
# Where NVIDIA keeps its builds of PyTorch changes with every JetPack; this page leads there.
_TORCH_GUIDE = "https://docs.nvidia.com/deeplearning/frameworks/install-pytorch-jetson-platform/"


def jetpack(release: str) -> tuple[str, str]:
    """L4T and JetPack versions in the first line of ``/etc/nv_tegra_release``; empty where unknown.

    >>> jetpack("# R36 (release), REVISION: 4.3, GCID: 0")
    ('36.4.3', '6.2')
    """
    match = re.search(r"R(\d+)\b.*?REVISION:\s*([\d.]+)", release)
    if match is None:
        return "", ""
    parts = f"{match[1]}.{match[2]}".split(".")
    prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return ".".join(parts), next((_JETPACKS[prefix] for prefix in prefixes if prefix in _JETPACKS), "")


def check_jetpack(facts: Facts) -> Iterator[Finding]:
    """Which software the board runs; for information, nothing depends on it."""
    l4t, version = jetpack(facts.release)
    if l4t:
        yield Finding("JetPack", "ok", f"{version or 'unknown to this version'} (L4T {l4t})")
    else:
        yield Finding("JetPack", "note", "unknown: /etc/nv_tegra_release is not visible. Nothing depends on it")


def check_demo(facts: Facts) -> Iterator[Finding]:
    """Whether the simulated board can be tried here."""
    lacks = demo_lacks(facts)
    if lacks:
        yield Finding("demo", "warn", f"powertrain demo needs {lacks}", f"pip install {lacks}")
    else:
        yield Finding(
            "demo", "ok", "powertrain demo works here: it tunes a simulated board during a real Lightning job"
        )


def demo_lacks(facts: Facts) -> str:
    """Packages that ``powertrain demo`` needs and that are not here."""
    return " ".join(
        name for name, there in (("torch", facts.torch.version), ("lightning", facts.lightning)) if not there
    )


def check_nvpmodel(facts: Facts) -> Iterator[Finding]:
    """The stock mode caps where tuning starts; only its mask holds while tuning."""
    mode = facts.nvpmodel.mode
    if mode is None:
        known = f"mode {facts.nvpmodel.current}, " if facts.nvpmodel.current is not None else ""
        fix = docker_run(NVPMODEL_FLAGS) if facts.container else ""
        yield Finding("nvpmodel", "note", f"{known}which /etc/nvpmodel.conf does not explain here", fix)
    else:
        limits = ", ".join(_caps(mode)) or "no limits"
        yield Finding("nvpmodel", "ok", f"{mode.name} ({mode.id}): {limits}. Tuning goes beyond its clocks and cores")
    yield _mask(facts, mode)


def _mask(facts: Facts, mode: StockMode | None) -> Finding:
    mask = facts.mask if facts.mask is not None else mode.tpc_pg_mask if mode else None
    if mask is None:
        return Finding("TPC mask", "note", "unknown: neither the GPU nor nvpmodel shows it")
    freest = facts.nvpmodel.freest
    lost = gated(mask) - gated(freest.tpc_pg_mask) if freest else 0
    if freest is None or lost <= 0:
        return Finding("TPC mask", "ok", f"{mask}: all GPU clusters that a stock mode can give are on")
    text = (
        f"{mask}: {lost} GPU cluster{'s' * (lost > 1)} off that {freest.name} would give, at any clock. Masks are "
        f"never written here: choose {freest.name} once and answer YES to its reboot"
    )
    return Finding("TPC mask", "warn", text, f"sudo nvpmodel -m {freest.id}")


def check_container(facts: Facts) -> Iterator[Finding]:
    """Which flags a container was started without."""
    if not facts.container:
        return
    missing = [
        flag
        for flag, there in (
            ("--privileged", not facts.read_only),
            (DEBUGFS_FLAG, facts.debugfs),
            (RELEASE_FLAG, facts.release),
            (STATE_FLAG, facts.state_mounted),
        )
        if not there
    ]
    if missing:
        yield Finding("container", "warn", f"started without {', '.join(missing)}", docker_run(CONTAINER_FLAGS))
    else:
        yield Finding("container", "ok", "all mounts are there")


def check_cpusets(facts: Facts) -> Iterator[Finding]:
    """Whether containers will miss cores that were offline: under the control groups of JetPack 4 and 5."""
    if facts.forgetful_cpusets:
        text = (
            f"control groups of version 1 ({', '.join(facts.forgetful_cpusets)}) give no CPU back that was offline: "
            "after tuning, what runs in them has fewer, until it is restarted or root of the host gives them back"
        )
        yield Finding("cpusets", "warn", text, give_cpus_back(facts.forgetful_cpusets))


def check_torch(facts: Facts) -> Iterator[Finding]:
    """PyTorch and its GPU; without the GPU a job can still be tuned."""
    torch = facts.torch
    fix = f"NVIDIA's own build of PyTorch: {_TORCH_GUIDE}" if facts.jetson else "pip install torch"
    if not torch.version:
        yield Finding("PyTorch", "fail", f"cannot be imported: {torch.error}", fix)
    elif torch.gpu:
        yield Finding("PyTorch", "ok", f"{torch.version}, CUDA {torch.cuda} on {torch.gpu}")
    elif not facts.jetson:
        yield Finding("PyTorch", "ok", f"{torch.version}, without CUDA")
    elif torch.cuda:
        text = f"{torch.version} was built for CUDA {torch.cuda}, but finds no GPU: jobs train on the CPU"
        yield Finding("PyTorch", "warn", text, docker_run("--runtime nvidia") if facts.container else fix)
    else:
        yield Finding("PyTorch", "warn", f"{torch.version} was built without CUDA: jobs train on the CPU", fix)


def _caps(mode: StockMode) -> Iterator[str]:
    if mode.cores is not None:
        yield f"{mode.cores} core{'s' * (mode.cores != 1)}"
    for label, value, per_mhz in (("CPU", mode.cpu_khz, 1e3), ("GPU", mode.gpu_hz, 1e6), ("EMC", mode.emc_hz, 1e6)):
        if value is not None:
            yield f"{label} {value / per_mhz:.5g} MHz"
