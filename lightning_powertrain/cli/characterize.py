"""``powertrain characterize``: measures modes from the whole range of a board, unattended."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Optional

import typer
from typing_extensions import Annotated

from lightning_powertrain.terminal import print_line

if TYPE_CHECKING:
    from lightning_powertrain.characterization import Characterization, Stage

_DID_NOT_WORK = 1
# A file or a pipe receives a line after so many windows; a terminal shows each window in the same line.
_EVERY = 10


def characterize(
    out: Annotated[
        Optional[Path], typer.Option(help="CSV file to write and to continue; by default named BOARD-WORKLOAD.csv.")
    ] = None,
    workload: Annotated[
        Optional[str],
        typer.Option(help="resnet18, lstm, bert-base, or FILE.py:FUNCTION of your own (docs/characterizing.md)."),
    ] = None,
    modes: Annotated[int, typer.Option(help="Power modes to measure.")] = 300,
    minutes: Annotated[float, typer.Option(help="Begin no further mode after so many minutes.")] = 120.0,
    power_limit: Annotated[
        Optional[float], typer.Option(help="Watts that the supply can deliver: no mode above them is measured.")
    ] = None,
    device: Annotated[
        Optional[str], typer.Option(help="A simulated board, such as simulated:orin-agx-64gb:lstm.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the choice of modes.")] = 0,
    note: Annotated[str, typer.Option(help='Text for the JSON file, such as "stock fan, 22 C, 90 W supply".')] = "",
) -> None:
    """Measure power modes from the whole range of the board for one or two hours, and write a profile for a reference.

    Run the same command again to continue after Ctrl-C or a reboot.
    """
    from lightning_powertrain.characterization import CharacterizationPlan, find_training, wake_gpu
    from lightning_powertrain.characterization import characterize as run
    from lightning_powertrain.devices import open_device

    plan = CharacterizationPlan(modes, minutes, power_limit, seed)
    if device is None:
        wake_gpu()  # Before the board is opened, so that the GPU is one of its knobs.
    board = open_device(device, seed)
    line = _Line()
    try:
        training = find_training(workload, board)
        path = (out or Path(f"{board.board.key}-{training.name}.csv")).with_suffix(".csv")
        origin = "SIMULATED: " if board.simulated else ""
        print_line(f"{origin}{training.name} trains on {board.board.title} while up to {modes:,} modes are measured.")
        print_line(f"Ctrl-C restores the board and keeps what was measured, in {path}.")
        result = run(board, training, plan, path, note=note, tell=line.show)
    except KeyboardInterrupt:
        line.end()
        print_line("Interrupted: the board is restored. Run the same command again to continue.")
        raise typer.Exit(_DID_NOT_WORK) from None
    finally:
        line.end()
        board.close()
    _print(result, path)


class _Line:
    """The line of progress: rewritten in a terminal, one line now and then elsewhere."""

    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._width = 0
        self._last_done: int | None = None

    def show(self, stage: Stage) -> None:
        text = _stage_text(stage)
        if self._is_terminal:
            self._width = max(self._width, len(text))
            sys.stdout.write(f"\r{text:<{self._width}}")
            sys.stdout.flush()
        elif self._last_done is None or stage.done >= self._last_done + _EVERY:
            self._last_done = stage.done
            print_line(text)

    def end(self) -> None:
        """Leave the line; idempotent."""
        if self._width:
            self._width = 0
            sys.stdout.write("\n")


def _stage_text(stage: Stage) -> str:
    parts = [f"{stage.done} of {stage.total} windows"]
    if stage.left_s:
        parts.append(f"about {max(1, round(stage.left_s / 60))} min left")
    if stage.power_w is not None:
        parts.append(f"{stage.power_w:.1f} W")
    if stage.temperature_c is not None:
        parts.append(f"{stage.temperature_c:.0f} C")
    return f"{', '.join(parts)}; {stage.activity}"


def _print(result: Characterization, path: Path) -> None:
    check = result.check
    print_line(f"Measured: {check.modes} power modes of {check.of:,}, {check.repeated} of them four times.")
    print_line(
        f"Repeated windows differ by {check.time_spread:.1%} in time and {check.power_spread:.1%} in power. "
        f"From start to end time changed by {check.time_drift:+.1%} and power by {check.power_drift:+.1%}."
    )
    for problem in check.problems:
        print_line(f"Problem: {problem}.")
    print_line("The data is good enough for a reference." if check.is_good else "The data is not good enough.")
    if not result.is_complete:
        print_line("The time was up before all modes were measured. Run the same command again to continue.")
    print_line(f"Written: {path} and {path.with_suffix('.json').name}")
    if not check.is_good:
        raise typer.Exit(_DID_NOT_WORK)
    print_line(f"Use it: powertrain reference fit {path} --name {path.stem}-reference")
