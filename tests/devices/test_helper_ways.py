"""Three ways to the root helper, which a client treats alike; and what it says where none is open."""

from __future__ import annotations

import grp
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from plain_board import PlainBoard, helper_command, process_of
from socket_service import SocketService, serving

from lightning_powertrain.devices import helper_client, helper_transport, helper_ways
from lightning_powertrain.devices.helper_client import HelperClient
from lightning_powertrain.devices.helper_transport import HelperService
from lightning_powertrain.devices.helper_ways import usual_transport
from lightning_powertrain.errors import DeviceError

LOW = {"cores": 1, "gpu_hz": 114750000}
FIX = "`sudo systemctl restart powertrain-helper.socket`"


class Ways:
    """A board, and how to reach its helper."""

    def __init__(self, way: str, folder: Path, stack: ExitStack) -> None:
        self.board = PlainBoard(folder / "board")
        self.before = self.board.settings()
        self.service: SocketService | None = None
        command = helper_command(self.board.root)
        self.start: list[str] | Path = command
        if way == "sudo":  # A process in between, which outlives the helper by a moment.
            self.start = ["/bin/sh", "-c", '"$@"; exit $?', "sudo", *command]
        elif way == "service":
            self.start = folder / "helper.sock"
            self.service = stack.enter_context(serving(self.start, command, then=command))

    def client(self) -> HelperClient:
        return HelperClient(self.start)

    def kill(self, client: HelperClient) -> None:
        """Kill the helper itself."""
        if self.service is not None:
            self.service.started[-1].kill()
            return
        parent = process_of(client).pid
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        os.kill(int(children[0]) if children else parent, signal.SIGKILL)

    def is_back(self) -> bool:
        """Whether the board is as before, now or soon."""
        end_s = time.monotonic() + 20
        while self.board.settings() != self.before and time.monotonic() < end_s:
            time.sleep(0.01)
        return self.board.settings() == self.before


@pytest.fixture(params=["root", "sudo", "service"])
def ways(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ways]:
    (tmp_path / "board").mkdir()
    with ExitStack() as stack:
        yield Ways(request.param, tmp_path, stack)


def held(ways: Ways) -> HelperClient:
    client = ways.client()
    client.ask("hold")
    client.ask("apply", mode=LOW)
    assert ways.board.settings() != ways.before
    return client


def test_the_board_is_back_when_close_returns(ways: Ways) -> None:
    client = held(ways)
    assert client.alive
    client.close()
    assert ways.board.settings() == ways.before
    assert not client.alive
    with pytest.raises(DeviceError, match=r"the root helper has ended\. `sudo .*restore` restores the board"):
        client.ask("status")
    client.close()


def test_a_refusal_is_an_error_and_the_connection_stays(ways: Ways) -> None:
    client = ways.client()
    with pytest.raises(DeviceError, match="could not apply: hold the board first"):
        client.ask("apply", mode=LOW)
    assert client.ask("status")["held"] is False
    client.close()


def test_a_helper_that_is_killed_is_missed_and_the_next_start_restores(ways: Ways) -> None:
    client = held(ways)
    ways.kill(client)
    with pytest.raises(DeviceError, match=r"the root helper has ended"):
        client.ask("status")
    assert not client.alive
    if ways.service is None:
        ways.client().close()
    assert ways.board.settings() == ways.before, "a service restores the board before it ends the connection"


def test_a_second_client_waits_its_turn(ways: Ways) -> None:
    client, other = held(ways), ways.client()
    with pytest.raises(DeviceError, match="another process holds this board"):
        other.ask("hold")
    client.close()
    other.ask("hold")
    other.close()


def test_a_forked_child_does_not_keep_the_board(ways: Ways) -> None:
    """The parent closes, and then one is killed, while a child of each lives on."""
    client = held(ways)
    with sleeping_child():
        client.close()
        assert ways.board.settings() == ways.before
    start = f"Path({str(ways.start)!r})" if isinstance(ways.start, Path) else repr(ways.start)
    script = (
        "import os, signal\nfrom pathlib import Path\n"
        "from lightning_powertrain.devices.helper_client import HelperClient\n"
        f"client = HelperClient({start}); client.ask('hold'); client.ask('apply', mode={LOW})\n"
        "if child := os.fork(): print(child, flush=True)\n"
        "signal.pause()\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert ways.board.settings() != ways.before
        parent.kill()
        parent.wait()
        assert ways.is_back()
        os.kill(child, signal.SIGKILL)


@contextmanager
def sleeping_child() -> Iterator[None]:
    """A child that was forked by this process, hooks and all."""
    child = os.fork()
    if not child:
        signal.pause()
        os._exit(0)
    try:
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def as_user(monkeypatch: pytest.MonkeyPatch, number: int = 65534) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: number)


