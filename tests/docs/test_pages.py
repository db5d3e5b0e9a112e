"""Code on the pages runs, on a simulated board with a toy job; commands exist; every page has its place on the site."""

from __future__ import annotations

import importlib
import logging
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
import yaml
from pages import PAGES, ROOT, Block, blocks, is_complete, named_commands
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from typer.main import get_command
from typer.testing import CliRunner
from virtual_board import why_unavailable

import lightning_powertrain
from lightning_powertrain import PowerTrainCallback, SimulatedDevice
from lightning_powertrain.cli import app
from lightning_powertrain.profiling import WindowPlan

# What needs neither root nor a Jetson, and takes seconds. Other commands are only parsed.
_RUN = {"cache", "characterize", "demo", "estimate", "modes", "reference", "report"}
_has_run: list[list[str]] = []
_MINIBATCHES = 25_000
_AFTER_THE_CHOICE = 20

NAMES = [path.relative_to(ROOT).as_posix() for path in PAGES]


class Images(Dataset[Tensor]):
    """As large as on a board, so that minibatches take as long there, but made in no time."""

    minibatch = torch.rand(16, 3, 224, 224, generator=torch.Generator().manual_seed(0))

    def __len__(self) -> int:
        return _MINIBATCHES

    def __getitem__(self, index: int) -> Tensor:
        return self.minibatch


class Model(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Conv2d(3, 4, 7, stride=56), nn.Flatten(), nn.Linear(4 * 4 * 4, 1))

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        return self.network(batch).mean()  # type: ignore[no-any-return]

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=1e-2)


class StopOnceChosen(pl.Callback):
    """Ends a job some minibatches after its power mode was locked: the rest is the same again and again."""

    left = _AFTER_THE_CHOICE

    def on_train_batch_end(self, trainer: pl.Trainer, *details: Any) -> None:
        tuning = [each for each in trainer.callbacks if isinstance(each, PowerTrainCallback)]
        self.left -= all(each.selection is not None and each.selection.measured is not None for each in tuning)
        trainer.should_stop = self.left == 0


class QuietTrainer(pl.Trainer):
    def __init__(self, callbacks: list[pl.Callback] | None = None, **options: Any) -> None:
        quiet: dict[str, Any] = {
            "accelerator": "cpu",
            "enable_checkpointing": False,
            "enable_model_summary": False,
            "enable_progress_bar": False,
        }
        super().__init__(callbacks=[*(callbacks or []), StopOnceChosen()], **{**quiet, **options})


@pytest.fixture
def namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What the pages take for granted: a job, and a Jetson, which is simulated."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "solar_day.csv").write_text("time,budget\n06:00,15 W\n10:00,40 W\n", encoding="utf-8")
    monkeypatch.setattr(pl, "Trainer", QuietTrainer)
    monkeypatch.setattr("lightning_powertrain.devices.opening.find_jetson", lambda: SimulatedDevice("orin-agx-64gb"))
    # How well a mode is measured is tested elsewhere: a third of the minibatches are enough to see the code run.
    monkeypatch.setattr(SimulatedDevice, "settle_s", 0.2)
    monkeypatch.setattr("lightning_powertrain.tuning.opening.WindowPlan", partial(WindowPlan, minimum_s=0.25))
    loader = DataLoader(Images(), batch_size=None)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning")
        yield {"model": Model(), "data": loader, "loader": loader, "train": lambda batch: None}


