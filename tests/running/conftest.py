"""Runs scripts in the process of the test, as `powertrain run` does in its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Callable

import pytest
import torch

from lightning_powertrain.running import RunOptions, find_program, run_tuned
from lightning_powertrain.running.options import FOR_TRAINERS

Run = Callable[..., Any]
BOARD = "simulated:orin-agx-64gb"


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """What a script changes in its process is undone."""
    kept = torch.get_rng_state()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    yield
    os.environ.pop(FOR_TRAINERS, None)
    torch.set_rng_state(kept)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs the text or the path of a script under tuning; returns its global names."""

    def run(script: str | Path, arguments: Sequence[str] = (), **options: Any) -> Any:
        if isinstance(script, str):
            (tmp_path / "script.py").write_text(script, encoding="utf-8")
            script = tmp_path / "script.py"
        chosen = RunOptions(**{"device": BOARD, "max_modes": 5, "max_share": 1.0, **options})
        run_tuned(find_program(str(script), is_module=False), arguments, chosen)
        return sys.modules["__main__"]

    return run
