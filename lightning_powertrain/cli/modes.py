"""``powertrain modes``: what the catalogue knows of each board."""

from __future__ import annotations

import json
from math import prod
from typing import Any, Optional

import typer
from rich.console import Console
from rich.table import Table
from typing_extensions import Annotated

from lightning_powertrain.boards import Board, Knob, Preset, board_names, load_board
from lightning_powertrain.boards.knobs import PER_MHZ, label_of
from lightning_powertrain.errors import ArgumentError


def show_modes(
    board: Annotated[Optional[str], typer.Argument(help="Key of a board; without it, all boards are listed.")] = None,
    grid: Annotated[
        Optional[str], typer.Option(help="Only the values of this grid of the board, such as study.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Show the boards of the catalogue, or the power modes of one."""
    if board is None:
        if grid is not None:
            raise ArgumentError.of("--grid", grid, "only together with a board")
        boards = [load_board(name) for name in board_names()]
        _print_json([_record(each, each.knobs) for each in boards]) if as_json else _print_catalogue(boards)
        return
    chosen = load_board(board)
    knobs = chosen.knobs if grid is None else chosen.grid(grid).knobs
    _print_json(_record(chosen, knobs)) if as_json else _print_board(chosen, knobs, grid)


def _record(board: Board, knobs: tuple[Knob, ...]) -> dict[str, Any]:
    """All that is known of a board; ``None`` stands for what only the board itself knows."""
    return {
        "key": board.key,
        "title": board.title,
        "modes": _count(knobs),
        "knobs": [
            {"name": knob.name, "role": knob.role, "unit": knob.unit, "values": list(knob.values) or None}
            for knob in knobs
        ],
        "presets": [
            {"id": preset.id, "name": preset.name, "caps": dict(preset.caps), "tpc_pg_mask": preset.tpc_pg_mask}
            for preset in board.presets
        ],
        "default_preset": board.default_preset or None,
        "rails": list(board.rails),
        "total": board.total,
        "compatible": list(board.compatible),
        "grids": {name: len(board.grid(name)) for name in board.grids},
    }


def _print_json(record: Any) -> None:
    typer.echo(json.dumps(record, indent=2))


def _count(knobs: tuple[Knob, ...]) -> int | None:
    return prod(len(knob.values) for knob in knobs) or None


def _count_in_words(knobs: tuple[Knob, ...]) -> str:
    unknown = ", ".join(knob.name for knob in knobs if not knob.values)
    return f"unknown until read from the board: {unknown}" if unknown else f"{_count(knobs):,} power modes"


def _shown(knob: Knob, value: int) -> str:
    return f"{value / PER_MHZ[knob.unit]:g}" if knob.unit else str(value)


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))


def _print_catalogue(boards: list[Board]) -> None:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0))
    table.add_column("Board")
    table.add_column("Values of each knob, power modes", ratio=1)
    for board in boards:
        sizes = " x ".join(f"{len(knob.values) or '?'} {knob.name}" for knob in board.knobs)
        table.add_row(f"[bold]{board.key}[/bold]\n{board.title}", f"{sizes}\n{_count_in_words(board.knobs)}")
    console = Console(highlight=False)
    console.print(table)
    console.print("powertrain modes BOARD shows one of them.", style="dim")


def _print_board(board: Board, knobs: tuple[Knob, ...], grid: str | None) -> None:
    console = Console(highlight=False)
    console.print(f"[bold]{board.title}[/bold] ({board.key}{f', {grid} grid' if grid else ''})")
    console.print(_count_in_words(knobs))
    console.print("\n[bold]Knobs[/bold] (clocks in MHz)")
    console.print(_knob_table(knobs))
    if board.presets:
        console.print("\n[bold]Stock presets[/bold]: the highest value of each knob (clocks in MHz, - for no limit)")
        console.print(_preset_table(board))
        if board.default_preset:
            console.print("* the board boots in this one")
    console.print()
    total = "their sum" if board.total == "sum" else board.total
    console.print(f"Power rails: {', '.join(board.rails)}; module power: {total}")
    console.print(f"Device tree: {', '.join(board.compatible)}")
    for name in board.grids:
        console.print(f"Grid {name}: {len(board.grid(name)):,} power modes, shown by --grid {name}")


def _knob_table(knobs: tuple[Knob, ...]) -> Table:
    table = _table()
    table.add_column("Name", no_wrap=True)
    table.add_column("Steps", justify="right")
    table.add_column("Values", ratio=1)
    for knob in knobs:
        values = " ".join(_shown(knob, value) for value in knob.values)
        table.add_row(knob.name, str(len(knob.values) or "?"), values or "unknown until read from the board")
    return table


def _preset_table(board: Board) -> Table:
    table = _table()
    table.add_column("Id", justify="right")
    table.add_column("Name", no_wrap=True)
    for knob in board.knobs:
        table.add_column(label_of(knob.name), justify="right")
    table.add_column("TPC mask", justify="right")
    for preset in board.presets:
        name = f"{preset.name} *" if preset.name == board.default_preset else preset.name
        mask = "" if preset.tpc_pg_mask is None else str(preset.tpc_pg_mask)
        table.add_row(str(preset.id), name, *_caps(board, preset), mask)
    return table


def _caps(board: Board, preset: Preset) -> list[str]:
    return [_shown(knob, preset.caps[knob.name]) if knob.name in preset.caps else "-" for knob in board.knobs]
