"""What the client makes of a helper that does not do as it should."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from plain_board import PlainBoard, process_of, start_helper

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


@pytest.mark.parametrize(
    "said",
    [
        "sudo: a terminal is required to read the password; either use the -S option to read from standard input",
        "Sorry, user alice is not allowed to execute '/usr/bin/true' as root on orin.",
        "alice is not in the sudoers file.",
        "sudo: /etc/sudo.conf is owned by uid 1000, should be 0",
    ],
)
def test_a_refusal_of_sudo_is_not_taken_for_what_it_says_in_passing(said: str) -> None:
    host = "sudo: unable to resolve host orin: Name or service not known"
    with pytest.raises(DeviceError) as caught:
        HelperClient([sys.executable, "-c", f"import sys; sys.exit({host!r} + chr(10) + {said!r})"])
    assert f"sudo does not let this user start the root helper ({said})" in str(caught.value)


@pytest.mark.parametrize("answers", [True, False], ids=["after an answer", "before any"])
def test_a_host_name_that_sudo_cannot_resolve_is_no_refusal(answers: bool) -> None:
    answer = """read line; echo '{"ok": true, "protocol": 2}'; read line;""" if answers else ""
    script = f"echo 'sudo: unable to resolve host orin: Name or service not known' >&2; {answer} exit 1"
    with pytest.raises(DeviceError, match=r"^the root helper has ended\. `sudo .*restore` restores the board"):
        HelperClient(shell(script)).ask("hold")


def test_what_sudo_says_of_a_helper_that_had_answered_is_no_refusal() -> None:
    script = """read line; echo '{"ok": true, "protocol": 2}'; read line; echo 'sudo: killed' >&2; exit 1"""
    with pytest.raises(DeviceError, match=r"^the root helper has ended \(sudo: killed\)"):
        HelperClient(shell(script)).ask("hold")


def test_a_process_that_may_gain_no_privileges_is_explained() -> None:
    first = 'sudo: The \\"no new privileges\\" flag is set, which prevents sudo from running as root.'
    second = "sudo: If sudo is running in a container, you may need to adjust the container configuration."
    with pytest.raises(DeviceError, match=r"no_new_privs is set.*without `--security-opt no-new-privileges`"):
        HelperClient(shell(f'echo "{first}" >&2; echo "{second}" >&2; exit 1'))


def test_sudo_is_asked_in_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    with pytest.raises(DeviceError, match=r"has ended \(C\)"):
        HelperClient(shell("echo $LC_ALL >&2"))


def test_a_helper_may_say_much_on_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helper_client, "_PATIENCE_S", 10.0)
    flood = "head -c 300000 /dev/zero | tr '\\0' x >&2"
    answer = """echo '{"ok": true, "protocol": 2}'"""
    client = HelperClient(
        shell(f"read line; {flood}; {answer}; read line; {flood}; {answer}; cat > /dev/null; {flood}")
    )
    assert client.ask("hold")["ok"]
    client.close()
    assert client._transport.has_ended(0)


def test_errors_that_stay_open_are_not_waited_for() -> None:
    outliving = "exec 3<&0; cat <&3 > /dev/null &"
    client = HelperClient(shell(f"""read line; echo '{{"ok": true, "protocol": 2}}'; {outliving} exit"""))
    with pytest.raises(DeviceError, match="the root helper has ended"):
        client.ask("hold")


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
    process = process_of(client)
    del client
    assert process.wait(10) == 0
    assert board.settings() == before
