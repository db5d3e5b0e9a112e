"""Every example runs, as a user would run it, on a simulated board and at toy size."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from forked import run_script
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
RESNET = "simulated:orin-agx-64gb:resnet18"
CHOSEN = r"Trained in: \d+ cores?, cpu [\d.]+ MHz, gpu [\d.]+ MHz, emc [\d.]+ MHz"


def run(folder: Path, script: str, *arguments: str, **environ: str) -> str:
    done = run_script(ROOT / "examples" / script, *arguments, folder=folder, environ={**os.environ, **environ})
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_minimal(tmp_path: Path) -> None:
    """In a process of its own, which imports everything itself, as that of a user does."""
    sizes = ["--max-modes=5", "--max-share=1", "--samples=16000"]
    command = [sys.executable, str(ROOT / "examples" / "minimal.py"), "--device", RESNET, *sizes]
    shown = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True, timeout=300).stdout
    assert re.search(CHOSEN, shown)
    assert "simulated" in shown
    assert list(tmp_path.glob("lightning_logs/version_0/powertrain/profile.csv"))


def test_zero_config(tmp_path: Path) -> None:
    assert "no Jetson found" in run(tmp_path, "zero_config.py")


def test_zero_config_from_the_environment(tmp_path: Path) -> None:
    shown = run(tmp_path, "zero_config.py", "--from-environment", POWERTRAIN_BUDGET="30 W")
    assert "no Jetson found" in shown
    assert "AutomaticPowerTrain" in shown


@pytest.mark.parametrize(("source", "watts"), [("solar", "45 W"), ("battery", "15 W"), ("carbon", "45 W")])
def test_a_budget_that_changes(tmp_path: Path, source: str, watts: str) -> None:
    shown = run(tmp_path, "changing_budget.py", source, "--minutes=32")
    assert re.search(rf"PowerTrain \(simulated\): fastest within {watts}: [\d.]+ ms, [\d.]+ W \(\d+ cores?, ", shown)
    assert re.search(r"32 minutes, [\d.]+ Wh \(SIMULATED\)", shown)


def test_power_monitor(tmp_path: Path) -> None:
    shown = run(tmp_path, "power_monitor.py", "--device", RESNET)
    assert re.search(r"Energy of this job: [\d.]+ Wh .* a sample \(simulated\)", shown)
    (table,) = tmp_path.glob("lightning_logs/version_0/metrics.csv")
    assert "power/energy_per_sample_j" in table.read_text(encoding="utf-8")


def test_plain_pytorch(tmp_path: Path) -> None:
    shown = run(tmp_path, "plain_pytorch.py", "--device", RESNET, "--max-modes=10", "--stop-after=2000")
    assert re.search(CHOSEN, shown)
    assert "simulated" in shown


def test_two_boards(tmp_path: Path) -> None:
    shown = run(tmp_path, "two_boards.py", "--max-modes=5", "--minibatches=600")
    assert len(re.findall(CHOSEN, shown)) == 1
    assert shown.count("this power mode stays") == 1


@pytest.mark.parametrize(
    ("script", "workload", "arguments"),
    [
        ("image_classification.py", "mobilenetv3", ()),
        ("transformer_finetune.py", "bert-base", ("--epochs=2",)),
        ("language_model_lstm.py", "lstm", ("--epochs=12",)),
        ("fabric_loop.py", "mobilenetv3", ("--epochs=1",)),
        ("huggingface_trainer.py", "bert-base", ()),
    ],
)
def test_starting_points(tmp_path: Path, script: str, workload: str, arguments: tuple[str, ...]) -> None:
    if script == "huggingface_trainer.py":
        pytest.importorskip("transformers", reason="transformers is no dependency of this package")
        pytest.importorskip("accelerate", reason="accelerate is no dependency of this package")
    shown = run(tmp_path, script, f"--device=simulated:orin-agx-64gb:{workload}", "--max-modes=5", *arguments)
    assert re.search(CHOSEN, shown)
    assert "PowerTrain (simulated): this power mode stays" in shown


@pytest.mark.parametrize("task", ["detect", "segment", "classify"])
def test_ultralytics(tmp_path: Path, task: str) -> None:
    pytest.importorskip("ultralytics", reason="ultralytics needs a torchvision that fits the torch of these tests")
    job = ["--task", task, "--device=simulated:orin-agx-64gb:yolov8n", "--max-modes=5"]
    shown = run(tmp_path, "ultralytics_yolo.py", *job)
    assert re.search(CHOSEN, shown)
    assert list(tmp_path.glob("ultralytics-job/**/powertrain/profile.csv"))


def test_federated_battery(tmp_path: Path) -> None:
    sizes = ["--rounds=12", "--minibatches=200", "--max-modes=5", "--battery-wh=2"]
    shown = run(tmp_path, "federated_battery.py", *sizes)
    # All batteries are less than half full in the end, and the budget has followed.
    assert re.findall(CHOSEN + r" at the end, for (.*)", shown) == ["least energy per minibatch"] * 3
    spent = re.findall(r"([\w-]+) ([\d.]+) Wh \(([\d.]+) left\)", shown)
    for board in ("orin-agx-64gb", "agx-xavier", "orin-nano-8gb"):
        rounds = [(float(wh), float(left)) for name, wh, left in spent if name == board]
        assert rounds[-1][0] < rounds[0][0]
        assert sum(wh for wh, _ in rounds) == pytest.approx(2.0 - rounds[-1][1], abs=0.01 * len(rounds))
        # It ended with the last round, or with a battery that does not hold another.
        assert len(rounds) == 12 or rounds[-1][1] <= rounds[-1][0] + 0.01


def test_lightning_cli(tmp_path: Path) -> None:
    config = str(ROOT / "examples" / "lightning_cli" / "config.yaml")
    shown = run(tmp_path, "lightning_cli/train.py", "fit", "--config", config)
    assert "this power mode stays" in shown
    assert list(tmp_path.glob("lightning_logs/version_0/powertrain/summary.json"))


@pytest.mark.parametrize("wrong", ["30 X", "-3"])
def test_lightning_cli_names_a_wrong_budget(tmp_path: Path, wrong: str) -> None:
    example = ROOT / "examples" / "lightning_cli"
    asked = ["fit", "--config", str(example / "config.yaml"), f"--trainer.callbacks.budget={wrong}"]
    done = run_script(example / "train.py", *asked, folder=tmp_path)
    assert done.returncode != 0
    assert "budget=" in done.stderr
    assert "is not valid" in done.stderr


def shown_by(notebook: nbformat.NotebookNode) -> tuple[str, list[str]]:
    """What a notebook printed, and the kinds of everything that it put out."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    return printed, [kind for output in outputs for kind in (output.output_type, *output.get("data", ()))]


