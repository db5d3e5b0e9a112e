"""Which board of the catalogue this is, by its device tree and its tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Mapping, Tuple

from lightning_powertrain.boards import Board, Knob, board_names, load_board
from lightning_powertrain.devices.roothelper.discovery import gpu_folder
from lightning_powertrain.devices.roothelper.reading import read_raw

Tables = Mapping[str, Tuple[int, ...]]


def is_jetson(root: Path) -> bool:
    """Whether anything under ``root`` says so; containers often hide the device tree."""
    release = (root / "etc/nv_tegra_release").exists()
    return release or "tegra" in " ".join(compatible(root)) or gpu_folder(root) is not None


def compatible(root: Path) -> tuple[str, ...]:
    """The board's device-tree identification strings; none where they are hidden."""
    text = read_raw(root / "proc/device-tree/compatible") or ""
    return tuple(filter(None, text.strip().split("\0")))


def own_identity(root: Path) -> dict[str, str]:
    """Serial number and L4T release of this very board, as far as they can be read here."""
    files = {"serial": "proc/device-tree/serial-number", "release": "etc/nv_tegra_release"}
    lines = {name: (read_raw(root / path) or "").strip("\0\n ").partition("\n")[0] for name, path in files.items()}
    return {name: line for name, line in lines.items() if line}


def identify(root: Path, tables: Tables) -> Board | None:
    """The board of the catalogue that has this identity and, among those, the most tables in common."""
    identity = " ".join(compatible(root))
    matches = []
    for board in map(load_board, board_names()):
        matches += [(len(name), board) for name in board.compatible if name in identity]
    if not matches:
        return None
    longest = max(length for length, _ in matches)
    return max((board for length, board in matches if length == longest), key=lambda board: _in_common(board, tables))


def _in_common(board: Board, tables: Tables) -> tuple[int, int]:
    """Tables that are equal, and minus those that contradict."""
    known = [knob for knob in board.knobs if knob.values and knob.name in tables]
    equal = sum(knob.values == tables[knob.name] for knob in known)
    return equal, equal - len(known)


def with_tables(found: Board | None, knobs: tuple[Knob, ...], model: str) -> Board:
    """The board as it really is: its own knobs, and whatever the catalogue adds that fits them."""
    if found is None:
        return Board(key="unknown-jetson", title=model or "unknown Jetson", knobs=knobs)
    tables = {knob.name: set(knob.values) for knob in knobs}
    fitting = {
        name: grid
        for name, grid in found.grids.items()
        if all(set(values) <= tables.get(knob, set()) for knob, values in grid.items())
    }
    return replace(found, knobs=knobs, grids=fitting)
