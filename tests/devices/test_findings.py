"""What each fact leads to: a finding, and the command that mends it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sound_board import KNOB, SOUND, found, outcome

from lightning_powertrain.boards import load_board
from lightning_powertrain.devices.diagnosis import diagnose, tuning_works
from lightning_powertrain.devices.facts import Facts, HelperFacts, KnobFacts, PowerFacts, TorchFacts
from lightning_powertrain.devices.gpu_clusters import GpuClusters
from lightning_powertrain.devices.nvpmodel import Nvpmodel
from lightning_powertrain.devices.software_checks import jetpack

FOUR_OFF = GpuClusters(240, "30W", 4, 8, "MAXN", "sudo nvpmodel -m 0")
NO_EMC = {"knobs": {"cores": KNOB, "emc_hz": KnobFacts()}}
NO_GPU = {"knobs": {"cores": KNOB, "gpu_hz": KnobFacts()}}
JETPACK_5 = "# R35 (release), REVISION: 4.1, GCID: 0"
NO_JTOP = "jtop reports no power. `sudo systemctl restart jtop` may help"


def test_a_container_on_arm_may_hide_a_jetson() -> None:
    finding = found(Facts(jetson=False, machine="aarch64", container=True), "board")
    assert "in this container" in finding.text
    assert "-v /run/powertrain:/run/powertrain:ro" in finding.fix


def test_a_sound_board_needs_no_fix() -> None:
    assert all(each.status == "ok" and not each.fix for each in diagnose(SOUND)), diagnose(SOUND)


@pytest.mark.parametrize(
    ("change", "check", "status", "fix"),
    [
        ({"board": None}, "board", "note", ""),
        ({"release": ""}, "JetPack", "note", ""),
        ({"helper": HelperFacts({"knobs": {}}, leftover=("a",))}, "snapshot", "fail", "sudo reboot"),
        ({"helper": HelperFacts({"knobs": {}, "kept": True})}, "snapshot", "note", "powertrain restore"),
        ({"refused": {"Read-only file system": ("/sys/a", "/sys/b")}}, "knobs", "fail", ""),
        ({"read_only": True}, "knobs", "fail", "sudo mount -o remount,rw /sys"),
        ({"read_only": True, "container": True}, "knobs", "fail", "-v /run/powertrain:/run/powertrain:ro"),
        ({"container": True, "helper": HelperFacts({"knobs": {}}, way="service")}, "container", "ok", ""),
        ({"container": True}, "container", "warn", "-v /run/lightning-powertrain:/run/lightning-powertrain"),
        ({"container": True, "state_mounted": True}, "container", "ok", ""),
        ({"forgetful_cpusets": ("/docker",)}, "cpusets", "warn", "tee /sys/fs/cgroup/cpuset/docker/cpuset.cpus <"),
        ({"knobs": {"cores": KnobFacts()}}, "knobs", "fail", ""),
        ({"knobs": {"cores": KNOB, "emc_hz": KnobFacts()}}, "emc_hz", "warn", ""),
        ({**NO_EMC, "debug_files": "none"}, "emc_hz", "warn", "sudo mount -t debugfs none"),
        ({**NO_EMC, "debug_files": "others"}, "emc_hz", "warn", ""),
        (
            {**NO_EMC, "debug_files": "none", "container": True},
            "emc_hz",
            "warn",
            "-v /run/powertrain:/run/powertrain:ro",
        ),
        ({**NO_GPU, "release": JETPACK_5}, "gpu_hz", "warn", "torch.zeros(1, device='cuda')"),
        ({**NO_GPU, "release": "", "kernel": "5.10.104-tegra"}, "gpu_hz", "warn", "torch.zeros(1, device='cuda')"),
        ({**NO_GPU, "release": ""}, "gpu_hz", "warn", ""),
        (NO_GPU, "gpu_hz", "warn", ""),
        ({"power": replace(SOUND.power, rate_hz=2.0)}, "sampling", "warn", ""),
        ({"power": PowerFacts(error="x")}, "power", "fail", ""),
        ({"power": PowerFacts(error="x"), "container": True}, "power", "fail", "pip install 'lightning-powertrain"),
        ({"power": PowerFacts(1, error="x")}, "power", "fail", "pip install 'lightning-powertrain[jetson]'"),
        ({"power": PowerFacts(1, error="x", shows_zero=True), "jtop": True}, "power", "fail", ""),
        ({"board": load_board("nano-2gb"), "power": PowerFacts(error="x")}, "power", "fail", ""),
        ({"power": replace(SOUND.power, caveat="the rails are not known")}, "power", "warn", ""),
        ({"power": PowerFacts(1, error="x"), "jtop": True}, "power", "fail", "--install-service"),
        ({"power": PowerFacts(1, error="x"), "jtop": True, "container": True}, "power", "fail", "/run/jtop.sock"),
        ({"power": PowerFacts(1, error=NO_JTOP), "jtop": True, "jtop_service": True}, "power", "fail", "restart jtop"),
        ({"power": replace(SOUND.power, source="jtop:VDD_IN"), "jtop": True}, "jtop", "ok", ""),
        ({"nvpmodel": Nvpmodel(current=3)}, "nvpmodel", "note", ""),
        (
            {"clusters": GpuClusters(240, "30W", 4, 8, "MAXN", "sudo nvpmodel -m 0")},
            "TPC mask",
            "warn",
            "nvpmodel -m 0",
        ),
        ({"clusters": GpuClusters(240, "OWN", 4, 8, "MAXN")}, "TPC mask", "warn", ""),
        ({"clusters": GpuClusters(240)}, "TPC mask", "note", ""),
        ({"clusters": GpuClusters(240, "MAXN", 0, 4)}, "TPC mask", "ok", ""),
        ({"clusters": GpuClusters()}, "TPC mask", "note", ""),
        ({"torch": TorchFacts(error="No module named 'torch'")}, "PyTorch", "fail", "install-pytorch-jetson-platform"),
        ({"torch": TorchFacts("2.8.0", "")}, "PyTorch", "warn", "install-pytorch-jetson-platform"),
        ({"torch": TorchFacts("2.8.0", "12.6"), "container": True}, "PyTorch", "warn", "--runtime nvidia"),
    ],
)
def test_each_trouble_has_its_finding_and_its_fix(change: dict[str, Any], check: str, status: str, fix: str) -> None:
    facts = replace(SOUND, **change)
    finding = found(facts, check)
    assert finding.status == status
    assert fix in finding.fix
    assert bool(fix) == bool(finding.fix)
    assert tuning_works(diagnose(facts)) == (status != "fail")


def test_a_read_only_container_is_advised_to_mount_the_socket() -> None:
    facts = replace(SOUND, read_only=True, container=True)
    status, fix = outcome(facts, "container")
    assert status == "warn"
    assert "-v /run/powertrain:/run/powertrain:ro" in fix


NEWER = {"release": "# R99 (release), REVISION: 1.0", "kernel": "9.9.0-tegra"}


@pytest.mark.parametrize("change", [NEWER, {"release": "", "kernel": "6.12.10"}], ids=["newer release", "mainline"])
def test_a_kernel_that_no_jetpack_has_gets_no_advice_of_another_board(change: dict[str, Any]) -> None:
    knobs = {"cores": KNOB, "gpu_hz": KnobFacts(), "emc_hz": KnobFacts()}
    facts = replace(SOUND, knobs=knobs, power=PowerFacts(1, error="x"), **change)
    for check in ("gpu_hz", "emc_hz"):
        assert outcome(facts, check) == ("warn", "")
        assert "the cause is not known" in found(facts, check).text
    assert not [each for each in diagnose(facts) if "JetPack 4" in each.text or "JetPack 5" in each.text]


def test_jetpack_by_release() -> None:
    assert jetpack("# R32 (release), REVISION: 7.4, GCID") == ("32.7.4", "4.6.4")
    assert jetpack("# R32 (release), REVISION: 6.1, GCID") == ("32.6.1", "4.6")
    assert jetpack("# R34 (release), REVISION: 1.1, GCID") == ("34.1.1", "5.0.1 (preview)")
    assert jetpack("# R36 (release), REVISION: 4.2, GCID") == ("36.4.2", "6.1")
    assert jetpack("# R36 (release), REVISION: 4.9,") == ("36.4.9", "6")
    assert jetpack("# R99 (release), REVISION: 1.0") == ("99.1.0", "")
    assert jetpack("nonsense") == ("", "")


def test_a_slow_import_of_torch_is_no_failure() -> None:
    facts = replace(SOUND, torch=TorchFacts(waited_s=120.0))
    (finding,) = [each for each in diagnose(facts) if each.check == "PyTorch"]
    assert finding.status == "warn"
    assert "120 s" in finding.text
    assert tuning_works(diagnose(facts))
