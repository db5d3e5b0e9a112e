"""``powertrain evaluate``: all methods side by side, on simulated boards or on a recorded data set."""

from __future__ import annotations

import json
import time as clock
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Optional

import typer
from rich.console import Console
from typing_extensions import Annotated

from lightning_powertrain.errors import ArgumentError, MissingPackageError
from lightning_powertrain.logs import page

if TYPE_CHECKING:
    from lightning_powertrain.evaluation.bench import Run
    from lightning_powertrain.evaluation.energy import EnergyExperiment
    from lightning_powertrain.evaluation.experiments import Experiment

# All options default to None, so that only those given replace an experiment's; what holds without one is in its help.


def evaluate(
    experiment: Annotated[
        Optional[str], typer.Option(help="A named experiment, which other options change; ? lists them.")
    ] = None,
    board: Annotated[Optional[str], typer.Option(help="Boards that can be simulated; default: orin-agx-64gb.")] = None,
    workloads: Annotated[
        Optional[str],
        typer.Option(help="Simulated workloads to predict; default: mobilenetv3, yolov8n, bert-base, lstm."),
    ] = None,
    reference: Annotated[
        Optional[str],
        typer.Option(
            help="Workloads of the same board to transfer from, each in turn, BOARD:WORKLOAD of another, "
            "a bundled reference, or none; default: resnet18 if simulated, else none."
        ),
    ] = None,
    grid: Annotated[
        Optional[str], typer.Option(help="Named grid of the simulated board, or all; default: study.")
    ] = None,
    dataset: Annotated[Optional[Path], typer.Option(help="Replay this CSV file instead of a simulation.")] = None,
    knobs: Annotated[
        Optional[str],
        typer.Option(help="Its columns of knobs, each NAME or NAME:ROLE, separated by commas."),
    ] = None,
    time: Annotated[Optional[str], typer.Option(help="Its column of times; default: time_ms.")] = None,
    power: Annotated[Optional[str], typer.Option(help="Its column of powers in watts, if it has one.")] = None,
    workload: Annotated[Optional[str], typer.Option(help="Its columns that name the workload, if it has any.")] = None,
    methods: Annotated[Optional[str], typer.Option(help="Which methods; default: all.")] = None,
    modes: Annotated[Optional[str], typer.Option(help="Numbers of measured modes; default: 10,20,50.")] = None,
    seeds: Annotated[
        Optional[int], typer.Option(min=1, help="Draws of the measured modes for each; default: 3.")
    ] = None,
    limits: Annotated[
        Optional[str], typer.Option(help="Power limits in W, such as 17-50; default: by the data.")
    ] = None,
    verify: Annotated[
        Optional[bool],
        typer.Option(
            "--verify/--no-verify", help="Also measure predicted choices before they are kept, which is slow."
        ),
    ] = None,
    plots: Annotated[Optional[Path], typer.Option(help="Write figures to this folder as PNG files.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print every run as JSON and nothing else.")] = False,
) -> None:
    """Compare methods: errors, choices under power limits, and what they cost."""
    from lightning_powertrain.evaluation.experiments import Experiment

    if experiment == "?":
        _list_experiments()
        return
    given: dict[str, Any] = {
        "boards": _words(board),
        "workloads": _words(workloads),
        "references": _words(reference),
        "grid": grid,
        "dataset": dataset,
        "knobs": _words(knobs),
        "time": time,
        "power": power,
        "workload": _words(workload),
        "methods": _words(methods),
        "modes": _counts(modes),
        "seeds": seeds,
        "limits": _limits(limits),
        "verify": verify,
    }
    _check_methods(given["methods"] or ())
    asked = {name: value for name, value in given.items() if value is not None}
    found = _experiment(experiment)
    if isinstance(found, Experiment):
        _run(replace(found, **asked), plots, as_json)
    else:
        _check_given([*asked, *(["plots"] if plots else [])], experiment)
        _run_jobs(replace(found, **asked), as_json)


def _run(experiment: Experiment, plots: Path | None, as_json: bool) -> None:
    from lightning_powertrain.evaluation.bench import run_bench
    from lightning_powertrain.evaluation.plots import prepare_folder, save_plots

    methods = _installed(experiment.methods)
    cases = experiment.cases()
    most = min(len(case.truth) for case in cases)
    too_many = [count for count in experiment.modes if count > most]
    if too_many:
        raise ArgumentError.of("--modes", too_many[0], f"no more modes than there are, {most}")
    if plots is not None:
        prepare_folder(plots)
    runs: list[Run] = []
    for board in dict.fromkeys(case.board for case in cases):
        some = [case for case in cases if case.board == board]
        limits_w = experiment.limits_w(some)
        runs += run_bench(some, methods, experiment.modes, experiment.seeds, limits_w, experiment.verify)
    heading = experiment.heading(cases)
    if as_json:
        typer.echo(json.dumps([run.record() for run in runs], indent=2))
    else:
        _print(runs, f"{heading}\nWorkloads: {', '.join(dict.fromkeys(case.name for case in cases))}\n")
    if plots is not None:
        for path in save_plots(runs, cases, heading, plots):
            typer.echo(f"Wrote {path}", err=as_json)


