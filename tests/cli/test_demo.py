from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from typer.testing import CliRunner

from lightning_powertrain.cli import app


def demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lightning_powertrain.cli", "demo", "--max-modes=6", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)


def test_leaves_the_files_that_it_names(tmp_path: Path) -> None:
    done = demo(tmp_path, "--budget", "25 W")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "Every figure below is simulated" in done.stdout
    assert "SIMULATED" in done.stdout
    assert all(len(line) <= 350 for line in done.stdout.splitlines())
    run = tmp_path / "powertrain-demo" / "version_0"
    files = {path.name for path in (run / "powertrain").iterdir()}
    assert files == {"profile.csv", "profile.json", "summary.json", "pareto.png", "report.html"}
    events = EventAccumulator(str(run))
    events.Reload()
    tags: dict[str, Any] = events.Tags()
    assert {"powertrain/phase", "powertrain/time_ms", "powertrain/power_w", "powertrain/mode/cores"} <= set(
        tags["scalars"]
    )
    assert {event.value for event in events.Scalars("powertrain/simulated")} == {1.0}
    assert "powertrain/pareto" in tags["images"]


def test_same_seed_gives_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, where computing takes no time: elsewhere no two runs compute for equally long."""
    monkeypatch.chdir(tmp_path)
    arguments = ["demo", "--max-modes=6", "--json", "--board", "orin-nano-8gb", "--workload", "mobilenetv3"]
    first, second = (CliRunner().invoke(app, [*arguments, "--budget", "energy", "--seed", "3"]) for _ in range(2))
    assert first.exit_code == 0, first.output
    assert first.stdout == second.stdout
    summary = json.loads(first.stdout)
    assert summary["simulated"] is True
    assert summary["board"] == "orin-nano-8gb"
    assert summary["chosen"]["measured"]["energy_j"] <= summary["start"]["energy_j"]


@pytest.mark.parametrize(
    ("option", "value"),
    [("--board", "raspberry-pi"), ("--workload", "gpt"), ("--budget", "30 X"), ("--max-modes", "1")],
)
def test_wrong_calls_exit_with_2_and_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["demo", option, value])
    assert done.exit_code == 2
    assert done.stderr.startswith("powertrain: ")
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
