"""``powertrain run``: any training script, tuned without a change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, List, Optional

import typer
from typing_extensions import Annotated

from lightning_powertrain.errors import ArgumentError

if TYPE_CHECKING:
    from lightning_powertrain.running import Program, RunOptions

SETTINGS = {"allow_interspersed_args": False}
"""Whatever follows the script is the script's own."""


@dataclass
class Call:
    """A call of ``powertrain``.

    Click would turn the script's Ctrl-C and its errors into others, so the script runs once click is done.

    Args:
        arguments: What follows the name of the command.
        then: What to do once click is done.
    """

    arguments: Sequence[str]
    then: Callable[[], object] | None = None


def run(
    context: typer.Context,
    script: Annotated[
        List[str],
        typer.Argument(metavar="SCRIPT|COMMAND [ARGS]...", help="The program and its arguments.", show_default=False),
    ],
    is_module: Annotated[bool, typer.Option("-m", help="Run a module, as `python -m` does.")] = False,
    budget: Annotated[
        Optional[str],
        typer.Option(
            envvar="POWERTRAIN_BUDGET", help='"30 W", "120 ms", energy, edp or another form of docs/budgets.md.'
        ),
    ] = None,
    device: Annotated[
        Optional[str],
        typer.Option(envvar="POWERTRAIN_DEVICE", help="A simulated board, such as simulated:orin-agx-64gb."),
    ] = None,
    max_modes: Annotated[
        Optional[str], typer.Option(help="Power modes to measure, or auto: until the choice is settled.")
    ] = None,
    max_share: Annotated[
        float, typer.Option(help="Most of the job's time to spend on profiling; of the time so far if its end is open.")
    ] = 0.1,
    hard_limit: Annotated[
        bool, typer.Option("--hard-limit", help="Never exceed a power budget, not even to measure.")
    ] = False,
    minibatches: Annotated[Optional[int], typer.Option(help="Length of the job, if you know it.")] = None,
    minutes: Annotated[Optional[float], typer.Option(help="Time limit of the job, if it has one.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for profile, figure, summary and report.")] = Path("powertrain"),
    quiet: Annotated[bool, typer.Option("--quiet", help="Print no progress and no summary.")] = False,
) -> None:
    """Run a training script, a module (-m) or a Python command, and tune the power mode on the way."""
    from lightning_powertrain.running import RunOptions, find_program, launcher_advice, without_python

    options = RunOptions(
        budget=budget or None,
        device=device or None,
        max_modes=int(max_modes) if max_modes and max_modes.isdecimal() else max_modes,  # type: ignore[arg-type]
        max_share=max_share,
        hard_limit=hard_limit,
        minibatches=minibatches,
        minutes=minutes,
        out=out.absolute(),  # The script may change the folder.
        verbose=not quiet,
    )
    call: Call = context.obj
    given = [word for word in call.arguments[1 : len(call.arguments) - len(script)] if word != "-m"]
    if not is_module:
        script, is_module = without_python(script)
    called = ["-m", *script] if is_module else script
    advice = launcher_advice(called, given)
    if advice is not None:
        what = f"a program that trains in this process; a launcher starts others, each of which tunes by: {advice}"
        raise ArgumentError.of("SCRIPT", script[0], what)
    program = find_program(script[0], is_module=is_module)
    call.then = partial(_start, program, script[1:], options)


def _start(program: Program, arguments: Sequence[str], options: RunOptions) -> None:
    from lightning_powertrain.running import NoProgramError, run_tuned

    try:
        run_tuned(program, arguments, options)
    except NoProgramError as error:
        typer.echo(f"powertrain: {error}", err=True)
        raise SystemExit(2) from None
