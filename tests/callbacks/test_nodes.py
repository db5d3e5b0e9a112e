"""Jobs over several nodes: real processes, real Gloo, a board for each."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from fakes import TINY, true_power_w, true_time_ms

TESTS = Path(__file__).parent.parent


def run(folder: Path, nodes: int, *options: str) -> dict[int, dict[str, Any]]:
    """What the processes wrote down, by rank; those that died did not."""
    path = os.pathsep.join([str(TESTS), str(TESTS / "callbacks")])
    command = [sys.executable, str(TESTS / "callbacks" / "nodes.py"), str(folder), str(nodes), *options]
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False, timeout=180
    )
    found = {int(path.stem[5:]): json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("rank-*.json")}
    assert found, done.stdout + done.stderr
    return found


@pytest.mark.parametrize("nodes", [2, 4])
def test_one_mode_for_all_and_the_same_weights(tmp_path: Path, nodes: int, brute_force: Any) -> None:
    ranks = run(tmp_path, nodes, "untuned=400")
    assert sorted(ranks) == list(range(nodes))
    assert [about["error"] for about in ranks.values()] == [""] * nodes
    assert all(about["restored"] for about in ranks.values())
    assert {json.dumps(about["mode"]) for about in ranks.values()} == {json.dumps(ranks[0]["selection"])}
    assert true_time_ms(TINY.modes.rows([ranks[0]["mode"]]))[0] == pytest.approx(brute_force(13.0)[0])
    assert all(about["weights"]["with"] == about["weights"]["without"] for about in ranks.values())
    # Only the first process writes.
    assert len(list(tmp_path.rglob("summary.json"))) == 1


@pytest.mark.parametrize("again", ["cache", "checkpoint"])
def test_a_job_that_comes_again_starts_in_the_mode_that_it_kept(tmp_path: Path, again: str) -> None:
    ranks = run(tmp_path, 2, f"again={again}")
    assert [about["error"] for about in ranks.values()] == ["", ""]
    assert [about["warnings"] for about in ranks.values()] == [[], []]
    kept = ranks[0]["first"]
    assert ranks[0]["selection"] == kept
    assert ranks[0]["measured"] == [kept], "verified, and nothing else"
    assert [about["applied"] for about in ranks.values()] == [[kept], [kept]]
    assert all(about["restored"] for about in ranks.values())


def test_boards_that_differ(tmp_path: Path, brute_force: Any) -> None:
    """By trying all: the slower board is as fast as it can be, the other draws as little as can be while it waits."""
    ranks = run(tmp_path, 2, "slower=1", "minibatches=1000", "modes=4")
    assert [about["error"] for about in ranks.values()] == ["", ""]
    assert all(about["restored"] for about in ranks.values())
    times_ms, powers_w = true_time_ms(TINY.modes.array), true_power_w(TINY.modes.array)
    fastest_ms = brute_force(13.0)[0]
    assert true_time_ms(TINY.modes.rows([ranks[1]["mode"]]))[0] == pytest.approx(fastest_ms)
    least_w = powers_w[10 * times_ms <= 1.02 * 15 * fastest_ms].min()
    assert true_power_w(TINY.modes.rows([ranks[0]["mode"]]))[0] == pytest.approx(least_w)
    assert sorted(path.parent.name for path in tmp_path.rglob("summary.json")) == ["slower", "tiny"]


@pytest.mark.parametrize(
    ("trouble", "reason"), [("fails=1", "this board refuses"), ("confused=1", "how long is this job?")]
)
def test_what_fails_on_one_node_ends_tuning_on_all(tmp_path: Path, trouble: str, reason: str) -> None:
    ranks = run(tmp_path, 2, trouble)
    assert sorted(ranks) == [0, 1]
    for about in ranks.values():
        assert about["error"] == ""
        assert about["restored"]
    assert len(ranks[0]["warnings"]) == 1
    assert "rank 1: " in ranks[0]["warnings"][0]
    assert reason in ranks[0]["warnings"][0]
    assert ranks[1]["warnings"] == []


def test_a_process_that_dies_leaves_the_other_board_as_it_was_found(tmp_path: Path) -> None:
    ranks = run(tmp_path, 2, "dies=1")
    assert sorted(ranks) == [0]
    assert ranks[0]["restored"]
    # The error of the job is that of torch.
    assert "lightning_powertrain" not in ranks[0]["error"]
    assert "RuntimeError" in ranks[0]["error"] or "DistBackendError" in ranks[0]["error"]
    assert len(ranks[0]["warnings"]) == 1
