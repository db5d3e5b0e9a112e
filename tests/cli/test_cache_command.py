"""``powertrain cache list|clear``."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from fakes import TINY, FakeDevice
from typer.testing import CliRunner

from lightning_powertrain.cli import app
from lightning_powertrain.profiling import (
    Key,
    Measurement,
    Profile,
    ProfileCache,
    Provenance,
    board_fingerprint,
    named_fingerprint,
)

DAY_S = 86400


@pytest.fixture(autouse=True)
def narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")


def run(*arguments: object, exit_code: int = 0, answer: str = "") -> str:
    result = CliRunner().invoke(app, ["cache", *map(str, arguments)], input=answer)
    assert result.exit_code == exit_code, result.output
    return result.stdout if exit_code == 0 else result.stderr


def put(workload: str, board: str = "tiny", modes: int = 3, age_days: float = 0.0, simulated: bool = False) -> Key:
    device = FakeDevice()
    device.board, device.simulated = replace(TINY, key=board), simulated
    key = Key(named_fingerprint(workload), board_fingerprint(device))
    rows = tuple(Measurement(TINY.modes.mode(index), 10.0, 5.0) for index in range(modes))
    cache = ProfileCache()
    cache.store(key, Profile(TINY.knobs, Provenance(board, workload, simulated), rows))
    (entry,) = (entry for entry in cache.entries() if entry.key == key)
    os.utime(entry.folder, (time.time() - age_days * DAY_S - 1,) * 2)
    return key


def damage(key: Key) -> None:
    (entry,) = (entry for entry in ProfileCache().entries() if entry.key == key)
    moment_s = entry.saved_s
    (entry.folder / "profile.csv").write_text("nothing")
    os.utime(entry.folder, (moment_s, moment_s))


def workloads() -> list[str]:
    return [entry["workload"] for entry in json.loads(run("list", "--json"))["entries"]]


def test_list_shows_one_line_each_the_newest_first(cache_folder: Path) -> None:
    put("[bold]ResNet", modes=17, age_days=3.5, simulated=True)
    put("lstm", board="orin", modes=0)
    damage(put("broken", age_days=40))
    lines = run("list").splitlines()
    assert lines[0].split() == ["Workload", "Board", "Origin", "Modes", "Age", "Size"]
    assert lines[1].split()[:6] == ["lstm", "orin", "measured", "0", "0", "min"]
    assert lines[2].split()[:6] == ["[bold]ResNet", "tiny", "SIMULATED", "17", "3", "days"]
    assert lines[3].split()[:8] == ["cannot", "be", "read", "-", "-", "-", "40", "days"]
    assert str(cache_folder) in "".join(lines[4:])


def test_json_holds_all_that_a_hit_depends_on(cache_folder: Path) -> None:
    key = put("lstm", age_days=1, simulated=True)
    damage(put("broken", age_days=2))
    record = json.loads(run("list", "--json"))
    assert record["folder"] == str(cache_folder)
    readable, broken = record["entries"]
    assert readable["key"] == {"workload": {"named": "lstm"}, "board": json.loads(key.board)}
    assert [readable[name] for name in ("workload", "board", "simulated", "modes")] == ["lstm", "tiny", True, 3]
    assert readable["saved"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ProfileCache().entries()[0].saved_s))
    assert (readable["readable"], broken["readable"], "workload" in broken) == (True, False, False)


def test_keys_that_are_no_json_are_shown_as_they_are() -> None:
    ProfileCache().store(Key("any text", "{"), Profile(TINY.knobs, Provenance("b", "w", False)))
    (entry,) = json.loads(run("list", "--json"))["entries"]
    assert entry["key"] == {"workload": "any text", "board": "{"}


def test_nothing_there(cache_folder: Path) -> None:
    assert run("list") == f"There are no profiles in {cache_folder}.\n"
    assert json.loads(run("list", "--json")) == {"folder": str(cache_folder), "entries": []}
    assert run("clear") == f"There is nothing to remove in {cache_folder}.\n"
    assert not cache_folder.exists(), "looking leaves nothing behind"


@pytest.mark.parametrize("command", ["list", "clear"])
def test_switched_off(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POWERTRAIN_CACHE", "off")
    assert "POWERTRAIN_CACHE" in run(command)
    assert json.loads(run("list", "--json")) == {"folder": None, "entries": []}


def test_clear_asks_first() -> None:
    damage(put("broken"))
    put("lstm")
    assert "Aborted" in run("clear", answer="n\n", exit_code=1)
    run("clear", exit_code=1)  # Nobody there to answer.
    assert len(ProfileCache().entries()) == 2
    assert "Removed 2 profiles" in run("clear", answer="y\n")
    assert ProfileCache().entries() == ()


def test_clear_removes_what_the_options_name() -> None:
    put("old", age_days=9)
    put("new", age_days=1)
    put("old elsewhere", board="orin", age_days=9)
    damage(put("broken", age_days=5))
    assert "Removed 1 profile from" in run("clear", "--board", "orin", "--yes")
    assert len(ProfileCache().entries()) == 3
    assert "nothing to remove" in run("clear", "--board", "orin", "--older-than", 2, "--yes")
    assert "Removed 2 profiles" in run("clear", "--older-than", 2.5, "--yes")
    assert workloads() == ["new"]
    assert "Removed 1 profile from" in run("clear", "--yes")


def test_what_cannot_be_removed_exits_1(monkeypatch: pytest.MonkeyPatch) -> None:
    put("lstm")

    def refuse(path: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    assert "could not be removed" in run("clear", "--yes", exit_code=1)


@pytest.mark.parametrize("arguments", [("clear", "--older-than", "-1"), ("clear", "--older-than", "x"), ("forget",)])
def test_wrong_calls_exit_2(arguments: tuple[str, ...]) -> None:
    run(*arguments, exit_code=2)
