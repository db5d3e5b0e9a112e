"""Commands whose output nobody takes: one line, exit code 1, no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = ["--help", "modes orin-agx-64gb", "modes orin-agx-64gb --json", "reference show", "doctor --json"]
RUN = [sys.executable, "-c", "from lightning_powertrain.cli import main; main()"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk(command: str) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123
        done = subprocess.run([*RUN, *command.split()], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["powertrain: the output cannot be written: No space left on device"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_closed_pipe(command: str) -> None:
    with subprocess.Popen(
        [*RUN, *command.split()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        said = running.stderr.read()
    assert running.returncode == 1
    assert len(said.splitlines()) <= 1
