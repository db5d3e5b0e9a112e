"""``powertrain setup-helper`` and ``powertrain doctor`` as people type them, with real sudo and systemd."""

from __future__ import annotations

import json
from typing import Any

from board import CLUSTERS, asleep, throttled
from commands import powertrain


def findings(user: str) -> dict[str, Any]:
    """What doctor says, by check."""
    done = powertrain("doctor", "--json", user=user)
    found = json.loads(done.stdout)
    return {"tuning_works": found["tuning_works"], **{each["check"]: each for each in found["findings"]}}


def test_without_the_helper_doctor_says_that_nothing_can_be_set() -> None:
    assert not findings("alice")["tuning_works"]


def test_setup_helper_lets_its_user_set_modes_and_nobody_else() -> None:
    assert powertrain("setup-helper", "--user", "alice").returncode == 0
    assert findings("alice")["tuning_works"]
    assert not findings("bob")["tuning_works"]


def test_doctor_knows_the_board_and_its_clocks_while_a_cluster_sleeps() -> None:
    with asleep(*CLUSTERS[2]):
        found = findings("alice")
    assert found["tuning_works"]
    assert not [each for each in found.values() if isinstance(each, dict) and each["status"] == "fail"]
    assert "cpu_khz not found" not in json.dumps(found)


def test_doctor_says_that_the_board_throttles() -> None:
    with throttled():
        assert "throttl" in json.dumps(findings("alice"))


def test_remove_takes_the_right_away() -> None:
    assert powertrain("setup-helper", "--remove").returncode == 0
    assert not findings("alice")["tuning_works"]