def _run_jobs(experiment: EnergyExperiment, as_json: bool) -> None:
    from lightning_powertrain.evaluation.energy_summary import energy_tables, sentence, untuned

    start_s = clock.perf_counter()
    runs = list(experiment.runs())
    minutes = (clock.perf_counter() - start_s) / 60
    if as_json:
        typer.echo(json.dumps([run.record() for run in runs], indent=2))
        return
    console = Console(highlight=False)
    console.print(f"SIMULATED: {', '.join(experiment.boards)}; jobs of {experiment.minutes:g} minutes")
    console.print(f"Workloads: {', '.join(experiment.workloads)}\n")
    for table in energy_tables(runs):
        console.print(table)
        console.print("")
    console.print(f"{sentence(runs)}\n{untuned(runs)} Simulating them took {minutes:.1f} minutes.")
    console.print(f"{page('evaluation-methods.md')} explains the columns.", style="dim")


def _check_given(given: Sequence[str], experiment: str | None) -> None:
    """Refuse options that an experiment of whole jobs cannot follow."""
    options = {"boards": "--board", "workloads": "--workloads", "seeds": "--seeds"}
    refused = [name for name in given if name not in options]
    if refused:
        raise ArgumentError(f"--experiment {experiment} takes {', '.join(options.values())} and --json only.")


def _list_experiments() -> None:
    known = _experiments()
    width = max(map(len, known))
    for name, experiment in known.items():
        typer.echo(f"{name:{width}}  {experiment.about}")


def _experiments() -> dict[str, Experiment | EnergyExperiment]:
    from lightning_powertrain.evaluation.experiments import EXPERIMENTS, JOB_EXPERIMENTS

    return {**EXPERIMENTS, **JOB_EXPERIMENTS}


def _experiment(name: str | None) -> Experiment | EnergyExperiment:
    from lightning_powertrain.evaluation.experiments import Experiment

    if name is None:
        return Experiment()
    known = _experiments()
    if name not in known:
        raise ArgumentError.of("--experiment", name, f"one of {', '.join(known)}, or ? to list them")
    return known[name]


def _check_methods(names: Sequence[str]) -> None:
    from lightning_powertrain.evaluation.methods import check_methods

    check_methods(names)


def _installed(names: Sequence[str]) -> list[str]:
    """The methods of an experiment, or all, without those that are not installed, and a line about these."""
    from lightning_powertrain.evaluation.methods import METHODS, installed_methods

    wanted, installed = names or [name for name in METHODS if not METHODS[name].is_ablation], installed_methods()
    left_out = [name for name in wanted if name not in installed]
    if left_out:
        reason = MissingPackageError.of("scikit-learn", "evaluation")
        typer.echo(f"Left out: {', '.join(left_out)}; {reason}.", err=True)
    return [name for name in wanted if name in installed]


def _words(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(word.strip() for word in text.split(",") if word.strip())


def _counts(text: str | None) -> tuple[int, ...] | None:
    words = _words(text)
    if words is None:
        return None
    if not words or not all(word.isdecimal() and int(word) > 0 for word in words):
        raise ArgumentError.of("--modes", text, "whole numbers above 0, such as 10,20,50")
    return tuple(int(word) for word in words)


def _limits(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    parts = text.split("-")
    if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts) or int(parts[0]) > int(parts[1]):
        raise ArgumentError.of("--limits", text, "two whole numbers of watts, such as 17-50")
    return int(parts[0]), int(parts[1])


def _print(runs: list[Run], heading: str) -> None:
    from lightning_powertrain.evaluation.summary import decisions_table, errors_table, measured_table, verified_table

    console = Console(highlight=False)
    console.print(heading)
    tables = []
    if any(run.errors for run in runs):
        tables.append(errors_table(runs, "time"))
    if any(run.errors and run.decisions for run in runs):
        tables.append(errors_table(runs, "power"))
    if any(run.decisions for run in runs):
        tables.append(decisions_table(runs))
    if any(run.verified for run in runs):
        tables += [verified_table(runs), measured_table(runs)]
    for number, table in enumerate(tables):
        console.print("", end="\n" if number else "")
        console.print(table)
    console.print(f"{page('evaluation-methods.md')} explains the columns.", style="dim")
