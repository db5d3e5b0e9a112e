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
    PRIVILEGED_FLAGS,
    RELEASE_FLAG,
    SERVICE_FLAG,
    STATE_FLAG,
    Finding,
    docker_run,
)
from lightning_powertrain.devices.gpu_clusters import GpuClusters
from lightning_powertrain.devices.nvpmodel import StockMode

# As jetson-stats and the release notes have them; a release that is not listed belongs to the longest prefix that is.
_JETPACKS = {
    "32.4.3": "4.4",
    "32.4.4": "4.4.1",
    "32.5": "4.5",
    "32.5.1": "4.5.1",
    "32.5.2": "4.5.1",
    "32.6.1": "4.6",
    "32.7": "4.6",
    "32.7.1": "4.6.1",
    "32.7.2": "4.6.2",
    "32.7.3": "4.6.3",
    "32.7.4": "4.6.4",
    "32.7.5": "4.6.5",
    "32.7.6": "4.6.6",
    "32": "4",
    "34.1.0": "5.0 (preview)",
    "34.1.1": "5.0.1 (preview)",
    "34": "5",
    "35.1.0": "5.0.2",
    "35.2.1": "5.1",
    "35.3.1": "5.1.1",
    "35.4.1": "5.1.2",
    "35.5.0": "5.1.3",
    "35.6.0": "5.1.4",
    "35.6.5": "5.1.7",
    "35": "5",
    "36.2": "6.0",
    "36.3": "6.0",
    "36.4.0": "6.1",
    "36.4.2": "6.1",
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
_KERNELS = {"4.9.": 4, "5.10.": 5, "5.15.": 6}
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


def generation(facts: Facts) -> int | None:
    """Number of the JetPack before the first point, by its release or by NVIDIA's kernel; None if neither is known."""
    l4t, version = jetpack(facts.release)
    if l4t:
        return int(version.partition(".")[0]) if version else None
    kernels = _KERNELS.items() if facts.kernel.endswith("tegra") else ()
    return next((number for start, number in kernels if facts.kernel.startswith(start)), None)


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
        current = facts.nvpmodel.current
        text = "unknown" if current is None else f"mode {current}: /etc/nvpmodel.conf does not describe it here"
        fix = docker_run(NVPMODEL_FLAGS) if facts.container else ""
        yield Finding("nvpmodel", "note", text, fix)
    else:
        limits = ", ".join(_caps(mode)) or "no limits"
        yield Finding(
            "nvpmodel", "ok", f"{mode.name} ({mode.id}): {limits}. Tuning also uses higher clocks and more cores"
        )
    yield _clusters(facts.clusters)


def _clusters(clusters: GpuClusters) -> Finding:
    if clusters.mask is None:
        return Finding("TPC mask", "note", "unknown: neither the GPU nor nvpmodel shows it")
    if clusters.off is None:
        text = f"{clusters.mask}: it is not known here whether another stock mode switches more GPU clusters on"
        return Finding("TPC mask", "note", text)
    if clusters.off == 0:
        all_on = "all GPU clusters that a stock mode can switch on are on"
        return Finding("TPC mask", "ok", f"{clusters.mask}: {all_on if clusters.mask else 'no GPU cluster is off'}")
    text = (
        f"{clusters.mask}: {clusters.mode or 'the stock mode'} has {clusters.loss} off. No clock makes up for that. "
        f"The tuner never writes a mask: select {clusters.freer} once, and answer YES when it asks to reboot"
    )
    return Finding("TPC mask", "warn", text, clusters.command)


def check_container(facts: Facts) -> Iterator[Finding]:
    """Which flags a container was started without."""
    if not facts.container:
        return
    flags, wanted = CONTAINER_FLAGS, {RELEASE_FLAG: bool(facts.release)}
    if facts.helper.way != "service" and facts.read_only:
        wanted[SERVICE_FLAG] = False
    elif facts.helper.way != "service":
        flags = PRIVILEGED_FLAGS
        wanted.update({DEBUGFS_FLAG: facts.debug_files != "none", STATE_FLAG: facts.state_mounted})
    if missing := [flag for flag, there in wanted.items() if not there]:
        yield Finding("container", "warn", f"started without {', '.join(missing)}", docker_run(flags))
    else:
        yield Finding("container", "ok", "all mounts are present")


def check_cpusets(facts: Facts) -> Iterator[Finding]:
    """Whether containers will miss cores that were offline: under the control groups of JetPack 4 and 5."""
    if facts.forgetful_cpusets:
        text = (
            f"control groups of version 1 ({', '.join(facts.forgetful_cpusets)}) give no CPU back that was offline: "
            "after tuning, their processes have fewer CPUs until they restart or root of the host adds the CPUs again"
        )
        yield Finding("cpusets", "warn", text, give_cpus_back(facts.forgetful_cpusets))


def check_torch(facts: Facts) -> Iterator[Finding]:
    """PyTorch and its GPU; without the GPU a job can still be tuned."""
    torch = facts.torch
    fix = f"NVIDIA's own build of PyTorch: {_TORCH_GUIDE}" if facts.jetson else "pip install torch"
    if torch.waited_s:
        text = f"its import had not ended after {torch.waited_s:.0f} s, so it was not checked"
        yield Finding("PyTorch", "warn", text, "powertrain doctor, again when the machine is less busy")
    elif not torch.version:
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
