"""The ``powertrain`` command: one file a command, one line here for each.

A command's module keeps ``powertrain --help`` quick: what is heavy (torch, Lightning) is imported inside the command.
A group of commands is a typer app of its own and enters with ``app.add_typer(group.app, name="group")``.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from typing import Any, NoReturn

import typer
from typer.core import TyperGroup
from typing_extensions import Annotated

from lightning_powertrain.cli import (
    apply,
    cache,
    capture,
    characterize,
    demo,
    doctor,
    estimate,
    evaluate,
    export,
    modes,
    reference,
    report,
    restore,
    run,
    setup_helper,
)
from lightning_powertrain.cli.app import App
from lightning_powertrain.errors import ArgumentError, PowerTrainError

DID_NOT_WORK, WRONG_CALL = 1, 2
_OUTPUT_ENDS = (errno.EPIPE, errno.ENOSPC, errno.EDQUOT)


class _OneLineErrors(TyperGroup):
    """Says an error of ours in one line on stderr; anything else is a bug and keeps its traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except PowerTrainError as error:
            raise typer.Exit(_say(error)) from error


def _say(error: PowerTrainError) -> int:
    """Say an error in one line on stderr; returns the exit code."""
    typer.echo(f"powertrain: {' '.join(str(error).split())}", err=True)
    return WRONG_CALL if isinstance(error, ArgumentError) else DID_NOT_WORK


app = App(cls=_OneLineErrors, no_args_is_help=True, pretty_exceptions_enable=False)

app.command("apply")(apply.apply)
app.add_typer(cache.app, name="cache")
app.command("capture")(capture.capture)
app.command("characterize")(characterize.characterize)
app.command("demo")(demo.run_demo)
app.command("doctor")(doctor.doctor)
app.command("estimate")(estimate.estimate)
app.command("evaluate")(evaluate.evaluate)
app.command("export")(export.export)
app.command("modes")(modes.show_modes)
app.add_typer(reference.app, name="reference")
app.command("report")(report.report)
app.command("restore")(restore.restore)
app.command("run", context_settings=run.SETTINGS)(run.run)
app.command("setup-helper")(setup_helper.setup_helper)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"powertrain {version('lightning-powertrain')}")
        raise typer.Exit


@app.callback()
def powertrain(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Find the power mode in which a Jetson should train."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Entry point of the console script. Exits 0, 1 (did not work) or 2 (wrong call); `run` exits as its script does.

    Args:
        arguments: What follows the name of the command; by default what this process was called with.
    """
    call = run.Call(sys.argv[1:] if arguments is None else arguments)
    try:
        try:
            app(call.arguments, prog_name="powertrain", obj=call)
        finally:
            if sys.stdout is not None:  # So it is where the caller has closed it.
                sys.stdout.flush()
    except SystemExit:
        if call.then is None:
            raise
    except OSError as error:
        if error.errno not in _OUTPUT_ENDS:
            raise
        _give_up_output(error)
    if call.then is not None:
        call.then()


def _give_up_output(error: OSError) -> NoReturn:
    """End where the output cannot be written: the reader of a pipe has gone, or the disk is full."""
    # Python writes what is left in its buffers once more when it exits, and would complain about the same again.
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    with suppress(OSError, ValueError):
        print(f"powertrain: the output cannot be written: {error.strerror}", file=sys.stderr, flush=True)  # noqa: T201
    sys.exit(DID_NOT_WORK)
