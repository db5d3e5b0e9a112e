"""What tests ask of files, in few words."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


def refused(code: int, call: Callable[[], object]) -> bool:
    """Whether a call fails with exactly this errno."""
    try:
        call()
    except OSError as error:
        return error.errno == code
    return False


def names(folder: Path) -> list[str]:
    """Names in a folder, sorted."""
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def as_nobody() -> Iterator[None]:
    """Be an unprivileged user for a while: this process and its threads, which must have been root."""
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
