"""What systemd does for a socket with Accept=yes: it starts a helper for each connection, as its input and output."""

from __future__ import annotations

import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


class SocketService:
    """Listens on a socket until it is closed.

    Args:
        path: Of the socket.
        command: What is started for each connection.
        then: What is started after it has ended, as ExecStopPost= is; the connection stays open until it has.
    """

    def __init__(self, path: Path, command: Sequence[str], then: Sequence[str] = ()) -> None:
        self.path = path
        self.started: list[subprocess.Popen[bytes]] = []
        self._command, self._then = command, then
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(path))
        self._socket.listen()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Listen no more, and wait for all helpers."""
        self._socket.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._socket.close()
        self.path.unlink()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.started.append(subprocess.Popen(self._command, stdin=connection, stdout=connection))
            self._threads.append(threading.Thread(target=self._wait_for, args=(self.started[-1], connection)))
            self._threads[-1].start()

    def _wait_for(self, process: subprocess.Popen[bytes], connection: socket.socket) -> None:
        with connection:
            process.wait()
            if self._then:
                subprocess.run(self._then, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)


@contextmanager
def serving(path: Path, command: Sequence[str], then: Sequence[str] = ()) -> Iterator[SocketService]:
    """A service that listens inside of the block."""
    service = SocketService(path, command, then)
    try:
        yield service
    finally:
        service.close()
