"""Jobs over several nodes, with real processes, real Gloo and a fake board in each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fakes import TINY, true_power_w, true_time_ms
from forked import run_script


def run(folder: Path, nodes: int, *options: str) -> dict[int, dict[str, Any]]:
    """The results of the processes by rank, except of those that were killed."""
    done = run_script(Path(__file__).parent / "nodes.py", str(folder), str(nodes), *options, folder=folder)
    found = {int(path.stem[5:]): json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("rank-*.json")}
    assert found, done.stdout + done.stderr
    return found


@pytest.mark.parametrize("nodes", [2, 4])
def test_all_boards_get_the_best_mode_and_weights_are_unchanged(tmp_path: Path, nodes: int, brute_force: Any) -> None:
    ranks = run(tmp_path, nodes, "untuned=400")
    assert sorted(ranks) == list(range(nodes))
    assert [about["error"] for about in ranks.values()] == [""] * nodes
    assert all(about["restored"] for about in ranks.values())
    assert {json.dumps(about["mode"]) for about in ranks.values()} == {json.dumps(ranks[0]["selection"])}
    assert true_time_ms(TINY.modes.rows([ranks[0]["mode"]]))[0] == pytest.approx(brute_force(13.0)[0])
    assert all(about["weights"]["with"] == about["weights"]["without"] for about in ranks.values())
    # Only the coordinator writes files.
    assert len(list(tmp_path.rglob("summary.json"))) == 1


@pytest.mark.parametrize("again", ["cache", "checkpoint"])
def test_a_repeated_or_resumed_job_starts_in_its_chosen_mode(tmp_path: Path, again: str) -> None:
    ranks = run(tmp_path, 2, f"again={again}")
    assert [about["error"] for about in ranks.values()] == ["", ""]
    assert [about["warnings"] for about in ranks.values()] == [[], []]
    kept = ranks[0]["first"]
    assert ranks[0]["selection"] == kept
    assert ranks[0]["measured"] == [kept], "only the chosen mode is measured again, to verify it"
    assert [about["applied"] for about in ranks.values()] == [[kept], [kept]]
    assert all(about["restored"] for about in ranks.values())


def test_boards_of_different_kinds(tmp_path: Path, brute_force: Any) -> None:
    """The result equals brute force: least time for the slower board, least power at that pace for the other."""
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
    ("trouble", "reason"),
    [("failing=1", "this board refuses"), ("no_length=1", "unknown job length")],
)
def test_a_failure_on_one_node_ends_tuning_on_all(tmp_path: Path, trouble: str, reason: str) -> None:
    ranks = run(tmp_path, 2, trouble)
    assert sorted(ranks) == [0, 1]
    for about in ranks.values():
        assert about["error"] == ""
        assert about["restored"]
    assert len(ranks[0]["warnings"]) == 1
    assert "rank 1: " in ranks[0]["warnings"][0]
    assert reason in ranks[0]["warnings"][0]
    assert ranks[1]["warnings"] == []


def test_the_end_of_one_process_restores_the_other_board(tmp_path: Path) -> None:
    ranks = run(tmp_path, 2, "killed=1")
    assert sorted(ranks) == [0]
    assert ranks[0]["restored"]
    # The job ends with the error of torch.
    assert "lightning_powertrain" not in ranks[0]["error"]
    assert "RuntimeError" in ranks[0]["error"] or "DistBackendError" in ranks[0]["error"]
    assert len(ranks[0]["warnings"]) == 1
