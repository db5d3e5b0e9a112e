"""What a client may ask: one line of JSON per request, one per answer.

======================================================  ====================================================
``{"do": "status"}``                                    the knobs with their values, and the mode the board has
``{"do": "hold"}``                                      lock the board and save its state to disk
``{"do": "apply", "mode": {"gpu_hz": 306000000, ...}}``  set knobs to values of their tables; only while held
``{"do": "restore"}``                                   put everything back, and let go
======================================================  ====================================================

Anything else is refused. When the client closes the pipe or dies, or a signal asks the helper to end, it restores. A
snapshot that a killed helper left behind is restored by the next one when it starts.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from lightning_powertrain.devices.roothelper import switching
from lightning_powertrain.devices.roothelper.heat import lowering
from lightning_powertrain.devices.roothelper.knobs import find_knobs
from lightning_powertrain.devices.roothelper.snapshot import Store

PROTOCOL = 1
LONGEST_LINE = 4096
STATE = "run/lightning-powertrain"
_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class RequestError(Exception):
    """The client asked for something that it cannot have."""


class Keeper:
    """Keeps one board: knows its knobs, and how it was before.

    Args:
        root: Where the board's file systems are.
        store: Where its state is kept.
    """

    def __init__(self, root: Path, store: Store) -> None:
        self._root = root
        self._store = store
        self._knobs = find_knobs(root)
        self._held = False
        self._owes = False
        self._recovered = False

    def answer(self, line: bytes) -> dict[str, Any]:
        """The answer to one request."""
        try:
            request = _parsed(line)
            asked = getattr(self, f"_{request.pop('do')}")
            return {"ok": True, **asked(**request)}
        except RequestError as error:
            return {"ok": False, "error": str(error)}
        except OSError as error:
            return {"ok": False, "error": f"the board refused: {error}"}

    def recover(self) -> None:
        """Put back what a helper that was killed left behind, unless another one is at work."""
        if self._store.lock():
            self._recovered = bool(self._store.load())
            self._put_back_and_let_go()

    def end(self) -> None:
        """Leave the board as it was found; what it refused to take back before is tried once more."""
        if (self._held or self._owes) and self._store.lock():
            self._put_back_and_let_go()

    def _status(self) -> dict[str, Any]:
        known = self._knobs.known()
        sleepers = self._knobs.clocks if self._knobs.hidden_cpus() else ()
        return {
            "protocol": PROTOCOL,
            "held": self._held,
            "recovered": self._recovered,
            "knobs": {name: {"role": knob.role, "values": knob.values} for name, knob in known.items()},
            "asleep": [clock.name for clock in sleepers if clock.role == "cpu" and not clock.values],
            "mode": self._knobs.read(),
        }

    def _hold(self) -> dict[str, Any]:
        if self._held:
            return self._status()
        if not self._store.lock():
            raise RequestError("another process holds this board")
        try:
            if self._put_back():
                raise RequestError("the board cannot be put back to what it was before: restore it first")
            self._knobs = find_knobs(self._root)
            saved = self._own_texts()
            self._store.save(saved)
            self._held = True
        finally:
            if not self._held:
                self._store.unlock()
        if self._knobs.hidden_cpus():
            try:
                self._look_at_sleepers(saved)
            except (OSError, RequestError):
                self._put_back_and_let_go()
                raise
        return self._status()

    def _own_texts(self) -> dict[Path, str]:
        """What the files of the board say, if that is what was set."""
        texts = self._knobs.texts()
        if devices := lowering(self._root):
            raise RequestError(
                f"the board throttles ({', '.join(devices)}): its clock limits read lower than they were set, so they "
                "could not be put back; let it cool down first"
            )
        return texts

    def _look_at_sleepers(self, saved: dict[Path, str]) -> None:
        """Learn and save the clocks of cores that are asleep: while they are, their files are not there."""
        switching.wake_all(self._knobs)
        self._knobs = find_knobs(self._root)
        self._store.save({**self._own_texts(), **saved})
        switching.put_back(self._knobs, saved)

    def _apply(self, mode: Any) -> dict[str, Any]:
        if not self._held:
            raise RequestError("hold the board first")
        known = self._knobs.known()
        if not isinstance(mode, dict) or not mode or not set(mode) <= set(known):
            raise RequestError(f"a mode sets these knobs: {', '.join(known)}")
        for name, value in mode.items():
            if type(value) is not int or value not in known[name].values:
                raise RequestError(f"{name} takes only these values: {', '.join(map(str, known[name].values))}")
        return {"mode": switching.apply(self._knobs, mode)}

    def _restore(self) -> dict[str, Any]:
        if not self._store.lock():
            raise RequestError("another process holds this board")
        differing = self._put_back_and_let_go()
        return {"differing": [str(path) for path in differing], "mode": self._knobs.read()}

    def _put_back_and_let_go(self) -> list[Path]:
        try:
            return self._put_back()
        finally:
            self._held = False
            self._store.unlock()

    def _put_back(self) -> list[Path]:
        """Restore what was saved; what could not be restored is returned, and stays saved for another try."""
        saved = self._store.load()
        differing = switching.put_back(self._knobs, saved) if saved else []
        if differing:
            differing = switching.put_back(find_knobs(self._root), saved)
        self._owes = bool(differing)
        if not differing:
            self._store.forget()
        return differing


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        request = None
    if not isinstance(request, dict) or request.get("do") not in ("status", "hold", "apply", "restore"):
        raise RequestError('a request is {"do": "status"}, "hold", "apply" with a "mode", or "restore", in one line')
    if set(request) != ({"do", "mode"} if request["do"] == "apply" else {"do"}):
        raise RequestError("a request has no other fields")
    return request


def requests(source: int, ending: socket.socket) -> Iterator[bytes | None]:
    """Lines from a pipe until it closes or a signal ends the helper; None for one that is too long."""
    pending, too_long = b"", False
    while True:
        ready, _, _ = select.select([source, ending.fileno()], [], [])
        if ending.fileno() in ready:
            return
        part = os.read(source, LONGEST_LINE)
        if not part:
            return
        *lines, pending = (pending + part).split(b"\n")
        for line in lines:
            yield None if too_long or len(line) > LONGEST_LINE else line
            too_long = False
        if len(pending) > LONGEST_LINE:
            pending, too_long = b"", True


def serve(keeper: Keeper, source: int, target: int, ending: socket.socket) -> None:
    """Answer requests, and leave the board as it was found, however this ends."""
    try:
        keeper.recover()
        for line in requests(source, ending):
            answer = keeper.answer(line) if line is not None else {"ok": False, "error": "this line is too long"}
            reply = json.dumps(answer).encode() + b"\n"
            while reply:
                reply = reply[os.write(target, reply) :]
    except BrokenPipeError:
        pass
    finally:
        keeper.end()


def main(arguments: Sequence[str]) -> int:
    """Serve until the client is gone. ``--root FOLDER`` is for tests; an installed helper refuses it."""
    root = Path("/")
    if arguments:
        installed = (Path(__file__).parent / "INSTALLED").exists() or "SUDO_UID" in os.environ
        if installed or len(arguments) != 2 or arguments[0] != "--root":
            print('{"ok": false, "error": "this helper takes no arguments"}', flush=True)  # noqa: T201
            return 2
        root = Path(arguments[1]).resolve()
    elif os.geteuid() != 0:
        print('{"ok": false, "error": "this helper must run as root"}', flush=True)  # noqa: T201
        return 2
    with contextlib.suppress(PermissionError):
        os.setsid()
    os.umask(0o077)
    os.chdir("/")
    ending, wake = socket.socketpair()
    wake.setblocking(False)
    for number in _ENDING:
        # The handler does nothing: the wake-up byte ends the wait for a request, and no write to the board is cut off.
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(wake.fileno())
    serve(Keeper(root, Store(root / STATE, root)), sys.stdin.fileno(), sys.stdout.fileno(), ending)
    return 0
