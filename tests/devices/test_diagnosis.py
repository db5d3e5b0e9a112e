"""The facts that are found on virtual boards, and what each of them leads to."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

import pytest
from plain_board import PlainBoard, process_of, start_helper
from virtual_board import BOARDS, MountedBoard

from lightning_powertrain.boards import load_board
from lightning_powertrain.devices import inspection
from lightning_powertrain.devices.diagnosis import diagnose, tuning_works
from lightning_powertrain.devices.facts import Facts, HelperFacts, KnobFacts, PowerFacts, TorchFacts
from lightning_powertrain.devices.findings import Finding
from lightning_powertrain.devices.gpu_clusters import GpuClusters
from lightning_powertrain.devices.helper_client import HelperClient
from lightning_powertrain.devices.inspection import inspect
from lightning_powertrain.devices.nvpmodel import Nvpmodel, StockMode
from lightning_powertrain.devices.roothelper.discovery import find_knobs
from lightning_powertrain.devices.software_checks import jetpack
from lightning_powertrain.errors import DeviceError

Mount = Callable[..., MountedBoard]
NOBODY = 65534
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
FOUR_OFF = GpuClusters(240, "30W", 4, 8, "MAXN", "sudo nvpmodel -m 0")
NO_EMC = {"knobs": {"cores": KNOB, "emc_hz": KnobFacts()}}
NO_GPU = {"knobs": {"cores": KNOB, "gpu_hz": KnobFacts()}}
JETPACK_5 = "# R35 (release), REVISION: 4.1, GCID: 0"
NO_JTOP = "jtop reports no power. `sudo systemctl restart jtop` may help"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short measurement, and no PyTorch to wait for."""
    monkeypatch.setattr(inspection, "SAMPLING_S", 0.25)
    monkeypatch.setattr(inspection, "torch_facts", lambda: SOUND.torch)
    monkeypatch.setattr(inspection.JtopPower, "installed", lambda: False)


@contextmanager
def as_user(user: int) -> Iterator[None]:
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else")
    os.seteuid(user)
    try:
        yield
    finally:
        os.seteuid(0)


def with_sudo(root: Path) -> Callable[[], HelperClient]:
    def start() -> HelperClient:
        user = os.geteuid()
        os.seteuid(0)
        try:
            return start_helper(root)
        finally:
            os.seteuid(user)

    return start


def no_helper() -> HelperClient:
    raise DeviceError("the root helper is not installed: `sudo powertrain setup-helper` installs it")


def found(facts: Facts, check: str) -> Finding:
    (finding,) = [each for each in diagnose(facts) if each.check == check]
    return finding


def outcome(facts: Facts, check: str) -> tuple[str, str]:
    finding = found(facts, check)
    return finding.status, finding.fix


@pytest.mark.parametrize("name", BOARDS)
def test_a_virtual_board_can_be_tuned_and_nothing_is_written(virtual_board: Mount, name: str) -> None:
    board = virtual_board(name)
    before = board.settings()
    facts = inspect(board.root, lambda: start_helper(board.root))
    findings = diagnose(facts)
    assert tuning_works(findings), findings
    assert facts.board is not None
    assert set(facts.knobs) == {knob.name for knob in facts.board.knobs}
    assert all(knob.settable for knob in facts.knobs.values())
    assert facts.power.total_w > 1
    assert facts.power.rate_hz > 0
    assert facts.nvpmodel.mode is not None
    assert facts.clusters.mask == facts.nvpmodel.mode.tpc_pg_mask
    assert jetpack(facts.release)[1].startswith(name[-1])
    assert board.settings() == before
    assert not [write for write in board.writes() if not write["path"].startswith("/run/")]


@pytest.mark.parametrize(("name", "power"), [("orin-agx-jp5", "ok"), ("orin-agx-jp6", "ok"), ("tx2-jp4", "fail")])
def test_an_ordinary_user_sets_through_the_helper(virtual_board: Mount, name: str, power: str) -> None:
    board = virtual_board(name)
    with as_user(NOBODY):
        facts = inspect(board.root, with_sudo(board.root))
    assert found(facts, "power").status == power
    assert found(facts, "gpu_hz").text.endswith("set through the root helper")
    assert found(facts, "emc_hz").status == "ok"
    if power == "fail":
        assert "jtop may read them" in found(facts, "power").text
        assert found(facts, "power").fix == "pip install 'lightning-powertrain[jetson]'"


