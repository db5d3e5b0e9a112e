"""Reading what the kernel's pseudo files say. Whatever cannot be read, or says nonsense, is nothing."""

from __future__ import annotations

import os
import re
from pathlib import Path


def read_raw(path: Path) -> str | None:
    """All that a file says; None if it is not there or cannot be read now."""
    for _ in range(3):
        try:
            source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                return os.read(source, 4096).decode("ascii", "replace")
            finally:
                os.close(source)
        except BlockingIOError:  # EAGAIN: the unit behind the file has no power now
            continue
        except (OSError, ValueError):
            return None
    return None


def read_number(path: Path) -> int | None:
    """The number that a file says; None if it says none."""
    text = (read_raw(path) or "").strip()
    return int(text) if re.fullmatch(r"-?[0-9]{1,20}", text) else None


def read_table(path: Path) -> tuple[int, ...]:
    """The numbers that a file lists, ascending; words between them, such as a unit, are skipped."""
    words = (read_raw(path) or "").split()
    return tuple(sorted({int(word) for word in words if re.fullmatch(r"[0-9]{1,20}", word) and int(word)}))


def read_cpus(path: Path) -> tuple[int, ...]:
    """CPU numbers as the kernel lists them: ``0 3 4 5`` or ``0-3,5``."""
    found: set[int] = set()
    for word in (read_raw(path) or "").replace(",", " ").split():
        if match := re.fullmatch(r"([0-9]{1,4})(?:-([0-9]{1,4}))?", word):
            found.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return tuple(sorted(found))
