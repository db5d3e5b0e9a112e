"""Removes from texts what identifies a board or a person: a capture is made to be shown to anybody."""

from __future__ import annotations

import os
import platform
import pwd
import re
from pathlib import Path
from typing import Iterable

from lightning_powertrain.devices.roothelper.reading import read_raw

_PATTERNS = (
    (re.compile(r"\b(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}\b"), "MAC"),
    (re.compile(r"\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b"), "UUID"),
    (re.compile(r"\b(?=[0-9]*[a-f])[0-9a-f]{12,}\b"), "ID"),
    (re.compile(r"\b[\w.+-]+@[\w-]+\.[\w.-]*\w"), "MAIL"),
    (re.compile(r"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b"), "ADDRESS"),
    (re.compile(r"(?<=/home/)[^/\s:'\"]+"), "USER"),
)
# Names that everybody's board has: taking them out would hide nothing, and damage what is said.
_EVERYBODYS = frozenset({"root", "nvidia", "jetson", "tegra", "orin", "xavier", "nano", "thor", "ubuntu", "localhost"})
_SHORTEST_NAME = 3


class Redaction:
    """Takes out what this board and its users are called.

    Args:
        root: Where the board's file systems are: its serial number is read, in order to be taken out.
        names: Names of users, hosts and homes; by default those of this machine.
    """

    def __init__(self, root: Path, names: Iterable[tuple[str, str]] | None = None) -> None:
        serial = (read_raw(root / "proc/device-tree/serial-number") or "").strip("\0\n ")
        known = (*(_own_names() if names is None else names), (serial, "SERIAL"))
        self._names = [
            (re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])"), instead)
            for name, instead in sorted(known, key=lambda pair: -len(pair[0]))
            if len(name) >= _SHORTEST_NAME and name.lower() not in _EVERYBODYS
        ]

    def clean(self, text: str) -> str:
        """A text without them."""
        for pattern, instead in (*self._names, *_PATTERNS):
            text = pattern.sub(instead, text)
        return text


def _own_names() -> list[tuple[str, str]]:
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = ""
    users = {user, os.environ.get("SUDO_USER", ""), os.environ.get("USER", "")}
    homes = {os.environ.get("HOME", ""), *(f"/home/{name}" for name in users)}
    homes -= {"", "/", "/root", "/home/"}
    return [(platform.node(), "HOST"), *((home, "HOME") for home in homes), *((name, "USER") for name in users)]
