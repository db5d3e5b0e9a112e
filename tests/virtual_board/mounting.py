"""Mounting a virtual board from a test, and giving it orders."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ctypes.util import find_library
from functools import lru_cache
from pathlib import Path
from typing import Any

from virtual_board.specs import CONTROL, SPECS

BOARDS = tuple(SPECS)
_PATIENCE_S = 30.0


@lru_cache(maxsize=None)
def why_unavailable() -> str:
    """What is missing for mounting a board here; nothing if it can be done."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "/dev/fuse is missing or closed to this user"
    if shutil.which("fusermount3") is None:
        return "fusermount3 is missing (apt-get install fuse3)"
    if importlib.util.find_spec("mfusepy") is None:
        return "mfusepy is missing (pip install mfusepy)"
    if find_library("fuse3") is None:
        return "libfuse3 is missing (apt-get install fuse3)"
    return ""


class MountedBoard:
    """A board that is mounted.

    Args:
        name: Which one.
        root: The directory that stands for ``/`` of the board.
    """

    def __init__(self, name: str, root: Path) -> None:
        self.name = name
        self.root = root
        self._pristine = set(self._ask("disk"))

    def path(self, path: str) -> Path:
        """Where a path of the board is here."""
        return self.root / path.lstrip("/")

    def read(self, path: str) -> str:
        """Text of a file of the board, without the newline at its end."""
        return self.path(path).read_text(encoding="utf-8").rstrip("\n")

    def write(self, path: str, text: str | int) -> None:
        """Write a file of the board in one system call."""
        handle = os.open(self.path(path), os.O_WRONLY | os.O_TRUNC)
        try:
            os.write(handle, str(text).encode())
        finally:
            os.close(handle)

    def fail(self, path: str, code: int, on: str = "write", times: int | None = None, skip: int = 0) -> None:
        """Let reads or writes of a path (``*`` matches anything) fail with an errno, after ``skip`` that do not."""
        self._order("fault", operation=on, pattern=path, code=code, times=times, skip=skip)

    def delay(self, path: str, seconds: float, on: str = "write", times: int | None = None) -> None:
        """Let reads or writes of a path keep their caller waiting."""
        self._order("fault", operation=on, pattern=path, delay_s=seconds, times=times)

    def lag(self, path: str, seconds: float, times: int | None = None) -> None:
        """Let writes of a path return at once and take effect later."""
        self._order("fault", operation="write", pattern=path, lag_s=seconds, times=times)

    def ignore(self, path: str, times: int | None = None) -> None:
        """Let writes of a path be accepted and forgotten."""
        self._order("fault", operation="write", pattern=path, lag_s=math.inf, times=times)

    def hide(self, path: str) -> None:
        """Let a file or directory vanish."""
        self._order("hide", path=path)

    def reveal(self, path: str) -> None:
        """Let a file or directory that vanished come back."""
        self._order("reveal", path=path)

    def clear_faults(self) -> None:
        """Let nothing go wrong any more."""
        self._order("clear")

    def set_load(self, load: float) -> None:
        """Set how busy the board is, from 0 to 1; it boots at 1."""
        self._order("load", load=load)

    def heat(self, temperature_c: float | None) -> None:
        """Hold the die at a temperature; None lets it go. Above its trip point the board throttles."""
        self._order("heat", temperature_c=temperature_c)

    def throttle(self, state: int, device: str = "gpu-throttle-alert") -> None:
        """Set the state of a cooling device; clocks fall while one that slows the board is above 0."""
        self._order("throttle", device=device, state=state)

    def over_current(self, alarm: int = 3, events: int = 1) -> None:
        """Let an over-current alarm count so many events more."""
        self._order("over_current", alarm=alarm, events=events)

    def wake_gpu(self) -> None:
        """Power the GPU, as the first CUDA call does."""
        self._order("wake_gpu")

    def reboot(self) -> None:
        """Lose every setting and ``/run``, as a reboot does."""
        self._remove(path for path in self._ask("disk") if path.startswith("/run/"))
        self._order("reboot")

    def reset(self, **options: Any) -> None:
        """Be as freshly mounted, with the options of :func:`mounted`."""
        self._remove(path for path in self._ask("disk") if path not in self._pristine)
        self._order("reset", **options)

    def writes(self) -> list[dict[str, Any]]:
        """All writes to pseudo files so far, in order: path, text, uid, errno (0 if accepted) and time."""
        return list(self._ask("writes"))

    def forget_writes(self) -> None:
        """Begin the list of writes anew."""
        self._order("forget_writes")

    def violations(self) -> list[dict[str, Any]]:
        """Writes that nobody may ever do: to the masks that gate the GPU's clusters."""
        return list(self._ask("violations"))

    def settings(self) -> dict[str, str]:
        """Text of every file that can be set, by path: equal before and after, if all was restored."""
        return dict(self._ask("settings"))

    def state(self) -> dict[str, Any]:
        """What the board does now: load, temperature, throttling, cores, clocks, watts of each rail."""
        return dict(self._ask("state"))

    def _remove(self, paths: Iterable[str]) -> None:
        """Remove files by system calls, so that the kernel forgets their names too."""
        for path in map(self.path, reversed(list(paths))):
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink()

    def _ask(self, question: str) -> Any:
        return json.loads(self.read(f"{CONTROL}/{question}"))

    def _order(self, order: str, **details: Any) -> None:
        self.write(f"{CONTROL}/order", json.dumps({"order": order, **details}))


@contextmanager
def mounted(name: str, **options: Any) -> Iterator[MountedBoard]:
    """Mount a board and unmount it at the end, whatever happened.

    Args:
        name: One of :data:`BOARDS`.
        options: ``preset``, the stock mode that it boots in; ``gpu_asleep``, whether the GPU waits to be powered.

    Raises:
        ValueError: If there is no such board.
        RuntimeError: If it does not come up, or something broke inside it.
    """
    if name not in BOARDS:
        raise ValueError(f"name={name!r} is not a virtual board. Allowed: {', '.join(BOARDS)}.")
    base = Path(tempfile.mkdtemp(prefix="virtual-board-"))
    base.chmod(0o755)  # for users that are not root
    root = base / "root"
    root.mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent.parent), *filter(None, sys.path)]),
    }
    command = [sys.executable, "-m", "virtual_board.serve", name, str(root), json.dumps(options)]
    log = base / "log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=output, stderr=output, env=environment, start_new_session=True
        )
    try:
        _wait_for(server, root, log)
        yield MountedBoard(name, root)
        _check_log(log)
    finally:
        _unmount(root)
        # Killed before its input ends: else it may just be starting a child, which holds on to files for a moment more.
        server.kill()
        server.wait()
        assert server.stdin is not None
        server.stdin.close()
        if root.is_mount():
            raise RuntimeError(f"{root} cannot be unmounted")
        shutil.rmtree(base)


def _unmount(root: Path) -> None:
    """Take the mount away, even if files on it are open."""
    subprocess.run(["fusermount3", "-u", "-z", str(root)], check=False, capture_output=True)


def _check_log(log: Path) -> None:
    text = log.read_text(encoding="utf-8", errors="replace")
    if "Traceback" in text:
        raise RuntimeError(f"the virtual board itself is broken: {text}")


def _wait_for(server: subprocess.Popen[bytes], root: Path, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not root.is_mount():
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(
                f"the virtual board did not come up: {log.read_text(encoding='utf-8', errors='replace')}"
            )
        time.sleep(0.01)