def check_notebook(notebook: nbformat.NotebookNode) -> None:
    printed, kinds = shown_by(notebook)
    (measured_w,) = re.findall(r" measured: .* ms a minibatch, +([\d.]+) W", printed)
    assert 'budget="9 W"' in "".join(cell.source for cell in notebook.cells)
    assert 0 < float(measured_w) <= 9
    assert len(re.findall(CHOSEN, printed)) == 1
    assert printed.count("PowerTrain (simulated): mode ") == 10
    assert printed.count("minibatch energy") == 1
    assert "powertrain/report.html" in printed
    assert "image/png" in kinds
    assert "text/markdown" in kinds
    assert "error" not in kinds
    assert "display_data" not in kinds, "what the callback prints is plain text"


def test_notebook(tmp_path: Path) -> None:
    notebook = nbformat.read(ROOT / "examples" / "notebook.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    check_notebook(notebook)
    assert list(tmp_path.glob("lightning_logs/version_0/powertrain/report.html"))


def test_notebook_as_saved_is_small_and_was_run_from_top_to_bottom() -> None:
    path = ROOT / "examples" / "notebook.ipynb"
    notebook = nbformat.read(path, as_version=4)
    check_notebook(notebook)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert path.stat().st_size < 100_000


def test_every_example_is_run_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    for script in [*(ROOT / "examples").rglob("*.py"), *(ROOT / "examples").rglob("*.ipynb")]:
        assert str(script.relative_to(ROOT / "examples")) in text
