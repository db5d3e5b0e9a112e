"""What a client may ask: one line of JSON per request, one per answer.

======================================================  ====================================================
``{"do": "status"}``                                    the knobs with their values, and the mode the board has
``{"do": "hold"}``                                      lock the board and save its state to disk
``{"do": "apply", "mode": {"gpu_hz": 306000000, ...}}``  set knobs to values of their tables; only while held
``{"do": "restore"}``                                   restore everything, and release the board
``{"do": "keep"}``                                      leave the mode as it is, and release the board; while held
``{"do": "revert"}``                                    restore what was there before the first ``keep``
======================================================  ====================================================

Anything else is refused. The helper restores when the client closes its end, dies or stops reading, and when a signal
asks the helper to end. A snapshot that a killed helper left behind is restored by the next one when it starts. A mode
that was kept stays until ``revert`` or a reboot: later clients find it, and ``restore`` leads back to it.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning_powertrain.devices.roothelper import switching
from lightning_powertrain.devices.roothelper.channel import Channel, ClientGoneError, log_peer
from lightning_powertrain.devices.roothelper.discovery import find_knobs
from lightning_powertrain.devices.roothelper.heat import lowering
from lightning_powertrain.devices.roothelper.process import shed_inheritance, wake_on_signals
from lightning_powertrain.devices.roothelper.snapshot import StateError, Store, restorable

PROTOCOL = 2
STATE = "run/lightning-powertrain"
_VERBS = ("status", "hold", "apply", "restore", "keep", "revert")


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
        self._trouble: str | None = None

    def answer(self, line: bytes) -> dict[str, Any]:
        """The answer to one request."""
        try:
            request = _parsed(line)
            asked = getattr(self, f"_{request.pop('do')}")
            return {"ok": True, **asked(**request)}
        except (RequestError, StateError, switching.RefusedError) as error:
            return {"ok": False, "error": str(error)}
        except OSError as error:
            return {"ok": False, "error": f"the board refused: {error}"}

    def recover(self) -> None:
        """Restore what a helper that was killed left behind, unless another one is at work.

        The next status reports what goes wrong here: the helper that could repair it later has to start.
        """
        try:
            if self._store.lock():
                self._recovered, _ = self._restore_and_release()
        except StateError as error:
            self._trouble = str(error)
        except Exception as error:
            self._trouble = f"what an earlier helper saved cannot be restored: {error!r}"
            traceback.print_exc()

    def end(self) -> None:
        """Leave the board as it was found; what it refused to take back before is tried once more."""
        if (self._held or self._owes) and self._store.lock():
            self._restore_and_release()

    def _status(self) -> dict[str, Any]:
        known = self._knobs.known()
        sleepers = self._knobs.clocks if self._knobs.hidden_cpus() else ()
        return {
            "protocol": PROTOCOL,
            "held": self._held,
            "recovered": self._recovered,
            "kept": self._store.keeps,
            "knobs": {name: {"role": knob.role, "values": knob.values} for name, knob in known.items()},
            "asleep": [clock.name for clock in sleepers if clock.role == "cpu" and not clock.values],
            "mode": self._knobs.read(),
            "notes": self._notes(),
        }

    def _notes(self) -> list[str]:
        """What the user should know about the state of earlier helpers."""
        notes = [] if self._trouble is None else [self._trouble]
        if self._store.damaged is not None:
            notes.append(
                f"the settings that an earlier helper saved are damaged and were not restored; they are kept as "
                f"{self._store.damaged}. A reboot sets the board's own"
            )
        return notes

    def _hold(self) -> dict[str, Any]:
        if self._held:
            return self._status()
        if not self._store.lock():
            raise RequestError("another process holds this board")
        try:
            _, differing = self._restore_saved()
            if differing:
                raise RequestError("the board is not yet restored to its earlier settings: restore it first")
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
            except (OSError, RequestError, StateError):
                self._restore_and_release()
                raise
        return self._status()

    def _own_texts(self) -> dict[Path, str]:
        """What the files of the board say, if that is what was set, and can be set again."""
        devices = lowering(self._root)
        texts = restorable(self._knobs.texts())
        if lost := self._knobs.unsaved(texts):
            raise RequestError(f"these files show nothing that could be restored: {', '.join(map(str, lost))}")
        if devices := devices or lowering(self._root):
            raise RequestError(
                f"the board throttles ({', '.join(devices)}): its clock limits read lower than they were set, so they "
                "could not be restored; let it cool down first"
            )
        return texts

    def _look_at_sleepers(self, saved: dict[Path, str]) -> None:
        """Learn and save the clocks of cores that are asleep: while they are, their files are not there."""
        switching.wake_all(self._knobs)
        self._knobs = find_knobs(self._root)
        self._store.save({**self._own_texts(), **saved})
        switching.restore(self._knobs, saved)

    def _apply(self, mode: Any) -> dict[str, Any]:
        if not self._held:
            raise RequestError("hold the board first")
        known = self._knobs.known()
        if not isinstance(mode, dict) or not mode or not set(mode) <= set(known):
            raise RequestError(f"a mode sets these knobs: {', '.join(known)}")
        for name, value in mode.items():
            if type(value) is not int or value not in known[name].values:
                raise RequestError(f"{name} takes only these values: {', '.join(map(str, known[name].values))}")
        return {"mode": switching.apply(self._knobs, mode, self._store.load())}

    def _restore(self) -> dict[str, Any]:
        if not self._store.lock():
            raise RequestError("another process holds this board")
        _, differing = self._restore_and_release()
        self._trouble = None
        return {
            "differing": [str(path) for path in differing],
            "mode": self._knobs.read(),
            "notes": self._notes(),
        }

    def _keep(self) -> dict[str, Any]:
        if not self._held:
            raise RequestError("hold the board first")
        texts = self._store.load()
        if self._store.reclaim():  # What the board was like before the first mode that was kept takes precedence.
            texts = self._knobs.joined(self._store.load(), texts)
        self._store.keep(texts)
        self._held = False
        self._store.unlock()
        return {"mode": self._knobs.read(), "notes": self._notes()}

    def _revert(self) -> dict[str, Any]:
        """Restore the mode before a job that was killed first, and then the one before all that was kept."""
        if not self._store.lock():
            raise RequestError("another process holds this board")
        try:
            _, differing = self._restore_saved()
            reverted = not differing and self._store.reclaim()
            return {"reverted": reverted, **self._restore()}
        finally:
            self._held = False
            self._store.unlock()

    def _restore_and_release(self) -> tuple[bool, list[Path]]:
        try:
            return self._restore_saved()
        finally:
            self._held = False
            self._store.unlock()

    def _restore_saved(self) -> tuple[bool, list[Path]]:
        """Restore what was saved, if anything was; what could not be is returned and stays saved for another try."""
        saved = self._store.load()
        differing = switching.restore(self._knobs, saved) if saved else []
        if differing:
            differing = switching.restore(find_knobs(self._root), saved)
        self._owes = bool(differing)
        if not differing:
            self._store.forget()
        return bool(saved), differing


def _parsed(line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        request = None
    if not isinstance(request, dict) or request.get("do") not in _VERBS:
        verbs = ", ".join(_VERBS)
        raise RequestError(f'a request is {{"do": VERB}} in one line, "apply" with a "mode"; a VERB is one of {verbs}')
    if set(request) != ({"do", "mode"} if request["do"] == "apply" else {"do"}):
        raise RequestError("a request has no other fields")
    return request


def serve(keeper: Keeper, channel: Channel) -> None:
    """Answer requests, and leave the board as it was found, however this ends."""
    try:
        keeper.recover()
        for line in channel.requests():
            answer = keeper.answer(line) if line is not None else {"ok": False, "error": "this line is too long"}
            channel.send(json.dumps(answer).encode() + b"\n")
    except ClientGoneError:
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
    shed_inheritance()
    log_peer(sys.stdin.fileno())
    ending = wake_on_signals()
    try:
        channel = Channel(sys.stdin.fileno(), sys.stdout.fileno(), ending)
    except ValueError as error:
        print(json.dumps({"ok": False, "error": str(error)}), flush=True)  # noqa: T201
        return 2
    serve(Keeper(root, Store(root / STATE, root)), channel)
    return 0
