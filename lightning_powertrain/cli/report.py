"""``powertrain report``: the HTML report of a tuned job, from the files that it left."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Optional

import typer
from typing_extensions import Annotated

from lightning_powertrain.errors import PowerTrainError


def report(
    folder: Annotated[Path, typer.Argument(help="Folder of a run, or one that holds runs: the newest counts.")],
    out: Annotated[
        Optional[Path], typer.Option(help="File to write; default: report.html in the run's folder.")
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
) -> None:
    """Write the report of a tuned job: one HTML file that needs nothing else."""
    from lightning_powertrain.reporting.html_report import write_report
    from lightning_powertrain.reporting.saved_run import SavedRun, run_folder

    run = run_folder(folder)
    path = out or run / "report.html"
    saved = SavedRun.load(run)
    try:
        write_report(saved, path)
    except OSError as error:
        raise PowerTrainError(f"{path} could not be written: {error}") from error
    typer.echo(str(path))
    if open_it:
        webbrowser.open(path.absolute().as_uri())
