"""A board without a trouble, and what the doctor finds on a board."""

from __future__ import annotations

from lightning_powertrain.boards import load_board
from lightning_powertrain.devices.diagnosis import diagnose
from lightning_powertrain.devices.facts import Facts, HelperFacts, KnobFacts, PowerFacts, TorchFacts
from lightning_powertrain.devices.findings import Finding
from lightning_powertrain.devices.gpu_clusters import GpuClusters
from lightning_powertrain.devices.nvpmodel import Nvpmodel, StockMode

KNOB = KnobFacts((1, 2), 1, settable=True)
MASK = ("TPC_POWER_GATING", "TPC_PG_MASK")
SOUND = Facts(
    jetson=True,
    machine="aarch64",
    release="# R36 (release), REVISION: 4.4, GCID: 0",
    model="A board",
    board=load_board("orin-agx-64gb"),
    knobs={"cores": KNOB, "emc_hz": KNOB},
    helper=HelperFacts({"knobs": {}}),
    power=PowerFacts(1, ("VDD_IN",), "VDD_IN", 12.0, 10.0, 1.0, 2.15),
    nvpmodel=Nvpmodel((StockMode(0, "MAXN", {MASK: 0}), StockMode(2, "30W", {MASK: 240})), 2, 0),
    clusters=GpuClusters(0, "MAXN", 0, 8),
    torch=TorchFacts("2.8.0", "12.6", "Orin"),
    lightning=True,
)


def found(facts: Facts, check: str) -> Finding:
    (finding,) = [each for each in diagnose(facts) if each.check == check]
    return finding


def outcome(facts: Facts, check: str) -> tuple[str, str]:
    finding = found(facts, check)
    return finding.status, finding.fix
