"""``powertrain demo``: the main job on a simulated board, with a real Lightning Trainer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer
from typing_extensions import Annotated

from lightning_powertrain.terminal import print_line
from lightning_powertrain.tuning import ProfilingOptions


def run_demo(
    board: Annotated[str, typer.Option(help="Simulated board; `powertrain modes` lists boards.")] = "orin-agx-64gb",
    workload: Annotated[
        str, typer.Option(help="Simulated workload, such as resnet18, bert-base or lstm.")
    ] = "resnet18",
    budget: Annotated[str, typer.Option(help='"30 W", "120 ms", energy, edp, or none.')] = "30 W",
    max_modes: Annotated[
        str, typer.Option(help="Power modes to measure, or auto: until the choice is settled.")
    ] = "50",
    hard_limit: Annotated[
        bool, typer.Option("--hard-limit", help="Never exceed a power budget, not even to measure.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the sampled modes and the simulated scatter.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for TensorBoard logs, profile, figure, summary.")] = Path(
        "powertrain-demo"
    ),
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON and nothing else.")] = False,
) -> None:
    """Tune a simulated board during a real Lightning job."""
    from lightning_powertrain.callbacks import PowerTrainCallback
    from lightning_powertrain.cli.demo_job import EPOCHS, fit
    from lightning_powertrain.errors import DeviceError
    from lightning_powertrain.reporting import summary

    count: Any = int(max_modes) if max_modes.isdecimal() else max_modes  # The callback refuses words other than "auto".
    callback = PowerTrainCallback(
        None if budget == "none" else budget,
        device=f"simulated:{board}:{workload}",
        max_modes=count,
        hard_limit=hard_limit,
        strict=True,
        cache=False,
        verbose=not as_json,
        options=ProfilingOptions(seed=seed),
    )
    if not as_json:
        print_line(f"A simulated {board} trains {workload}. Every figure below is simulated, none was measured.")
    folder = fit(callback, seed, out)
    if callback.outcome is None:
        raise DeviceError("the demo ended before a power mode was chosen")
    if as_json:
        typer.echo(json.dumps(summary(callback.outcome), indent=2))
        return
    print_line(f"The demo stops here: the rest of this job ({EPOCHS} epochs) would stay in this power mode.")
    print_line(f"Profile, summary and Pareto figure: {folder / 'powertrain'}")
    print_line(f"Report: {folder / 'powertrain' / 'report.html'}")
    print_line(f"TensorBoard: tensorboard --logdir {out}")