def test_without_the_helper_nothing_can_be_tuned(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp5")
    with as_user(NOBODY):
        facts = inspect(board.root, no_helper)
    assert outcome(facts, "root helper") == ("fail", "sudo powertrain setup-helper")
    assert found(facts, "root helper").text == "the root helper is not installed"
    assert found(facts, "gpu_hz").text.endswith("can be read, not set")
    assert found(facts, "emc_hz").text == "hidden now; the root helper may see it"
    assert not tuning_works(diagnose(facts))


def test_the_stock_mode_and_what_its_mask_takes_away(virtual_board: Mount) -> None:
    facts = inspect((board := virtual_board("orin-agx-jp6")).root, lambda: start_helper(board.root))
    assert found(facts, "nvpmodel").text.startswith("MODE_30W (2): 8 cores, CPU 1728 MHz, GPU 612 MHz.")
    assert outcome(facts, "TPC mask") == ("warn", "sudo nvpmodel -m 0")
    assert "240: MODE_30W has 4 of 8 GPU clusters off. No clock makes up for that." in found(facts, "TPC mask").text
    board = virtual_board("orin-agx-jp6", preset="MAXN")
    facts = inspect(board.root, lambda: start_helper(board.root))
    assert outcome(facts, "TPC mask") == ("ok", "")
    assert found(facts, "nvpmodel").text.startswith("MAXN (0): 12 cores.")


def test_a_gpu_that_sleeps_is_named_with_what_wakes_it(virtual_board: Mount) -> None:
    board = virtual_board("agx-xavier-jp5", gpu_asleep=True)
    facts = inspect(board.root, lambda: start_helper(board.root))
    status, fix = outcome(facts, "gpu_hz")
    assert status == "warn"
    assert "torch.zeros(1, device='cuda')" in fix
    assert tuning_works(diagnose(facts))


def test_what_a_killed_job_left_behind_is_restored_and_said(tmp_path: Path) -> None:
    board = PlainBoard(tmp_path)
    before = board.settings()
    client = start_helper(tmp_path)
    client.ask("apply", mode={**client.ask("hold")["mode"], "cores": 1})
    process_of(client).kill()
    client.close()
    assert board.settings() != before
    facts = inspect(tmp_path, lambda: start_helper(tmp_path))
    assert found(facts, "snapshot").text.startswith("a killed job had left a power mode behind")
    assert board.settings() == before
    assert found(inspect(tmp_path, lambda: start_helper(tmp_path)), "snapshot").status == "ok"


def test_a_job_that_tunes_now_is_left_alone(tmp_path: Path) -> None:
    board = PlainBoard(tmp_path)
    client = start_helper(tmp_path)
    client.ask("apply", mode={**client.ask("hold")["mode"], "cores": 1})
    tuned = board.settings()
    facts = inspect(tmp_path, lambda: start_helper(tmp_path))
    assert found(facts, "snapshot").status == "warn"
    assert "another process holds this board" in found(facts, "snapshot").text
    assert board.settings() == tuned
    client.close()


def test_elsewhere_it_is_said_plainly_and_the_demo_works(tmp_path: Path) -> None:
    facts = inspect(tmp_path, no_helper)
    assert [each.check for each in diagnose(facts)] == ["board", "demo", "PyTorch"]
    assert outcome(facts, "board") == ("fail", "powertrain demo")
    assert "this is not a Jetson" in found(facts, "board").text
    assert found(facts, "demo").status == "ok"
    bare = replace(facts, torch=TorchFacts(error="no module"), lightning=False)
    assert outcome(bare, "demo") == ("warn", "pip install torch lightning")


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
        assert "why is not known" in found(facts, check).text
    assert not [each for each in diagnose(facts) if "JetPack 4" in each.text or "JetPack 5" in each.text]


def test_a_debug_folder_without_the_firmwares_files_is_not_taken_for_none(tmp_path: Path) -> None:
    assert inspection.debug_files(tmp_path) == "none"
    (tmp_path / "sys/kernel/debug/clk").mkdir(parents=True)
    assert inspection.debug_files(tmp_path) == "others"
    (tmp_path / "sys/kernel/debug/bpmp").mkdir()
    assert inspection.debug_files(tmp_path) == "firmware's"


def test_writes_that_will_fail_are_found_without_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = PlainBoard(tmp_path)
    before, opened = board.settings(), os.open

    def refusing(path: Any, flags: int, *more: Any, **others: Any) -> int:
        if flags & os.O_WRONLY and str(path).endswith("min_freq"):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return opened(path, flags, *more, **others)

    monkeypatch.setattr(inspection.os, "open", refusing)
    refused = inspection.refused(find_knobs(tmp_path))
    assert list(refused) == ["Read-only file system"]
    assert {Path(path).name for path in refused["Read-only file system"]} == {"min_freq", "scaling_min_freq"}
    finding = found(replace(SOUND, refused=refused), "knobs")
    assert finding.status == "fail"
    assert "/sys is not mounted read-only (Read-only file system: " in finding.text
    assert finding.text.endswith("The cause is not known")
    assert board.settings() == before


@pytest.mark.parametrize("name", ["orin-agx-jp5", "thor-jp7"])
def test_every_setting_of_a_virtual_board_may_be_written(virtual_board: Mount, name: str) -> None:
    assert inspection.refused(find_knobs(virtual_board(name).root)) == {}


def test_jetpack_by_release() -> None:
    assert jetpack("# R32 (release), REVISION: 7.4, GCID") == ("32.7.4", "4.6.4")
    assert jetpack("# R32 (release), REVISION: 6.1, GCID") == ("32.6.1", "4.6")
    assert jetpack("# R34 (release), REVISION: 1.1, GCID") == ("34.1.1", "5.0.1 (preview)")
    assert jetpack("# R36 (release), REVISION: 4.2, GCID") == ("36.4.2", "6.1")
    assert jetpack("# R36 (release), REVISION: 4.9,") == ("36.4.9", "6")
    assert jetpack("# R99 (release), REVISION: 1.0") == ("99.1.0", "")
    assert jetpack("nonsense") == ("", "")


def test_torch_is_asked_in_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.undo()
    import torch

    assert inspection.torch_facts().version == torch.__version__
    assert inspection.torch_facts(str(tmp_path / "no-python")).error
    (tmp_path / "torch.py").write_text("raise ImportError('libcudart is missing')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert inspection.torch_facts(sys.executable) == TorchFacts(error="ImportError: libcudart is missing")
    (tmp_path / "torch.py").write_text("import time; time.sleep(60)")
    assert inspection.torch_facts(sys.executable, patience_s=0.5) == TorchFacts(waited_s=0.5)


def test_a_slow_import_of_torch_is_no_failure() -> None:
    facts = replace(SOUND, torch=TorchFacts(waited_s=120.0))
    (finding,) = [each for each in diagnose(facts) if each.check == "PyTorch"]
    assert finding.status == "warn"
    assert "120 s" in finding.text
    assert tuning_works(diagnose(facts))
