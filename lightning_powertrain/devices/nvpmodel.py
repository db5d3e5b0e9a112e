"""What the vendor's ``nvpmodel`` is set to, from its files alone: it is never run, and nothing here writes.

The configuration is a list of sections. A line that is not understood is skipped: people edit this file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

CONF = "etc/nvpmodel.conf"
STATUS = "var/lib/nvpmodel/status"
MASK_NAME = "tpc_pg_mask"

_SECTION = re.compile(r"<\s*([A-Z_]+)\b([^<>]*)>")
_ATTRIBUTE = re.compile(r"([A-Z_]+)\s*=\s*([^\s<>]+)")
_STATUS = re.compile(r"pmode:\s*([0-9]{1,9})(?:\s|$)")
_LARGEST_FILE = 1 << 20
_BYTE_ORDER_MARK = "\ufeff"
_INT_MAX = 2**31 - 1
_UNLIMITED = (-1, 0, _INT_MAX, 2**63 - 1)
"""How "no limit" is written: 0 for the EMC clock, -1 or the largest number for the others."""


@dataclass(frozen=True)
class StockMode:
    """One mode of the configuration.

    Args:
        id: Its number, which ``nvpmodel -m`` takes.
        name: Its name.
        settings: What it sets, by parameter and attribute: ``("GPU", "MAX_FREQ")``.
    """

    id: int
    name: str
    settings: Mapping[tuple[str, str], int] = field(default_factory=dict)

    @property
    def tpc_pg_mask(self) -> int | None:
        """Mask of GPU clusters without power; None if the mode leaves it alone."""
        return self.settings.get(("TPC_POWER_GATING", "TPC_PG_MASK"))

    @property
    def cores(self) -> int | None:
        """How many cores are online; None if the mode does not say.

        Where cpu0 has no switch, as on the TX2, the mode does not list it, and it is on.
        """
        switches = {core: value for (parameter, core), value in self.settings.items() if parameter == "CPU_ONLINE"}
        return sum(value != 0 for value in {"CORE_0": 1, **switches}.values()) if switches else None

    @property
    def cpu_khz(self) -> int | None:
        """Highest clock of any CPU cluster, in kHz; None without a limit."""
        return self._cap("CPU_")

    @property
    def gpu_hz(self) -> int | None:
        """Highest clock of the GPU, in Hz; None without a limit."""
        return self._cap("GPU")

    @property
    def emc_hz(self) -> int | None:
        """Highest clock of the memory, in Hz; None without a limit."""
        return self._cap("EMC")

    def _cap(self, prefix: str) -> int | None:
        found = [
            value
            for (parameter, attribute), value in self.settings.items()
            if parameter.startswith(prefix) and attribute == "MAX_FREQ"
        ]
        return None if not found or any(value in _UNLIMITED for value in found) else max(found)


@dataclass(frozen=True)
class Nvpmodel:
    """Stock modes, and which of them is set.

    Args:
        modes: In the order of the file.
        default: Number of the mode in which the board boots for the first time.
        current: Number of the mode that is set; None if it is not known.
    """

    modes: tuple[StockMode, ...] = ()
    default: int | None = None
    current: int | None = None

    @property
    def mode(self) -> StockMode | None:
        """The mode that is set, if the configuration has it."""
        return next((mode for mode in self.modes if mode.id == self.current), None)


def gated(mask: int | None) -> int:
    """How many clusters a mask switches off.

    >>> gated(240)
    4
    """
    return bin(mask or 0).count("1")


def read_nvpmodel(root: Path) -> Nvpmodel:
    """What the files under ``root`` say; empty where there are none."""
    modes, default = parse_conf(_text(root / CONF))
    return Nvpmodel(modes, default, parse_status(_text(root / STATUS)))


def parse_status(text: str) -> int | None:
    r"""The number in nvpmodel's status file; None if there is none.

    >>> parse_status("pmode:0002\n")
    2
    """
    match = _STATUS.search(text)
    return int(match[1]) if match else None


def parse_conf(text: str) -> tuple[tuple[StockMode, ...], int | None]:
    r"""Modes and default of an ``nvpmodel.conf``; of modes with the same number the last counts.

    >>> modes, default = parse_conf("< POWER_MODEL ID=3 NAME=MODE_50W >\nGPU MAX_FREQ 816000000\n")
    >>> modes[0].name, modes[0].gpu_hz, default
    ('MODE_50W', 816000000, None)
    """
    modes: dict[int, StockMode] = {}
    default = None
    for title, attributes, lines in sections(text):
        if title == "POWER_MODEL" and (number := _number(attributes.get("ID", ""))) is not None:
            modes[number] = StockMode(number, attributes.get("NAME", ""), dict(_settings(lines)))
        elif title == "PM_CONFIG":
            default = _number(attributes.get("DEFAULT", ""))
    return tuple(modes.values()), default


def sections(text: str) -> Iterator[tuple[str, dict[str, str], list[str]]]:
    """Title, attributes and lines of each section; comments and what stands before the first are skipped."""
    section: tuple[str, dict[str, str], list[str]] | None = None
    for raw in text.splitlines():
        line = raw.partition("#")[0].strip()
        if match := _SECTION.match(line):
            if section is not None:
                yield section
            section = (match[1], dict(_ATTRIBUTE.findall(match[2])), [])
        elif section is not None and line:
            section[2].append(line)
    if section is not None:
        yield section


def _settings(lines: list[str]) -> Iterator[tuple[tuple[str, str], int]]:
    """Parameter, attribute and value of the lines that have these three; words such as ``on`` are no limits."""
    for line in lines:
        words = line.split()
        if len(words) == 3 and (value := _number(words[2])) is not None:
            yield (words[0], words[1]), value


def _number(word: str) -> int | None:
    if re.fullmatch(r"0[xX][0-9a-fA-F]{1,16}", word):
        return int(word, 16)
    return int(word) if re.fullmatch(r"-?[0-9]{1,20}", word) else None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as source:
            return source.read(_LARGEST_FILE).decode("utf-8", "replace").lstrip(_BYTE_ORDER_MARK)
    except OSError:
        return ""
