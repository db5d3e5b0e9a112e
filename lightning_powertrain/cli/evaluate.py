"""``powertrain evaluate``: all methods side by side, on simulated boards or on a recorded data set."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from lightning_powertrain.errors import ArgumentError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from lightning_powertrain.evaluation.bench import Run
    from lightning_powertrain.evaluation.cases import Case

_STUDY = "mobilenetv3,yolov8n,bert-base,lstm"


def evaluate(
    board: Annotated[str, typer.Option(help="A board that can be simulated.")] = "orin-agx-64gb",
    workloads: Annotated[str, typer.Option(help="Simulated workloads to predict.")] = _STUDY,
    reference: Annotated[
        str | None,
        typer.Option(help="Workload to transfer from, or none; default: resnet18 if simulated, else none."),
    ] = None,
    grid: Annotated[str, typer.Option(help="Named grid of the simulated board, or all.")] = "study",
    dataset: Annotated[Path | None, typer.Option(help="Replay this CSV file instead of a simulation.")] = None,
    knobs: Annotated[str, typer.Option(help="Its columns of knobs; NAME:ROLE where a name does not tell.")] = "",
    time: Annotated[str, typer.Option(help="Its column of times.")] = "time_ms",
    power: Annotated[str | None, typer.Option(help="Its column of powers in watts, if it has one.")] = None,
    workload: Annotated[str | None, typer.Option(help="Its column of workload names, if it has one.")] = None,
    methods: Annotated[str, typer.Option(help="Which methods; default: all.")] = "",
    modes: Annotated[str, typer.Option(help="Numbers of measured modes.")] = "10,20,50",
    seeds: Annotated[int, typer.Option(min=1, help="Draws for each.")] = 3,
    limits: Annotated[str | None, typer.Option(help="Power limits in W, such as 17-50; default: by the data.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print every run as JSON and nothing else.")] = False,
) -> None:
    """Compare methods: errors, choices under power limits, and what they cost."""
    from lightning_powertrain.evaluation.bench import run_bench
    from lightning_powertrain.evaluation.methods import METHODS

    names = _words(methods) or list(METHODS)
    unknown = [name for name in names if name not in METHODS]
    if unknown:
        raise ArgumentError.of("--methods", unknown[0], f"some of {', '.join(METHODS)}")
    counts = _counts(modes)
    cases = (
        _simulated(board, workloads, reference or "resnet18", grid)
        if dataset is None
        else _recorded(dataset, knobs, time, power, workload, reference)
    )
    too_many = [count for count in counts if count > min(len(case.truth) for case in cases)]
    if too_many:
        raise ArgumentError.of("--modes", too_many[0], "no more modes than there are")
    runs = list(run_bench(cases, names, counts, seeds, _limits_w(limits, cases)))
    if as_json:
        typer.echo(json.dumps([run.record() for run in runs], indent=2))
        return
    _print(runs, cases, reference or ("resnet18" if dataset is None else "none"))


def _simulated(board: str, workloads: str, reference: str, grid: str) -> list[Case]:
    from lightning_powertrain.evaluation.cases import simulated_cases

    start = None if reference == "none" else reference
    return simulated_cases(board, _words(workloads), start, None if grid == "all" else grid)


def _recorded(
    dataset: Path, knobs: str, time: str, power: str | None, workload: str | None, reference: str | None
) -> list[Case]:
    from lightning_powertrain.evaluation.cases import Columns, recorded_cases

    if not _words(knobs):
        raise ArgumentError.of("--knobs", knobs, "columns of the data set, such as cores,cpu_khz,gpu_hz")
    columns = Columns(tuple(_words(knobs)), time, power, workload)
    return recorded_cases(dataset, columns, None if reference == "none" else reference)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


def _counts(text: str) -> list[int]:
    words = _words(text)
    if not words or not all(word.isdecimal() and int(word) > 0 for word in words):
        raise ArgumentError.of("--modes", text, "whole numbers above 0, such as 10,20,50")
    return [int(word) for word in words]


def _limits_w(text: str | None, cases: list[Case]) -> npt.NDArray[np.float64]:
    """The limits asked for, in steps of 1 W; or the paper's for a simulated Orin AGX, or 20 over the data's range."""
    import numpy as np

    if text is not None:
        parts = text.split("-")
        if len(parts) != 2 or not all(part.strip().isdecimal() for part in parts) or int(parts[0]) > int(parts[1]):
            raise ArgumentError.of("--limits", text, "two whole numbers of watts, such as 17-50")
        return np.arange(int(parts[0]), int(parts[1]) + 1, dtype=np.float64)
    if all(case.truth.provenance.board == "orin-agx-64gb" for case in cases):
        return np.arange(17.0, 51.0)
    watts = np.concatenate([case.truth.power_w for case in cases if case.has_power] or [np.empty(0)])
    if not len(watts):
        return np.empty(0)
    lowest, highest = np.quantile(watts, [0.1, 0.95]).tolist()
    return np.linspace(lowest, highest, 20)


def _print(runs: list[Run], cases: list[Case], reference: str) -> None:
    from lightning_powertrain.evaluation.summary import decisions_table, errors_table

    console = Console(highlight=False)
    about = cases[0].truth.provenance
    kind = "SIMULATED" if about.simulated else "recorded"
    console.print(f"{kind}: {about.board}, {len(cases[0].truth):,} modes, reference {reference}")
    console.print(f"Workloads: {', '.join(case.name for case in cases)}\n")
    if any(run.errors for run in runs):
        console.print(errors_table(runs, "time"))
    if any(run.decisions for run in runs):
        console.print()
        console.print(errors_table(runs, "power"))
        console.print()
        console.print(decisions_table(runs))
