"""A second run of a script starts from what the first one has measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

import pytest
import torch

from lightning_powertrain.running.fingerprint import script_fingerprint
from lightning_powertrain.running.program import Program

Run = Callable[..., Any]
Output = pytest.CaptureFixture[str]

SCRIPT = """
import sys, torch
layer = torch.nn.Linear(2, int(sys.argv[1]))
optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)
for _ in range(3000):
    optimizer.zero_grad()
    layer(torch.ones(4, 2)).square().mean().backward()
    optimizer.step()
"""
KNOWN = "known from an earlier run"
STAYS = "this power mode stays"


def test_a_second_run_starts_from_the_first_and_another_job_does_not(run: Run, capsys: Output) -> None:
    run(SCRIPT, ["1"])
    first = capsys.readouterr().out
    assert STAYS in first
    assert KNOWN not in first
    run(SCRIPT, ["1"])
    again = capsys.readouterr().out
    assert KNOWN in again
    assert STAYS in again
    run(SCRIPT, ["2"])
    assert KNOWN not in capsys.readouterr().out


def test_no_cache_where_it_is_switched_off(run: Run, capsys: Output, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTRAIN_CACHE", "off")
    for _ in range(2):
        run(SCRIPT, ["1"])
        assert KNOWN not in capsys.readouterr().out


def test_a_script_without_a_fingerprint_is_tuned_without_the_cache(
    run: Run, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*given: Any) -> str:
        raise TypeError("no parameters")

    monkeypatch.setattr("lightning_powertrain.running.script_tuning.script_fingerprint", fails)
    run(SCRIPT, ["1"])
    assert STAYS in capsys.readouterr().out


def sgd(outputs: int = 1, **options: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(torch.nn.Linear(2, outputs).parameters(), lr=0.1, **options)


def test_the_fingerprint_holds_neither_path_nor_arguments_nor_weights(tmp_path: Path) -> None:
    text = script_fingerprint(Program(str(tmp_path / "train.py")), ["--key", "secret"], sgd(), 2)
    assert "secret" not in text
    assert "train" not in text
    assert '"torch.float32[1, 2] cpu"' in text


def test_the_fingerprint_depends_on_what_the_job_depends_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    program, module = Program("train.py"), Program("train", is_module=True)
    found = {
        "": script_fingerprint(program, ["-e", "1"], sgd(), 2),
        "another script": script_fingerprint(Program("other.py"), ["-e", "1"], sgd(), 2),
        "a module": script_fingerprint(module, ["-e", "1"], sgd(), 2),
        "arguments": script_fingerprint(program, ["-e", "2"], sgd(), 2),
        "parameters": script_fingerprint(program, ["-e", "1"], sgd(3), 2),
        "optimizer": script_fingerprint(program, ["-e", "1"], torch.optim.Adam(torch.nn.Linear(2, 1).parameters()), 2),
        "workers": script_fingerprint(program, ["-e", "1"], sgd(), 4),
    }
    monkeypatch.setenv("WORLD_SIZE", "2")
    found["processes"] = script_fingerprint(program, ["-e", "1"], sgd(), 2)
    assert len(set(found.values())) == len(found)
    monkeypatch.delenv("WORLD_SIZE")
    named = Program(str(tmp_path / "train.py"))
    assert script_fingerprint(named, ["-e", "1"], sgd(momentum=0.9), 2) == found[""], "the same script and shapes"
