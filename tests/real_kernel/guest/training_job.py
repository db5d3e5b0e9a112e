"""One whole training job by an ordinary user, from ``PowerTrainCallback(budget=...)`` to the board restored."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from board import settings

BUDGET_W = 25.0
MODES = 8
STEPS = 700


def test_a_job_is_tuned_and_the_board_restored() -> None:
    subprocess.run(["powertrain", "setup-helper", "--user", "alice"], check=True)
    before = settings()
    result = Path("/tmp/result.json")
    job = ["python3", str(Path(__file__).with_name("job.py")), str(BUDGET_W), str(MODES), str(STEPS), str(result)]
    done = subprocess.run(
        ["runuser", "-u", "alice", "--", *job], capture_output=True, text=True, timeout=2500, cwd="/tmp"
    )
    sys.stdout.write(done.stdout + done.stderr)
    assert done.returncode == 0
    found = json.loads(result.read_text(encoding="utf-8"))
    sys.stdout.write(json.dumps(found))
    assert found["steps"] == STEPS
    assert found["modes_measured"] >= MODES
    assert found["modes_seen"] >= MODES
    assert found["power_w"] <= BUDGET_W
    assert settings() == before
