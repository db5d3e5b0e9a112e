"""What tests that send anything to the root helper have in common: a helper, and a check of all that it writes."""

from __future__ import annotations

import os
import sys
from collections.abc import Container, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from plain_board import CPU_KHZ, EMC_HZ, GPU_HZ, PlainBoard

from lightning_powertrain.devices.roothelper.server import STATE

REVERT = b'{"do": "revert"}'
OWN_FILES = ("lock", "snapshot.json", "snapshot.draft", "kept.json")
OPENED: list[str] | None = None


def _note_opened(event: str, arguments: tuple[Any, ...]) -> None:
    """Python reports every file that is opened, whoever opens it."""
    if OPENED is None or event != "open" or not isinstance(arguments[0], (str, bytes)):
        return
    if arguments[0] in OWN_FILES:  # opened in the state folder, by its descriptor, which Python does not report
        return
    if isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        OPENED.append(os.fsdecode(arguments[0]))


sys.addaudithook(_note_opened)


def folders_of_own_files(patch: pytest.MonkeyPatch) -> set[str]:
    """Folders in which files of the helper's state are opened from now on."""
    folders: set[str] = set()
    open_ = os.open

    def noting(path: Any, *others: Any, dir_fd: int | None = None) -> int:
        if path in OWN_FILES and dir_fd is not None:
            folders.add(os.readlink(f"/proc/self/fd/{dir_fd}"))
        return open_(path, *others, dir_fd=dir_fd)

    patch.setattr(os, "open", noting)
    return folders


@contextmanager
def only_knobs_are_written(board: PlainBoard, before: dict[str, str], texts_in: Container[str] = ()) -> Iterator[None]:
    """Checks, at the end, every file that was opened for writing meanwhile, and every text that was written.

    Args:
        board: The board.
        before: What its files said.
        texts_in: Texts that may be written besides those and the values of the tables.
    """
    global OPENED
    OPENED = opened = []
    texts: set[tuple[str, str]] = set()
    write = os.write

    def noting(target: int, data: bytes) -> int:
        texts.add((os.readlink(f"/proc/self/fd/{target}"), data.decode().strip()))
        return write(target, data)

    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "write", noting)
            folders = folders_of_own_files(patch)
            yield
            assert folders <= {str(board.root / STATE)}
    finally:
        OPENED = None
    allowed = {str(board.root) + path: texts for path, texts in allowed_texts(before).items() if len(texts) > 1}
    assert {path for path, text in texts if text not in allowed[path] and text not in texts_in} == set()
    own = str(board.root / STATE)
    assert {path for path in map(os.path.realpath, opened) if not path.startswith(own)} <= set(allowed)


def allowed_texts(before: dict[str, str]) -> dict[str, set[str]]:
    """What each file of the plain board may ever say: only knobs may say anything new."""
    cpu = "/sys/devices/system/cpu"
    allowed = {path: {text} for path, text in before.items()}
    for number in range(1, 8):
        allowed[f"{cpu}/cpu{number}/online"] |= {"0", "1"}
    for policy in (0, 4):
        for name in ("scaling_min_freq", "scaling_max_freq"):
            allowed[f"{cpu}/cpufreq/policy{policy}/{name}"] |= set(map(str, CPU_KHZ))
    for name in ("min_freq", "max_freq"):
        allowed[f"/sys/devices/17000000.ga10b/devfreq/17000000.ga10b/{name}"] |= set(map(str, GPU_HZ))
    allowed["/sys/kernel/nvpmodel_emc_cap/emc_iso_cap"] |= set(map(str, EMC_HZ))
    allowed["/sys/kernel/debug/bpmp/debug/clk/emc/mrq_rate_locked"] |= {"0", "1"}
    allowed["/sys/kernel/debug/bpmp/debug/clk/emc/rate"] = set(map(str, EMC_HZ))
    return allowed
