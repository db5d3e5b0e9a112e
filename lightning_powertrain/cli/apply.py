"""``powertrain apply``: sets a power mode that stays without a job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from typing_extensions import Annotated

from lightning_powertrain.errors import ArgumentError, DeviceError
from lightning_powertrain.terminal import print_line

if TYPE_CHECKING:
    from lightning_powertrain.boards import Board, PowerMode


def apply(
    source: Annotated[
        str,
        typer.Argument(
            metavar="RUN|MODE",
            help='Folder of a run, or one that holds runs; or a mode as it is printed: "4 cores, cpu 1113.6 MHz, ...".',
        ),
    ],
) -> None:
    """Set a power mode until `powertrain restore` or a reboot.

    A tuned job starts in this mode, and restores it at its end.
    """
    from lightning_powertrain.devices.sysfs import find_jetson

    device = find_jetson()
    try:
        if device.helper_error is not None:
            raise device.helper_error
        mode = _mode(source, device.board)
        found = device.current_mode()
        read = device.apply(mode)
        if read != mode:
            raise DeviceError(f"the board reads back {read} instead of {mode}, so it was restored to {found}")
        notes = device.keep()
    finally:
        device.close()
    for note in notes:
        print_line(f"{note}.")
    print_line(f"The board stays in {mode} until `powertrain restore` or a reboot. It was in {found} before.")


def _mode(source: str, board: Board) -> PowerMode:
    """The mode of a run, or the mode itself."""
    from lightning_powertrain.boards.modes import parse_mode

    if Path(source).is_dir():
        return parse_mode(_of_run(Path(source), board), board.modes)
    try:
        return parse_mode(source, board.modes)
    except ArgumentError:
        if "," in source:
            raise
    what = f'the folder of a run, or a mode as it is printed, such as "{board.modes.highest}"'
    raise ArgumentError.of("RUN|MODE", source, what)


def _of_run(folder: Path, board: Board) -> str:
    """The mode of a run on this kind of board."""
    from lightning_powertrain.reporting.saved_run import SavedRun, run_folder

    run = SavedRun.load(run_folder(folder))
    key = run.summary["board"]
    if key != board.key:
        raise ArgumentError.of("RUN", str(folder), f"a run on this kind of board, {board.key}; that one was on {key}")
    if run.summary["simulated"]:
        what = f"a run on a board; that one was simulated, and `powertrain apply '{run.mode}'` sets its mode"
        raise ArgumentError.of("RUN", str(folder), what)
    return str(run.mode)
