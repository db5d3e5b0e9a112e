"""What the client makes of a helper that does not do as it should."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from plain_board import PlainBoard, start_helper

from lightning_powertrain.devices import helper_client
from lightning_powertrain.devices.helper_client import HelperClient
from lightning_powertrain.errors import DeviceError


def shell(script: str) -> list[str]:
    return ["/bin/sh", "-c", script]


def test_a_sudo_that_asks_for_a_password_is_explained() -> None:
    with pytest.raises(
        DeviceError,
        match=r"sudo does not let this user start the root helper \(sudo: a password is required\): `.*setup-helper`",
    ):
        HelperClient(shell("echo 'sudo: a password is required' >&2; exit 1"))


def test_a_helper_that_ends_says_its_last_word() -> None:
    with pytest.raises(DeviceError, match=r"the root helper has ended \(oops\)\. `sudo .*restore` puts the board back"):
        HelperClient(shell("echo oops >&2"))


def test_a_helper_that_is_not_there() -> None:
    with pytest.raises(DeviceError, match=r"the root helper cannot be started: .*no-such-command"):
        HelperClient(["/no-such-command"])


def test_a_helper_that_keeps_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helper_client, "_PATIENCE_S", 0.2)
    with pytest.raises(DeviceError, match="the root helper did not answer within 0 s"):
        HelperClient(shell("cat > /dev/null"))


def test_a_helper_that_talks_nonsense() -> None:
    with pytest.raises(DeviceError, match="the root helper"):
        HelperClient(shell("echo nonsense; cat > /dev/null"))


def test_a_helper_of_another_version() -> None:
    with pytest.raises(DeviceError, match=r"of another version: `sudo .*setup-helper` updates it"):
        HelperClient([sys.executable, "-c", """print('{"ok": true, "protocol": 99}', flush=True); input()"""])


def test_an_interrupted_question_leaves_no_answer_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    board = PlainBoard(tmp_path)
    before = board.settings()
    client = start_helper(tmp_path)
    client.ask("hold")

    def interrupted(*arguments: object) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("os.read", interrupted)
        with pytest.raises(KeyboardInterrupt):
            client.ask("apply", mode={"cores": 1})
    assert board.settings() == before
    assert not client.alive
    with pytest.raises(DeviceError, match="has ended"):
        client.ask("status")


def test_a_client_that_is_forgotten_lets_go(tmp_path: Path) -> None:
    board = PlainBoard(tmp_path)
    before = board.settings()
    client = start_helper(tmp_path)
    client.ask("hold")
    client.ask("apply", mode={"cores": 1})
    process = client._process
    del client
    assert process.wait(10) == 0
    assert board.settings() == before
