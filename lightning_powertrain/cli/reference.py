"""``powertrain reference fit|show``: fits references to profiles, and shows where they come from.

The bundled files are fitted by two commands, from the root of the repository::

    powertrain reference fit simulated:orin-agx-64gb:resnet18 --modes 4368 --name orin-agx-64gb-resnet18 \
        --out lightning_powertrain/prediction/references
    powertrain reference fit simulated:orin-agx-64gb:resnet18 --modes 4368 --name orin-agx-64gb-resnet18 \
        --paper --out lightning_powertrain/prediction/baselines/paper/pretrained

That is as many modes as the paper's reference has, but drawn from all: the paper's grid has no odd numbers of cores.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import typer
from rich.console import Console
from rich.table import Table
from typing_extensions import Annotated

from lightning_powertrain.cli.app import App
from lightning_powertrain.errors import ArgumentError

if TYPE_CHECKING:
    from lightning_powertrain.prediction import ReferenceProfile
    from lightning_powertrain.prediction.baselines import PaperNetworks
    from lightning_powertrain.profiling import Profile, Provenance

app = App(help="References, from which predictions for other workloads start.", no_args_is_help=True)


@app.command("fit")
def fit(
    profile: Annotated[str, typer.Argument(help="CSV file of a profile, or simulated:BOARD:WORKLOAD to simulate one.")],
    name: Annotated[str, typer.Option(help="Name of the two files to write.")],
    out: Annotated[Path, typer.Option(help="Folder to write them to.")] = Path(),
    seed: Annotated[int, typer.Option(min=0, help="Of the fit, and of a simulated profile's scatter.")] = 0,
    grid: Annotated[Optional[str], typer.Option(help="Of a simulated board: only this grid, such as study.")] = None,
    modes: Annotated[
        Optional[int], typer.Option(min=1, help="Of a simulated board: only so many modes, a Latin hypercube.")
    ] = None,
    date: Annotated[Optional[str], typer.Option(help="Kept in the file as given; never taken from the clock.")] = None,
    paper: Annotated[
        bool, typer.Option("--paper", help="Instead of a reference, fit the networks of the paper, for PaperTransfer.")
    ] = False,
) -> None:
    """Fit a reference to a profile: the model from which predictions for other workloads start."""
    if not name or Path(name).name != name:
        raise ArgumentError.of("--name", name, "a name without folders, such as orin-agx-64gb-resnet18")
    options = {"--name": name, "--seed": seed, "--grid": grid, "--modes": modes, "--date": date}
    words = [word for option, value in options.items() if value is not None for word in (option, str(value))]
    words += ["--paper"] if paper else []
    details = {"command": shlex.join(["powertrain", "reference", "fit", profile, *words])}
    details.update({key: value for key, value in (("grid", grid), ("date", date)) if value is not None})
    measured = _profile(profile, grid, modes, seed)
    if paper:
        from lightning_powertrain.prediction.baselines import fit_paper_networks

        networks = fit_paper_networks(measured, seed, details)
        networks.save(out / name)
        _print_networks(networks, name)
    else:
        from lightning_powertrain.prediction import fit_reference

        reference = fit_reference(measured, seed, details)
        reference.save(out / name)
        _print(reference, name)
    typer.echo(f"Written: {out / name}.safetensors and {name}.json")


@app.command("show")
def show(
    reference: Annotated[
        Optional[str], typer.Argument(help="Bundled name, or path of a file; without it, all bundled are listed.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
) -> None:
    """Show where a reference comes from and how well it fits, or list the bundled ones."""
    from lightning_powertrain.prediction import load_reference, reference_names

    names = reference_names() if reference is None else (reference,)
    references = {name: load_reference(name) for name in names}
    if as_json:
        records = [{"name": name, **each.about()} for name, each in references.items()]
        typer.echo(json.dumps(records if reference is None else records[0], indent=2))
    elif reference is None:
        _print_list(references)
    else:
        _print(references[reference], reference)


def _profile(source: str, grid: str | None, count: int | None, seed: int) -> Profile:
    from lightning_powertrain.profiling import Profile

    if source.startswith("simulated:"):
        return _simulated(source, grid, count, seed)
    for option, value in (("--grid", grid), ("--modes", count)):
        if value is not None:
            raise ArgumentError.of(option, value, "only together with a simulated profile")
    return Profile.load(source)


def _simulated(source: str, grid: str | None, count: int | None, seed: int) -> Profile:
    from lightning_powertrain.devices.opening import parse_simulated
    from lightning_powertrain.evaluation import simulated_profile
    from lightning_powertrain.profiling import latin_hypercube_rows

    board, workload = parse_simulated(source)
    if workload is None:
        raise ArgumentError.of("profile", source, "simulated:BOARD:WORKLOAD")
    modes = (board.modes if grid is None else board.grid(grid)).array
    if count is not None:
        modes = modes[latin_hypercube_rows(modes, count, seed)]
    return simulated_profile(board, workload, modes, seed)


def _origin(provenance: Provenance) -> str:
    return "SIMULATED" if provenance.simulated else "measured"


def _print_list(references: dict[str, ReferenceProfile]) -> None:
    table = _table()
    for heading in ("Name", "Board", "Workload", "Origin", "Modes"):
        table.add_column(heading, no_wrap=True)
    for name, each in references.items():
        source = each.provenance
        table.add_row(name, source.board, source.workload, _origin(source), f"{len(each.profile):,}")
    console = Console(highlight=False)
    console.print(table)
    console.print("powertrain reference show NAME shows one of them.", style="dim")


def _print(reference: ReferenceProfile, name: str) -> None:
    facts = {"modes": f"{len(reference.profile):,}", "seed": reference.seed}
    errors = {"modes left out one by one": (reference.time_error, reference.power_error)}
    _print_facts(name, reference, facts, errors)


def _print_networks(networks: PaperNetworks, name: str) -> None:
    errors = {"all modes": networks.all_modes, "modes held out": networks.held_out}
    _print_facts(name, networks, {}, {title: (each.time, each.power) for title, each in errors.items()})


def _print_facts(
    name: str,
    fitted: ReferenceProfile | PaperNetworks,
    more: dict[str, Any],
    errors: dict[str, tuple[float, float]],
) -> None:
    console = Console(highlight=False)
    console.print(f"[bold]{name}[/bold]")
    provenance = fitted.provenance
    if provenance.simulated:
        console.print("[bold yellow]SIMULATED: no figure in it was measured on a board.[/bold yellow]", markup=True)
    facts = {
        "origin": _origin(provenance),
        "board": provenance.board,
        "workload": provenance.workload,
        "knobs": ", ".join(knob.name for knob in fitted.knobs),
        **more,
        **provenance.details,
        **fitted.details,
        "versions": ", ".join(f"{package} {version}" for package, version in fitted.versions.items()),
    }
    table = _table()
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for key, value in facts.items():
        table.add_row(key, str(value))
    console.print(table)
    console.print(_error_table(errors))


def _error_table(errors: dict[str, tuple[float, float]]) -> Table:
    table = _table()
    table.add_column("Mean error (MAPE)")
    table.add_column("time", justify="right")
    table.add_column("power", justify="right")
    for title, (time, power) in errors.items():
        table.add_row(title, f"{time:.1%}", f"{power:.1%}")
    return table


def _table() -> Table:
    return Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
