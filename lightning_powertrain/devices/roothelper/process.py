"""What the helper inherits from whoever started it, and the signals that end it.

A program starts with the limits, priorities, timers and blocked signals of its caller, and sudo passes most of them on.
None of them may end, slow down or stop a process that holds a board.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
from pathlib import Path

from lightning_powertrain.devices.roothelper.reading import read_cpus

_UNLIMITED = ("CPU", "FSIZE", "DATA", "STACK", "AS", "RTTIME")
_OPEN_FILES = 1024
_MOST_CPUS = 4096
_USUAL_SLACK_NS = "50000"
_LEAST_OOM_SCORE = "-1000"
_FAULTS = ("SIGSEGV", "SIGBUS", "SIGILL", "SIGFPE", "SIGTRAP")
"""The program cannot go on after one of these: a handler would return to the faulty instruction, for ever."""
_HARMLESS = ("SIGCHLD", "SIGCONT", "SIGURG", "SIGWINCH")
_UNCATCHABLE = ("SIGKILL", "SIGSTOP")


def ending_signals() -> list[int]:
    """Every signal that ends or stops a process and can be caught, the real-time signals included."""
    others = {getattr(signal, name) for name in (*_FAULTS, *_HARMLESS, *_UNCATCHABLE)}
    return sorted(set(signal.valid_signals()) - others)


def wake_on_signals() -> socket.socket:
    """Catch all these signals and return a socket that becomes readable when one of them arrives.

    The handlers do nothing, so that no write to the board is cut off in the middle.
    """
    ending, wake = socket.socketpair()
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.detach(), warn_on_full_buffer=False)
    for number in ending_signals():
        signal.signal(number, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    return ending


def shed_inheritance() -> None:
    """Reset what was inherited, as far as this user may; what cannot be reset is left as it is."""
    os.umask(0o077)
    os.chdir("/")
    with contextlib.suppress(PermissionError):  # this process leads its session already
        os.setsid()
    for timer in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF):
        signal.setitimer(timer, 0)
    for name in _UNLIMITED:
        _set_limit(getattr(resource, f"RLIMIT_{name}"), resource.RLIM_INFINITY)
    _set_limit(resource.RLIMIT_NOFILE, _OPEN_FILES)
    _set_limit(resource.RLIMIT_CORE, 0)
    _reset_priorities()
    _tell_kernel(Path("/proc/self/timerslack_ns"), _USUAL_SLACK_NS)
    _tell_kernel(Path("/proc/self/oom_score_adj"), _LEAST_OOM_SCORE)
    if "SUDO_UID" in os.environ:
        leave_control_groups(Path("/sys/fs/cgroup"))


def leave_control_groups(tree: Path) -> None:
    """Move to the top of every hierarchy of control groups.

    A user may own the group that sudo was called in, and freeze or kill all that is in it.

    Args:
        tree: Where they are mounted: version 2 itself, or a folder for each hierarchy of version 1.
    """
    for group in [tree] if (tree / "cgroup.procs").exists() else sorted(tree.glob("*")):
        _tell_kernel(group / "cgroup.procs", "0")


def _set_limit(which: int, wanted: int) -> None:
    """Only root may set more than the hard limit; a service may not even read what it is."""
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(which, (wanted, wanted))
        return
    with contextlib.suppress(OSError, ValueError):
        hard = resource.getrlimit(which)[1]
        resource.setrlimit(which, (hard, hard))


def _reset_priorities() -> None:
    """Only what differs: a service may forbid these system calls altogether."""
    with contextlib.suppress(OSError):
        if os.sched_getscheduler(0) != os.SCHED_OTHER:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    with contextlib.suppress(OSError):
        if os.getpriority(os.PRIO_PROCESS, 0) > 0:
            os.setpriority(os.PRIO_PROCESS, 0, 0)
    with contextlib.suppress(OSError):
        if not set(read_cpus(Path("/sys/devices/system/cpu/online"))) <= os.sched_getaffinity(0):
            os.sched_setaffinity(0, range(_MOST_CPUS))


def _tell_kernel(file: Path, text: str) -> None:
    with contextlib.suppress(OSError):
        target = os.open(file, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(target, text.encode("ascii"))
        finally:
            os.close(target)
