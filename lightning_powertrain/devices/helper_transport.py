"""How requests reach the root helper: over pipes to a child process, or over a socket that a service listens on."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from lightning_powertrain.errors import DeviceError

_BACKLOG_PATIENCE_S = 3.0
_BACKLOG_STEP_S = 0.05


class Transport(Protocol):
    """One connection to one helper. Its end, however it comes, makes the helper restore the board."""

    way: str
    """``"root"``, ``"sudo"`` or ``"service"``."""

    @property
    def answers(self) -> int:
        """The descriptor to read answers from."""

    @property
    def errors(self) -> int | None:
        """The descriptor of the helper's messages, where there are any."""

    @property
    def alive(self) -> bool:
        """Whether the helper still listens."""

    def send(self, data: bytes) -> None:
        """Send a request.

        Raises:
            OSError: If the helper has ended.
        """

    def has_ended(self, patience_s: float) -> bool:
        """Wait for the end of the helper, for a while."""

    def end(self, patience_s: float) -> None:
        """Let the helper restore the board, and wait until it has."""

    def drop(self) -> None:
        """Close what a forked child has inherited, without a message: its copies would hide its parent's death."""


class HelperProcess:
    """A helper that is a child of this process.

    Args:
        command: How to start it.

    Raises:
        DeviceError: If it cannot be started.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.way = "sudo" if command[0] == "sudo" else "root"
        pipe = subprocess.PIPE
        plain_words = {**os.environ, "LC_ALL": "C"}
        try:
            # A session of its own: Ctrl-C in the terminal of the training is not for the helper.
            self.process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, start_new_session=True, env=plain_words
            )
        except OSError as error:
            raise DeviceError(f"the root helper cannot be started: {error}") from error
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self._input, self._output, self._errors = self.process.stdin, self.process.stdout, self.process.stderr

    @property
    def answers(self) -> int:
        return self._output.fileno()

    @property
    def errors(self) -> int | None:
        return self._errors.fileno()

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def send(self, data: bytes) -> None:
        self._input.write(data)

    def has_ended(self, patience_s: float) -> bool:
        try:
            self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def end(self, patience_s: float) -> None:
        # Nobody reads errors from here on: a pipe of them that is full must not keep the helper from ending.
        for pipe in (self._input, self._errors):
            pipe.close()
        # It belongs to root: where it does not end in time, nothing more can be done. It restores whenever it goes on.
        self.has_ended(patience_s)
        self._output.close()

    def drop(self) -> None:
        self.process.returncode = 0
        for pipe in (self._input, self._output, self._errors):
            pipe.close()


class HelperService:
    """A helper that a service starts for this connection.

    Args:
        path: The socket that the service listens on.

    Raises:
        OSError: If it cannot be reached.
    """

    way = "service"
    errors = None

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._connect(str(path))
        except BaseException:
            self._socket.close()
            raise

    def _connect(self, path: str) -> None:
        """A full queue of connections is tried again for a while."""
        self._socket.setblocking(False)
        end_s = time.monotonic() + _BACKLOG_PATIENCE_S
        while (number := self._socket.connect_ex(path)) == errno.EAGAIN and time.monotonic() < end_s:
            time.sleep(_BACKLOG_STEP_S)
        if number:
            raise OSError(number, os.strerror(number), path)
        self._socket.setblocking(True)

    @property
    def answers(self) -> int:
        return self._socket.fileno()

    @property
    def alive(self) -> bool:
        try:
            return bool(self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def has_ended(self, patience_s: float) -> bool:
        """The service keeps the connection open until the helper has ended, and what runs after it as well."""
        if self._socket.fileno() < 0:
            return True
        self._socket.settimeout(patience_s)
        with contextlib.suppress(ConnectionError):
            try:
                while self._socket.recv(4096):
                    pass
            except socket.timeout:
                return False
        return True

    def end(self, patience_s: float) -> None:
        with contextlib.suppress(OSError):  # Says goodbye for all copies of the socket, those of forked children too.
            self._socket.shutdown(socket.SHUT_WR)
            self.has_ended(patience_s)
        self._socket.close()

    def drop(self) -> None:
        self._socket.close()
