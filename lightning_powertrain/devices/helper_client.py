"""The unprivileged end of the root helper: starts it, asks, and says what to do when it cannot."""

from __future__ import annotations

import contextlib
import json
import os
import re
import selectors
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning_powertrain.devices import roothelper
from lightning_powertrain.errors import DeviceError

INSTALL_FOLDER = Path("/usr/local/libexec/lightning-powertrain")
LAUNCHER = "powertrain-helper"
"""The executable in that folder: a script, because what is named in a sudoers rule must not be an interpreter."""

SOURCE_FOLDER = Path(roothelper.__file__).parent
PYTHON_FLAGS = "-ISB"
"""Isolated, without site-packages, without leaving byte code behind."""

_PROTOCOL = 1
_PATIENCE_S = 30.0
_LONGEST_ERROR = 4096
_HARMLESS = re.compile(r"sudo: (unable to resolve host|unable to send audit message|setrlimit\()")
"""What sudo says before it goes on as if nothing were the matter."""
_REFUSED = re.compile(r"sudo:|.*(not allowed to (execute|run)|not in the sudoers|may not run sudo)")


def powertrain_command(*arguments: str) -> str:
    """What to type to run a ``powertrain`` command as root: sudo does not look into virtual environments."""
    script = Path(sys.executable).with_name("powertrain")
    return " ".join(("sudo", str(script) if script.exists() else "powertrain", *arguments))


def helper_command(install_folder: Path = INSTALL_FOLDER) -> list[str]:
    """How the helper is started here: directly as root, else through sudo.

    Raises:
        DeviceError: If it needs root and is not installed.
    """
    if os.geteuid() == 0:
        return [sys.executable, PYTHON_FLAGS, str(SOURCE_FOLDER)]
    launcher = install_folder / LAUNCHER
    if not launcher.exists():
        raise DeviceError(
            f"setting a power mode needs root, and the helper that does it is not installed: "
            f"`{powertrain_command('setup-helper')}` installs it"
        )
    return ["sudo", "-n", str(launcher)]


class HelperClient:
    """A running helper. Closing it, or the end of this process however it comes, makes the helper restore the board.

    Args:
        command: How to start it; None for the usual way.

    Raises:
        DeviceError: If it cannot be started, or does not answer.
    """

    def __init__(self, command: Sequence[str] | None = None) -> None:
        self._lock = threading.Lock()
        self._pending = b""
        self._errors = b""
        self._has_answered = False
        self._process = _start(command or helper_command())
        self._finalizer = weakref.finalize(self, _end, self._process)
        _open_clients.add(self)
        if self.ask("status").get("protocol") != _PROTOCOL:
            self.close()
            fix = powertrain_command("setup-helper")
            raise DeviceError(f"the installed root helper is of another version: `{fix}` updates it")

    @property
    def alive(self) -> bool:
        """Whether the helper still runs and listens."""
        return self._finalizer.alive and self._process.poll() is None

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
        """Let the helper put the board back and end; returns once it has."""
        _open_clients.discard(self)
        self._finalizer()

    def _exchange(self, line: bytes) -> bytes:
        """Write a line, wait for one."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._process.stdin.write(line)
        end_s = time.monotonic() + _PATIENCE_S
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            selector.register(self._process.stderr, selectors.EVENT_READ)
            while b"\n" not in self._pending:
                ready = selector.select(end_s - time.monotonic())
                if not ready:
                    raise TimeoutError
                for key, _ in ready:
                    part = os.read(key.fd, 65536)
                    if key.fileobj is self._process.stdout:
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
        try:
            self._process.wait(1.0)
        except (subprocess.TimeoutExpired, ValueError):
            return f"the root helper did not answer within {_PATIENCE_S:.0f} s"
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
        return f"the root helper has ended{reason}. `{powertrain_command('restore')}` puts the board back"

    def _last_errors(self) -> list[str]:
        """The last lines on standard error; a process that outlives the helper may keep it open, so nothing waits."""
        assert self._process.stderr is not None
        with contextlib.suppress(OSError, ValueError):
            os.set_blocking(self._process.stderr.fileno(), False)
            while part := os.read(self._process.stderr.fileno(), 65536):
                self._errors = (self._errors + part)[-_LONGEST_ERROR:]
        lines = self._errors.decode(errors="replace").splitlines()
        return [line.strip() for line in lines if line.strip()]

    def forget(self) -> None:
        """Let go of the pipes without a word: for a forked child, whose copies would hide its parent's death."""
        self._finalizer.detach()
        self._process.returncode = 0
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    plain_words = {**os.environ, "LC_ALL": "C"}
    try:
        # A session of its own: Ctrl-C in the terminal of the training is not for the helper.
        return subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, start_new_session=True, env=plain_words
        )
    except OSError as error:
        raise DeviceError(f"the root helper cannot be started: {error}") from error


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    assert process.stderr is not None
    # Nobody reads errors from here on: a pipe of them that is full must not keep the helper from ending.
    for pipe in (process.stdin, process.stderr):
        pipe.close()
    # It belongs to root: where it does not end, all that can be done is to let go. It restores whenever it comes to.
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_PATIENCE_S)
    if process.stdout is not None:
        process.stdout.close()


_open_clients: weakref.WeakSet[HelperClient] = weakref.WeakSet()


def _after_fork() -> None:
    for client in tuple(_open_clients):
        client.forget()
    _open_clients.clear()


os.register_at_fork(after_in_child=_after_fork)
