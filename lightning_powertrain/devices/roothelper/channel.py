"""Lines from a client and to it, over pipes or a socket.

Nothing that the client does, or leaves undone, makes the helper wait for longer than :data:`PATIENCE_S`, but for the
next request; and a signal ends every wait at once.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import stat
import struct
import sys
import time
from collections.abc import Iterator
from pathlib import Path

LONGEST_LINE = 4096
PATIENCE_S = 10.0
"""How long an answer may take to be read."""


class ClientGoneError(Exception):
    """The client does not read its answers any more, or a signal ended the wait for it."""


class Channel:
    """Where requests come from, and where answers go.

    Args:
        source: Descriptor to read from.
        target: Descriptor to write to.
        ending: Becomes readable when the helper is to end.

    Raises:
        ValueError: If a descriptor is a file or a terminal, where the other side could make a write wait for ever.
    """

    def __init__(self, source: int, target: int, ending: socket.socket) -> None:
        self._source = _own(source, os.O_RDONLY)
        self._target = _own(target, os.O_WRONLY)
        self._given = source, target
        self._ending = ending

    def requests(self) -> Iterator[bytes | None]:
        """Lines until the client closes its end or a signal ends the helper; None for a line that is too long."""
        pending, too_long = b"", False
        while part := self._received():
            *lines, pending = (pending + part).split(b"\n")
            for line in lines:
                yield None if too_long or len(line) > LONGEST_LINE else line
                too_long = False
            if len(pending) > LONGEST_LINE:
                pending, too_long = b"", True

    def send(self, line: bytes) -> None:
        """Return once the client's end has taken the line.

        Raises:
            ClientGoneError: If it has not within :data:`PATIENCE_S`, or has closed, or a signal came.
        """
        end_s = time.monotonic() + PATIENCE_S
        while line:
            if not self._wait(self._target, select.POLLOUT, end_s):
                raise ClientGoneError
            try:
                line = line[_write(self._target, line) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise ClientGoneError from error

    def close(self) -> None:
        """Close what was opened here; the descriptors that were given stay open."""
        for end, given in ((self._source, self._given[0]), (self._target, self._given[1])):
            if isinstance(end, socket.socket):
                end.close()
            elif end != given:
                os.close(end)

    def _received(self) -> bytes:
        """What has come; nothing once nothing more will."""
        while self._wait(self._source, select.POLLIN):
            try:
                return _read(self._source)
            except BlockingIOError:
                continue
            except OSError:
                break
        return b""

    def _wait(self, end: int | socket.socket, event: int, end_s: float | None = None) -> bool:
        """Whether there is something to read or room to write; no if a signal came or the time is over."""
        poll = select.poll()
        poll.register(self._ending, select.POLLIN)
        poll.register(end, event)
        left_ms = None if end_s is None else max(0.0, end_s - time.monotonic()) * 1000
        ready = [number for number, _ in poll.poll(left_ms)]
        return bool(ready) and self._ending.fileno() not in ready


def _own(number: int, flags: int) -> int | socket.socket:
    """An end that never blocks, whatever the client does: whether a pipe blocks is a flag that it could share.

    Opened anew, a pipe has flags of its own. A socket cannot be opened anew, but takes the flag with every call.
    """
    kind = os.fstat(number).st_mode
    if stat.S_ISSOCK(kind):
        return socket.socket(fileno=os.dup(number))
    if stat.S_ISFIFO(kind):
        with contextlib.suppress(OSError):  # nobody has the other end open any more
            return os.open(f"/proc/self/fd/{number}", flags | os.O_NONBLOCK | os.O_CLOEXEC)
        os.set_blocking(number, False)
    elif not Path(os.devnull).samefile(f"/proc/self/fd/{number}"):
        raise ValueError("the helper reads and writes pipes, sockets and /dev/null only")
    return number


def _read(end: int | socket.socket) -> bytes:
    if isinstance(end, socket.socket):
        return end.recv(LONGEST_LINE, socket.MSG_DONTWAIT)
    return os.read(end, LONGEST_LINE)


def _write(end: int | socket.socket, data: bytes) -> int:
    if isinstance(end, socket.socket):
        return end.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
    return os.write(end, data)


def log_peer(number: int) -> None:
    """Print who opened the socket behind a descriptor to standard error, which a service sends to the journal.

    The kernel itself notes that, and nobody can pretend to be somebody else.
    """
    if not stat.S_ISSOCK(os.fstat(number).st_mode):
        return
    with socket.socket(fileno=os.dup(number)) as end:
        found = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    process, user, group = struct.unpack("3i", found)
    print(f"connection of user {user}, group {group}, process {process}", file=sys.stderr, flush=True)  # noqa: T201
