"""The catalogue of boards: one TOML file each, in the folder beside this module.

A file may say ``extends = "other-board"``: what it does not set is that board's, and its knobs replace those of the
same name. A knob without ``values`` has a table that nobody has published: it can only be read on the board itself.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

from lightning_powertrain.boards.board import Board, Preset
from lightning_powertrain.boards.knobs import Knob
from lightning_powertrain.errors import ArgumentError, one_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_FOLDER = Path(__file__).parent / "catalog"


def board_names() -> tuple[str, ...]:
    """Keys of all boards in the catalogue, sorted."""
    return tuple(sorted(file.stem for file in _FOLDER.glob("*.toml")))


@lru_cache(maxsize=None)
def load_board(name: str) -> Board:
    """The board called ``name`` in the catalogue.

    >>> load_board("orin-agx-64gb").title
    'Jetson AGX Orin 64 GB'

    Raises:
        ArgumentError: If there is no such board.
    """
    if name not in board_names():
        raise ArgumentError.of("board", name, one_of(name, board_names()))
    return _parse(name, _read(name))


def _read(name: str) -> dict[str, Any]:
    table = tomllib.loads((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    if "extends" not in table:
        return table
    base = _read(table["extends"])
    knobs = {knob["name"]: knob for knob in (*base["knobs"], *table.get("knobs", ()))}
    return {**base, **table, "knobs": list(knobs.values())}


def _parse(name: str, table: dict[str, Any]) -> Board:
    grids = {
        grid: {knob: tuple(values) for knob, values in knobs.items()} for grid, knobs in table.get("grids", {}).items()
    }
    return Board(
        key=name,
        title=table["title"],
        knobs=tuple(Knob(knob["name"], knob["role"], tuple(knob.get("values", ()))) for knob in table["knobs"]),
        presets=tuple(
            Preset(preset["name"], preset["id"], preset.get("caps", {}), preset.get("tpc_pg_mask"))
            for preset in table.get("presets", ())
        ),
        default_preset=table.get("default_preset", ""),
        rails=tuple(table.get("rails", ())),
        total=table.get("total", "sum"),
        gpu_clusters=table.get("gpu_clusters"),
        compatible=tuple(table.get("compatible", ())),
        grids=grids,
    )