def test_the_service_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "board").mkdir()
    PlainBoard(tmp_path / "board")
    socket_path = tmp_path / "helper.sock"
    with serving(socket_path, helper_command(tmp_path / "board")):
        monkeypatch.setattr(
            "lightning_powertrain.devices.helper_client.usual_transport", lambda: usual_transport(socket_path)
        )
        client = HelperClient()
        assert client.way == "service"
        client.close()


def test_then_root_and_then_sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helper_ways, "HelperProcess", lambda command: command)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert usual_transport(tmp_path / "none", tmp_path)[:2] == [sys.executable, "-ISB"]
    as_user(monkeypatch)
    with pytest.raises(DeviceError, match=r"is not installed: `sudo .*powertrain setup-helper` installs it"):
        usual_transport(tmp_path / "none", tmp_path)
    marker = tmp_path / "roothelper/INSTALLED"
    marker.parent.mkdir()
    marker.write_text("service\n")
    with pytest.raises(DeviceError, match=r"does not listen: `sudo systemctl enable --now powertrain-helper\.socket`"):
        usual_transport(tmp_path / "none", tmp_path)
    marker.write_text("sudo\n")
    assert usual_transport(tmp_path / "none", tmp_path) == ["sudo", "-n", str(tmp_path / "powertrain-helper")]


def test_a_socket_that_nobody_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "helper.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    as_user(monkeypatch)
    with pytest.raises(DeviceError, match=f"no process listens on the root helper's socket .*: {FIX} starts"):
        usual_transport(path, tmp_path)


def test_a_queue_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "helper.sock"
    monkeypatch.setattr(helper_transport, "_BACKLOG_PATIENCE_S", 0.1)
    as_user(monkeypatch)
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.bind(str(path))
        listener.listen(0)
        waiting = stack.enter_context(socket.socket(socket.AF_UNIX))
        waiting.connect(str(path))
        with pytest.raises(DeviceError, match=f"takes no more connections, because too many wait: {FIX}"):
            usual_transport(path, tmp_path)


@pytest.mark.parametrize(
    ("user", "members", "says"),
    [
        ("alice", [], r"may not use .*: `sudo gpasswd -a alice powertrain` allows it, from the next login on"),
        ("alice", ["alice"], r"alice is in the group powertrain, but not in this login: log in again, or .*`newgrp"),
        ("", [], r"In a container: `docker run --group-add \$\(getent group powertrain \| cut -d: -f3\) \.\.\.`"),
    ],
)
def test_a_user_who_is_not_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: str, members: list[str], says: str
) -> None:
    def refused(path: Path) -> HelperService:
        raise PermissionError(13, "Permission denied", str(path))

    def name(number: int) -> pwd.struct_passwd:
        if not user:
            raise KeyError(number)
        return pwd.struct_passwd((user, "x", number, number, "", "/", "/bin/sh"))

    monkeypatch.setattr(helper_ways, "HelperService", refused)
    monkeypatch.setattr(pwd, "getpwuid", name)
    monkeypatch.setattr(grp, "getgrnam", lambda name: grp.struct_group((name, "x", 990, members)))
    as_user(monkeypatch)
    with pytest.raises(DeviceError, match=says):
        usual_transport(tmp_path / "helper.sock", tmp_path)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ("", r"the root helper's service ended the connection before it answered: `sudo journalctl -n 20 -u"),
        (
            '{"ok": true, "protocol": 99}\n',
            r"of another version: `sudo .*setup-helper` updates it, on the board itself",
        ),
        ("nonsense\n", "the root helper"),
    ],
)
def test_a_service_that_does_not_do_as_it_should(tmp_path: Path, answer: str, says: str) -> None:
    command = ["/bin/sh", "-c", f"read line; printf '{answer}'" if answer else "exit 1"]
    with serving(tmp_path / "helper.sock", command), pytest.raises(DeviceError, match=says):
        HelperClient(tmp_path / "helper.sock")


def test_a_service_that_keeps_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helper_client, "_PATIENCE_S", 0.2)
    with serving(tmp_path / "helper.sock", ["/bin/sh", "-c", "cat > /dev/null"]), pytest.raises(DeviceError) as raised:
        HelperClient(tmp_path / "helper.sock")
    assert str(raised.value) == "the root helper did not answer within 0 s"
