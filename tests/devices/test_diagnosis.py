"""The facts that are found on virtual boards, and what each of them leads to."""

from __future__ import annotations

import errno
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Callable

import pytest
from opened_boards import as_nobody, start_as_root
from plain_board import PlainBoard, process_of, start_helper
from sound_board import SOUND, found, outcome
from virtual_board import BOARDS, MountedBoard

from lightning_powertrain.devices import inspection
from lightning_powertrain.devices.diagnosis import diagnose, tuning_works
from lightning_powertrain.devices.facts import TorchFacts
from lightning_powertrain.devices.helper_client import HelperClient
from lightning_powertrain.devices.inspection import inspect
from lightning_powertrain.devices.roothelper.discovery import find_knobs
from lightning_powertrain.devices.software_checks import jetpack
from lightning_powertrain.errors import DeviceError

Mount = Callable[..., MountedBoard]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short measurement, and no PyTorch to wait for."""
    monkeypatch.setattr(inspection, "SAMPLING_S", 0.25)
    monkeypatch.setattr(inspection, "torch_facts", lambda: SOUND.torch)
    monkeypatch.setattr(inspection.JtopPower, "installed", lambda: False)


def no_helper() -> HelperClient:
    raise DeviceError("the root helper is not installed: `sudo powertrain setup-helper` installs it")


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
    with as_nobody():
        facts = inspect(board.root, lambda: start_as_root(board.root))
    assert found(facts, "power").status == power
    assert found(facts, "gpu_hz").text.endswith("set through the root helper")
    assert found(facts, "emc_hz").status == "ok"
    if power == "fail":
        assert "jtop may read them" in found(facts, "power").text
        assert found(facts, "power").fix == "pip install 'lightning-powertrain[jetson]'"


def test_without_the_helper_nothing_can_be_tuned(virtual_board: Mount) -> None:
    board = virtual_board("orin-agx-jp5")
    with as_nobody():
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
