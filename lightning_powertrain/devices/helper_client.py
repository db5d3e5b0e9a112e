"""The unprivileged end of the root helper: asks it, and says what to do when it does not answer."""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning_powertrain.devices.helper_transport import HelperProcess, HelperService, Transport
from lightning_powertrain.devices.helper_ways import UNIT, powertrain_command, usual_transport
from lightning_powertrain.errors import DeviceError

_PROTOCOL = 2
_PATIENCE_S = 30.0
_LONGEST_ERROR = 4096
_HARMLESS = re.compile(r"sudo: (unable to resolve host|unable to send audit message|setrlimit\()")
"""What sudo says before it goes on as if nothing were the matter."""
_REFUSED = re.compile(r"sudo:|.*(not allowed to (execute|run)|not in the sudoers|may not run sudo)")


class HelperClient:
    """A running helper. Closing it, or the end of this process however it comes, makes the helper restore the board.

    Args:
        start: The command that starts it, or the socket of the service that does; None for the usual way.

    Raises:
        DeviceError: If it cannot be started, or does not answer.
    """

    def __init__(self, start: Sequence[str] | Path | None = None) -> None:
        self._lock = threading.Lock()
        self._pending = b""
        self._errors = b""
        self._has_answered = False
        self._transport = _transport(start)
        self._finalizer = weakref.finalize(self, self._transport.end, _PATIENCE_S)
        _open_clients.add(self)
        if self.ask("status").get("protocol") != _PROTOCOL:
            self.close()
            fix = powertrain_command("setup-helper")
            where = ", on the board itself and not in a container" if self.way == "service" else ""
            raise DeviceError(f"the installed root helper is of another version: `{fix}` updates it{where}")

    @property
    def way(self) -> str:
        """How the helper was started: ``"service"``, ``"root"`` or ``"sudo"``."""
        return self._transport.way

    @property
    def alive(self) -> bool:
        """Whether the helper still runs and listens."""
        return self._finalizer.alive and self._transport.alive

    def ask(self, do: str, **fields: Any) -> Mapping[str, Any]:
        """Send one request and return the answer.

        Raises:
            DeviceError: If the helper refuses, fails, has ended or takes too long.
        """
        with self._lock:
            try:
                answer = json.loads(self._exchange(json.dumps({"do": do, **fields}).encode() + b"\n"))
            except (OSError, ValueError, EOFError) as error:
                message = self._what_happened()
                self.close()
                raise DeviceError(message) from error
            except BaseException:  # Ctrl-C: the answer that is on its way would be taken for that to the next request
                self.close()
                raise
        if not answer.get("ok"):
            raise DeviceError(f"the root helper could not {do}: {answer.get('error')}")
        return dict(answer)

    def close(self) -> None:
        """Let the helper restore the board and end; returns once it has."""
        _open_clients.discard(self)
        self._finalizer()

    def _exchange(self, line: bytes) -> bytes:
        """Write a line, wait for one."""
        self._transport.send(line)
        end_s = time.monotonic() + _PATIENCE_S
        with selectors.DefaultSelector() as selector:
            selector.register(self._transport.answers, selectors.EVENT_READ)
            if self._transport.errors is not None:
                selector.register(self._transport.errors, selectors.EVENT_READ)
            while b"\n" not in self._pending:
                ready = selector.select(end_s - time.monotonic())
                if not ready:
                    raise TimeoutError
                for key, _ in ready:
                    part = os.read(key.fd, 65536)
                    if key.fd == self._transport.answers:
                        if not part:
                            raise EOFError
                        self._pending += part
                    elif part:
                        self._errors = (self._errors + part)[-_LONGEST_ERROR:]
                    else:
                        selector.unregister(key.fileobj)
        answer, _, self._pending = self._pending.partition(b"\n")
        self._has_answered = True
        return answer

    def _what_happened(self) -> str:
        """Why there is no answer. A process that has answered was let in by sudo, whatever sudo said besides."""
        if not self._transport.has_ended(1.0):
            return f"the root helper did not answer within {_PATIENCE_S:.0f} s"
        if self._transport.way == "service" and not self._has_answered:
            return (
                "the root helper's service ended the connection before it answered: "
                f"`sudo journalctl -n 20 -u '{UNIT}*'` says why"
            )
        said = [line for line in self._last_errors() if not _HARMLESS.match(line)]
        reason = f" ({said[-1]})" if said else ""
        refused = [] if self._has_answered else [line for line in said if _REFUSED.match(line)]
        if any("no new privileges" in line for line in refused):
            return (
                "sudo cannot start the root helper: this process may gain no privileges (no_new_privs is set). Start "
                "the container without `--security-opt no-new-privileges`, the systemd unit without NoNewPrivileges=, "
                "or run the job as root"
            )
        if refused:
            fix = powertrain_command("setup-helper")
            return f"sudo does not let this user start the root helper ({refused[0]}): `{fix}` allows it"
        return f"the root helper has ended{reason}. `{powertrain_command('restore')}` restores the board"

    def _last_errors(self) -> list[str]:
        """The last lines on standard error; a process that outlives the helper may keep it open, so nothing waits."""
        with contextlib.suppress(OSError, ValueError):
            if (end := self._transport.errors) is not None:
                os.set_blocking(end, False)
                while part := os.read(end, 65536):
                    self._errors = (self._errors + part)[-_LONGEST_ERROR:]
        lines = self._errors.decode(errors="replace").splitlines()
        return [line.strip() for line in lines if line.strip()]

    def forget(self) -> None:
        """Close the pipes in a forked child, without a message: its copies would hide the death of its parent."""
        self._finalizer.detach()
        self._transport.drop()


def _transport(start: Sequence[str] | Path | None) -> Transport:
    if isinstance(start, Path):
        try:
            return HelperService(start)
        except OSError as error:
            raise DeviceError(f"the root helper's service cannot be reached: {error}") from error
    return usual_transport() if start is None else HelperProcess(start)


_open_clients: weakref.WeakSet[HelperClient] = weakref.WeakSet()


def _after_fork() -> None:
    for client in tuple(_open_clients):
        client.forget()
    _open_clients.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