@pytest.mark.parametrize("name", NAMES)
def test_the_code_of_a_page_runs(name: str, namespace: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    so_far = ""
    for block in blocks((ROOT / name).read_text(encoding="utf-8")):
        if block.is_run and block.language == "python":
            so_far += block.code
            _run_python(block, f"{name}:{block.line}", namespace)
            if "class Test" in block.code:
                _run_tests(so_far)
        for words in block.commands:
            if block.is_run and words[0] in _RUN and is_complete(words) and words not in _has_run:
                _has_run.append(words)
                done = CliRunner().invoke(app, words, input="y\n")
                assert done.exit_code == 0, f"{name}:{block.line}: powertrain {' '.join(words)}\n{done.output}"
    ours = [record for record in caplog.records if record.name.startswith("lightning_powertrain")]
    assert [record.getMessage() for record in ours if record.levelno >= logging.WARNING] == []


def _run_python(block: Block, place: str, namespace: dict[str, Any]) -> None:
    if "virtual_board" in block.code and why_unavailable():
        pytest.skip(why_unavailable())
    exec(compile(block.code, place, "exec"), namespace)


def _run_tests(code: str) -> None:
    """Have pytest run the tests that a page shows, as a reader would."""
    Path("test_page.py").write_text(code, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "test_page.py"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@pytest.mark.parametrize("name", NAMES)
def test_the_commands_of_a_page_exist(name: str) -> None:
    text, command = (ROOT / name).read_text(encoding="utf-8"), get_command(app)
    assert named_commands(text) <= set(command.commands)  # type: ignore[attr-defined]
    for block in blocks(text):
        for words in block.commands:
            _parse(command, words)


def _parse(command: Any, words: list[str]) -> None:
    """Parse a call as the command itself would, without running it; a wrong one raises a usage error."""
    context = command.make_context("powertrain", list(words))
    while hasattr(command, "commands"):
        _, command, words = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(command.name, words, parent=context)


def test_a_device_of_ones_own_is_short() -> None:
    """The page's tests of it run above, from a file with nothing but the code of the page."""
    page = list(blocks((ROOT / "docs" / "extending.md").read_text(encoding="utf-8")))
    (device,) = (block for block in page if "class Laptop(BaseDevice):" in block.code)
    assert len(device.code.splitlines()) <= 60
    assert any("class TestLaptop(DeviceConformance):" in block.code for block in page)


def test_what_counts_as_code() -> None:
    text = """
```bash
sudo "$(which powertrain)" setup-helper --print  # once
POWERTRAIN_CACHE=off powertrain modes | less && powertrain demo \\
    --budget "30 W"
```

<!-- not run: no such board -->

```python
board = load_board("nano-2")
```

Then `sudo powertrain restore`, or `powertrain report RUN`.
"""
    bash, python = blocks(text)
    assert bash.commands == [["setup-helper", "--print"], ["modes"], ["demo", "--budget", "30 W"]]
    assert (bash.language, bash.line, bash.is_run) == ("bash", 3, True)
    assert (python.language, python.is_run, python.commands) == ("python", False, [])
    assert named_commands(text) == {"restore", "report"}
    assert is_complete(["demo"])
    assert not is_complete(["report", "RUN"])


def test_every_page_has_its_place() -> None:
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    placed = set(_leaves(settings["nav"]))
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}
    generated = {"changelog.md", "command.md", "contributing.md", "evaluation-tables.md", "examples.md"}
    assert placed == pages | generated


def _leaves(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    else:
        for each in nav.values() if isinstance(nav, dict) else nav:
            yield from _leaves(each)


def test_every_public_name_is_documented() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "api").glob("*.md"))
    missing = [name for name in lightning_powertrain.__all__ if f"::: lightning_powertrain.{name}\n" not in text]
    assert missing == []


def test_tests_of_faults_exist() -> None:
    text = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
    path, missing = "", []
    names = re.findall(r"`(tests/[\w/]+\.py)?::(\w+)`", text)
    for given, name in names:
        path = given or path
        if not (ROOT / path).exists() or f"def {name}(" not in (ROOT / path).read_text(encoding="utf-8"):
            missing.append(f"{path}::{name}")
    assert len(names) > 50
    assert missing == []


def test_tables_of_the_evaluation_are_those_of_the_benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "building"))
    tables = importlib.import_module("evaluation_tables")
    page = tables.evaluation_tables()
    files = sorted(tables.RESULTS.glob("*.txt"))
    assert {path.stem for path in files} <= set(tables.TITLES)
    for path in files:
        command, made, *_ = path.read_text(encoding="utf-8").splitlines()
        assert f"{{#{path.stem}}}\n\n```\n{command[2:]}\n```\n" in page
        for words in Block("", command, 1, is_run=False).commands:
            _parse(get_command(app), words)
        assert re.fullmatch(r"Made on \d{4}-\d\d-\d\d\.", made)
        assert path.read_text(encoding="utf-8").partition("\n\n")[2].rstrip() in page
