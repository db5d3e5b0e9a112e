"""What a test must not leave behind: threads and child processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Union

import psutil

# Workers of a data loader and the like are asked to end, and take a moment.
_PATIENCE_S = 5.0

_MAY_STAY = {
    "TMonitor": "tqdm has one thread that watches over all bars, to the end of the process",
    "multiprocessing.resource_tracker": "multiprocessing starts one with its first semaphore, for all that follow",
    "multiprocessing.forkserver": "multiprocessing starts one for all jobs that are forked from it",
    "virtual_board.serve": "a virtual board is mounted once for all tests that use it",
}

Running = Union[threading.Thread, psutil.Process]


def running() -> set[Running]:
    """Threads and child processes of this process, their children included."""
    return {*threading.enumerate(), *_descendants(psutil.Process())}


def left_since(before: Collection[Running]) -> list[str]:
    """Those that run now and did not before, after some time to end; without those that may stay."""
    end_s = time.monotonic() + _PATIENCE_S
    while True:
        names = [_name(each) for each in running() - set(before)]
        left = [name for name in names if not any(allowed in name for allowed in _MAY_STAY)]
        if not left or time.monotonic() > end_s:
            return left
        time.sleep(0.02)


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    """As psutil's ``children``, which reads about all processes of the computer: milliseconds, twice for every test."""
    listed = list(Path(f"/proc/{process.pid}/task").glob("*/children"))
    if not listed:  # The process has ended, or this kernel or system has no such files.
        return process.children(recursive=True)
    found: list[psutil.Process] = []
    for file in listed:
        with suppress(OSError, psutil.NoSuchProcess):  # It has ended meanwhile.
            children = [psutil.Process(int(pid)) for pid in file.read_text(encoding="ascii").split()]
            found += children + [each for child in children for each in _descendants(child)]
    return found


def _name(each: Running) -> str:
    if isinstance(each, threading.Thread):
        return f"thread {each.name} ({type(each).__name__})"
    try:
        return f"process {each.pid} ({each.status()}): {' '.join(each.cmdline())}"
    except psutil.NoSuchProcess:  # It has just ended: the next look will not find it.
        return f"process {each.pid}"
