"""However a script ends, its board is as it was found."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from virtual_board import MountedBoard, mounted, why_unavailable

SCRIPT = """
import os, signal, sys
from pathlib import Path
import torch

def settings():
    return [path.read_text() for path in sorted(Path(sys.argv[1]).glob("sys/class/devfreq/*/m??_freq"))]

layer = torch.nn.Linear(2, 1)
optimizer = torch.optim.SGD(layer.parameters(), lr=0.01)
before, steps = settings(), 0
assert before
while settings() == before:
    for _ in range(10):
        optimizer.zero_grad()
        layer(torch.ones(4, 2)).square().mean().backward()
        optimizer.step()
print("changed", flush=True)
"""


@pytest.fixture
def board() -> Iterator[MountedBoard]:
    if why_unavailable():
        pytest.skip(why_unavailable())
    with mounted("orin-agx-jp6") as board:
        yield board


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("", 0),
        ("1 / 0", 1),
        ("os._exit(3)", 3),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL),
    ],
)
def test_the_board_comes_back(ending: str, code: int, board: MountedBoard, tmp_path: Path) -> None:
    before = board.settings()
    (tmp_path / "script.py").write_text(SCRIPT + ending, encoding="utf-8")
    program = str(Path(__file__).parent / "virtual_run.py")
    command = [sys.executable, program, str(board.root), "script.py", str(board.root)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=120)
    assert done.returncode == code, done.stderr
    assert "changed" in done.stdout
    end_s = time.monotonic() + 20  # The helper restores a board whose program was killed.
    while (now := board.settings()) != before and time.monotonic() < end_s:
        time.sleep(0.1)
    assert now == before
