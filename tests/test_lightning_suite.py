"""The comparison of Lightning's own tests with and without the callback, on tests of the same form."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "lightning_suite.py"
TESTS = """
from pytorch_lightning import Trainer
from pytorch_lightning.demos.boring_classes import BoringModel

OPTIONS = {"accelerator": "cpu", "logger": False, "enable_checkpointing": False, "enable_progress_bar": False}

def test_trains():
    Trainer(max_epochs=1, **OPTIONS).fit(BoringModel())

def test_list_of_callbacks_is_exact():
    assert Trainer(enable_model_summary=False, **OPTIONS).callbacks == []

def test_fails_anyway():
    assert False
"""


@pytest.mark.slow
def test_tests_that_differ_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "tests" / "tests_pytorch"
    folder.mkdir(parents=True)
    (folder / "test_some.py").write_text(TESTS, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path, "tests_pytorch"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert (
        "tests_pytorch.test_some::test_list_of_callbacks_is_exact\n    without: passed\n    with:    failure"
        in done.stdout
    )
    assert "3 tests: 2 pass without the callback, 1 with it; 1 differ." in done.stdout
