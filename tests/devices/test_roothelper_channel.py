"""A client that stops reading, or plays with its end, neither holds the board nor stops the helper."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from plain_board import PlainBoard, helper_command

from lightning_powertrain.devices.roothelper import channel
from lightning_powertrain.devices.roothelper.channel import Channel, ClientGoneError
from lightning_powertrain.devices.roothelper.server import STATE, Keeper, serve
from lightning_powertrain.devices.roothelper.snapshot import Store

HOLD = b'{"do": "hold"}\n'
APPLY = b'{"do": "apply", "mode": {"gpu_hz": 114750000}}\n'
STATUS = b'{"do": "status"}\n'


@pytest.fixture
def ending() -> Iterator[tuple[socket.socket, socket.socket]]:
    """What a signal makes readable, and what makes it so."""
    here, there = socket.socketpair()
    with here, there:
        yield here, there


def flood(pipe: int) -> None:
    """Ask until the answers fill their pipe, and then the requests theirs."""
    os.set_blocking(pipe, False)
    stuck = 0
    while stuck < 20:
        try:
            os.write(pipe, STATUS)
            stuck = 0
        except BlockingIOError:
            stuck += 1
            threading.Event().wait(0.02)


def fill(write: Callable[[bytes], int]) -> None:
    while True:
        try:
            write(bytes(1024))
        except BlockingIOError:
            return


@pytest.mark.parametrize("kind", ["pipes", "socket"])
def test_a_client_that_stops_reading_loses_the_board(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: tuple[socket.socket, socket.socket]
) -> None:
    monkeypatch.setattr(channel, "PATIENCE_S", 0.3)
    board = PlainBoard(tmp_path)
    before = board.settings()
    keeper = Keeper(tmp_path, Store(tmp_path / STATE, tmp_path))
    if kind == "pipes":
        (source, requests), (answers, target) = os.pipe(), os.pipe()
    else:
        here, there = socket.socketpair()
        source = target = there.detach()
        requests = answers = here.detach()
    own = Channel(source, target, ending[0])
    helper = threading.Thread(target=serve, args=(keeper, own))
    helper.start()
    os.write(requests, HOLD + APPLY)
    answered = b""
    while answered.count(b"\n") < 2:
        answered += os.read(answers, 4096)
    assert board.settings() != before
    flood(requests)
    helper.join(60)
    assert board.settings() == before
    own.close()
    for end in {source, requests, answers, target}:
        os.close(end)


def test_a_signal_ends_a_helper_whose_client_does_not_read(tmp_path: Path) -> None:
    board = PlainBoard(tmp_path)
    before = board.settings()
    pipe = subprocess.PIPE
    with subprocess.Popen(helper_command(tmp_path), stdin=pipe, stdout=pipe, bufsize=0) as helper:
        assert helper.stdin is not None
        assert helper.stdout is not None
        helper.stdin.write(HOLD + APPLY)
        for _ in range(2):
            assert json.loads(helper.stdout.readline())["ok"]
        assert board.settings() != before
        flood(helper.stdin.fileno())
        helper.send_signal(signal.SIGTERM)
        assert helper.wait(20) == 0
        assert board.settings() == before


def test_a_pipe_that_the_client_makes_blocking_does_not_block(
    monkeypatch: pytest.MonkeyPatch, ending: tuple[socket.socket, socket.socket]
) -> None:
    """A client that fills the pipe between the look at it and the write to it."""
    answers, target = os.pipe()
    nothing = os.open(os.devnull, os.O_RDONLY)
    sending = Channel(nothing, target, ending[0])
    os.set_blocking(target, False)
    fill(lambda data: os.write(target, data))
    os.set_blocking(target, True)
    looks = iter([True, True, False])
    monkeypatch.setattr(sending, "_wait", lambda *_: next(looks))
    with pytest.raises(ClientGoneError):
        sending.send(b"an answer\n")
    sending.close()
    for end in (answers, target, nothing):
        os.close(end)


def test_a_socket_that_the_client_makes_blocking_does_not_block(
    monkeypatch: pytest.MonkeyPatch, ending: tuple[socket.socket, socket.socket]
) -> None:
    here, there = socket.socketpair()
    with here, there:
        sending = Channel(there.fileno(), there.fileno(), ending[0])
        fill(lambda data: there.send(data, socket.MSG_DONTWAIT))
        looks = iter([True, True, False])
        monkeypatch.setattr(sending, "_wait", lambda *_: next(looks))
        with pytest.raises(ClientGoneError):
            sending.send(b"an answer\n")
        sending.close()


def test_a_signal_that_came_first_ends_it_before_the_next_request(
    ending: tuple[socket.socket, socket.socket],
) -> None:
    here, there = socket.socketpair()
    with here, there:
        here.send(STATUS)
        ending[1].send(b"\x0f")
        receiving = Channel(there.fileno(), there.fileno(), ending[0])
        assert list(receiving.requests()) == []
        receiving.close()


def test_files_are_refused(tmp_path: Path) -> None:
    PlainBoard(tmp_path)
    with tempfile.TemporaryFile() as file:
        file.write(HOLD)
        file.seek(0)
        done = subprocess.run(helper_command(tmp_path), stdin=file, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (2, b"")
    assert json.loads(done.stdout)["error"] == "the helper reads and writes pipes, sockets and /dev/null only"


def test_a_client_that_is_gone_before_the_first_answer_is_no_error(tmp_path: Path) -> None:
    PlainBoard(tmp_path)
    answers, target = os.pipe()
    os.close(answers)
    with os.fdopen(target, "wb") as output:
        done = subprocess.run(
            helper_command(tmp_path), input=STATUS, stdout=output, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (0, b"")
