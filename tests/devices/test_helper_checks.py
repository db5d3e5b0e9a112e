"""What doctor finds out about the root helper."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from plain_board import PlainBoard, helper_command, start_helper
from socket_service import serving

from lightning_powertrain.devices import helper_checks
from lightning_powertrain.devices.diagnosis import diagnose, tuning_works
from lightning_powertrain.devices.facts import Facts, HelperFacts
from lightning_powertrain.devices.helper_checks import helper_facts, unsafe_rule
from lightning_powertrain.devices.helper_client import HelperClient

OLD = "alice ALL=(root) NOPASSWD: /usr/bin/python3 -ISB /usr/local/libexec/lightning-powertrain/roothelper"
NEW = 'alice ALL=(root) NOPASSWD: /usr/local/libexec/lightning-powertrain/powertrain-helper ""'


def installed(root: Path, rule: str, launcher: bool) -> Path:
    """An installation under ``root``, of this version or of an earlier one."""
    helper = root / "usr/local/libexec/lightning-powertrain/roothelper"
    helper.mkdir(parents=True)
    (helper / "INSTALLED").touch()
    if launcher:
        (helper.parent / "powertrain-helper").touch()
    sudoers = root / "etc/sudoers.d/lightning-powertrain"
    sudoers.parent.mkdir(parents=True)
    sudoers.write_text(f"{rule}\n")
    return sudoers


def test_an_earlier_version_s_rule_fails_with_the_command_that_replaces_it(tmp_path: Path) -> None:
    PlainBoard(tmp_path)
    installed(tmp_path, OLD, launcher=True)
    facts = helper_facts(tmp_path, lambda: start_helper(tmp_path))
    assert facts.unsafe == OLD
    findings = diagnose(Facts(jetson=True, helper=facts))
    (finding,) = [each for each in findings if each.check == "sudoers rule"]
    assert (finding.status, finding.fix.split("/")[-1][-23:]) == ("fail", "powertrain setup-helper")
    assert OLD in finding.text
    assert not tuning_works(findings)


def test_a_rule_of_this_version_is_no_finding(tmp_path: Path) -> None:
    installed(tmp_path, NEW, launcher=True)
    assert unsafe_rule(tmp_path) == ""
    assert "sudoers rule" not in {each.check for each in diagnose(Facts(jetson=True, helper=HelperFacts()))}


def test_where_the_rule_cannot_be_read_the_copy_names_the_way(tmp_path: Path) -> None:
    sudoers = installed(tmp_path, OLD, launcher=False)
    sudoers.unlink()
    assert unsafe_rule(tmp_path).startswith("the one that was installed together with ")
    assert unsafe_rule(tmp_path / "elsewhere") == ""


def test_sudo_lists_the_rule_for_its_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The output of ``sudo -l`` 1.9.13, and a computer without sudo."""
    says = f"User alice may run the following commands on board:\n    {OLD[10:]}\n"

    def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 0, says, "")

    with monkeypatch.context() as patch:
        patch.setattr(subprocess, "run", run)
        assert helper_checks.UNSAFE.search(helper_checks._own_rules()) is not None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert helper_checks._own_rules() == ""


def test_doctor_says_which_way_leads_to_the_helper(tmp_path: Path) -> None:
    (tmp_path / "board").mkdir()
    PlainBoard(tmp_path / "board")
    with serving(tmp_path / "helper.sock", helper_command(tmp_path / "board")):
        facts = helper_facts(tmp_path / "board", lambda: HelperClient(tmp_path / "helper.sock"))
    assert (facts.way, facts.error, facts.busy) == ("service", "", "")
    for way, root, text in (
        ("service", True, "its service runs, and this user may use it (/run/powertrain/helper.sock)"),
        ("root", True, "starts directly, as root"),
        ("sudo", False, "installed, and this user may start it through sudo"),
    ):
        findings = diagnose(Facts(jetson=True, root_user=root, helper=replace(facts, way=way)))
        assert [each.text for each in findings if each.check == "root helper"] == [text]
