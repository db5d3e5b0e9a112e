"""``powertrain export``: the mode of a run, for the board's own ``nvpmodel``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Optional

import typer
from typing_extensions import Annotated

from lightning_powertrain.errors import ArgumentError, FileFormatError

if TYPE_CHECKING:
    from lightning_powertrain.devices.nvpmodel import Nvpmodel, StockMode
    from lightning_powertrain.reporting.saved_run import SavedRun

_ROOT = Path("/")


def export(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run, or one that holds runs.")],
    conf: Annotated[
        Optional[Path], typer.Option(help="The nvpmodel.conf of the run's board; default: the one of this board.")
    ] = None,
) -> None:
    """Print the mode of a run as a POWER_MODEL block for nvpmodel.conf. Change no file, set nothing."""
    from lightning_powertrain.devices.nvpmodel import Nvpmodel, parse_conf, read_nvpmodel
    from lightning_powertrain.devices.nvpmodel_block import pattern_of, power_model
    from lightning_powertrain.reporting.saved_run import SavedRun, run_folder

    run = SavedRun.load(run_folder(folder))
    path = conf or _own_conf(run.summary["board"])
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise ArgumentError.of("--conf", str(path), f"an nvpmodel.conf that can be read ({error.strerror})") from error
    found = Nvpmodel(*parse_conf(text)) if conf else read_nvpmodel(_ROOT)
    try:
        pattern = pattern_of(found)
        written, block = power_model(text, pattern, run.mode)
    except FileFormatError as error:
        raise FileFormatError(f"{path}: {error}") from error
    typer.echo("\n".join([*_comments(run, found, pattern, written), block]))


def _own_conf(run_board: str) -> Path:
    """The configuration of this board, if the run was on one of its kind."""
    from lightning_powertrain.devices.nvpmodel import CONF
    from lightning_powertrain.devices.roothelper.discovery import find_knobs
    from lightning_powertrain.devices.sysfs_board import identify

    if not (_ROOT / CONF).exists():
        raise ArgumentError(f"--conf=FILE is missing: there is no /{CONF} here; name the one of the run's board")
    board = identify(_ROOT, {name: knob.values for name, knob in find_knobs(_ROOT).known().items()})
    if board is not None and board.key != run_board:
        what = f"a run on this kind of board, {board.key}; that one was on {run_board}, and --conf names its file"
        raise ArgumentError(f"RUN is not valid. Allowed: {what}.")
    return _ROOT / CONF


def _comments(run: SavedRun, found: Nvpmodel, pattern: StockMode, written: StockMode) -> list[str]:
    """Where the block goes, and what to check."""
    about = run.summary
    origin = "SIMULATED: no board has measured this mode. " if about["simulated"] else ""
    back = found.mode or pattern
    return [
        f"# {origin}{about['workload']} on {about['board']}; {about['budget']['objective']}: {run.mode}",
        "# Where: in a copy of /etc/nvpmodel.conf, above its line < PM_CONFIG ... >, then in place of that file.",
        f"# Set it: `sudo nvpmodel -m {written.id}`, also after a reboot. Undo it: `sudo nvpmodel -m {back.id}`.",
        f"# Check: only cores and clocks differ from {pattern.name}. If nvpmodel asks to reboot, answer no.",
        "# Check: `sudo nvpmodel -q --verbose`. It only limits the memory clock, which the run had fixed.",
    ]
