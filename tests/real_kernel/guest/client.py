"""A training process in miniature: another user's process that opens the board's device and sets what it receives."""

from __future__ import annotations

import multiprocessing
import os
import pwd
import signal
import threading
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

from lightning_powertrain.devices import SysfsDevice

_CONTEXT = multiprocessing.get_context("fork")


class Client:
    """A process of a user, which opened a :class:`SysfsDevice` of its own.

    Args:
        user: Name of the user.
        cgroup: The control group to enter first; None for that of this process.
        bound_to: CPUs that one of its threads is bound to; None for no such thread.
    """

    def __init__(self, user: str, cgroup: str | None = None, bound_to: set[int] | None = None) -> None:
        self._ours, theirs = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=_obey, args=(user, cgroup, bound_to, self._ours, theirs))
        self._process.start()
        theirs.close()
        self.helper_error: str | None = self._result()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def ask(self, do: str, *arguments: object) -> Any:
        """The result of a method of the device, or of one of the functions below; what it raises is raised here."""
        self._ours.send((do, arguments))
        return self._result()

    def apply(self, **mode: int) -> Mapping[str, int]:
        """Sets some knobs, and leaves the others as they are."""
        whole = {**dict(self.ask("current_mode")), **mode}
        return dict(self.ask("apply", whole))

    def kill(self) -> None:
        """Ends it as the kernel does when memory runs out."""
        self._process.kill()
        self._process.join()

    def close(self) -> None:
        if self._process.is_alive():
            self._ours.send(("end", ()))
            self._process.join()

    def _result(self) -> Any:
        try:
            result = self._ours.recv()
        except EOFError:
            self._process.join()
            raise RuntimeError(f"the client ended with {self._process.exitcode}") from None
        if isinstance(result, BaseException):
            raise result
        return result


def _obey(user: str, cgroup: str | None, bound_to: set[int] | None, parents: Connection, pipe: Connection) -> None:
    parents.close()
    if cgroup is not None:
        with open(f"{cgroup}/cgroup.procs", "w") as procs:  # noqa: PTH123
            procs.write(str(os.getpid()))
    entry = pwd.getpwnam(user)
    os.initgroups(user, entry.pw_gid)
    os.setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid)
    os.setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid)
    os.environ.update(HOME=entry.pw_dir, USER=user, LOGNAME=user)
    os.chdir("/")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    thread = _bound_thread(bound_to) if bound_to is not None else 0
    device = SysfsDevice()
    pipe.send(None if device.helper_error is None else str(device.helper_error))
    own = {
        "current_mode": lambda: dict(device.current_mode()),
        "apply": lambda mode: dict(device.apply(mode)),
        "tables": lambda: {knob.name: knob.values for knob in device.modes.knobs},
        "board": lambda: (device.board.key, device.board.title, device.board.identity),
        "power_w": lambda: device.read_power().total_w,
        "throttled_by": lambda: device.health().throttled_by,
        "masks": lambda: (os.sched_getaffinity(0), os.sched_getaffinity(thread)),
    }
    for do, arguments in iter(pipe.recv, ("end", ())):
        try:
            result = own[do](*arguments) if do in own else getattr(device, do)(*arguments)
        except Exception as error:
            result = error
        pipe.send(result)
    device.close()


def _bound_thread(cpus: set[int]) -> int:
    """A thread that sleeps, bound to some CPUs, and its number."""
    started, ids = threading.Event(), []

    def run() -> None:
        ids.append(threading.get_native_id())
        os.sched_setaffinity(0, cpus)
        started.set()
        threading.Event().wait()

    threading.Thread(target=run, daemon=True).start()
    started.wait()
    return ids[0]
