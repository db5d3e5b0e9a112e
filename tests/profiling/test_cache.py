"""The cache of profiles: what goes in comes out, whatever other processes do to it meanwhile."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cache_worker
import pytest
from cache_worker import KEY, OTHER, STORES, profile

from lightning_powertrain.profiling import Key, ProfileCache

pytestmark = pytest.mark.usefixtures("no_waiting_for_the_disk")


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# What goes in comes out.


def test_round_trip(cache: ProfileCache, warnings: Callable[[], list[str]]) -> None:
    assert cache.load(KEY) is None
    assert cache.entries() == ()
    cache.store(KEY, profile(1))
    cache.store(OTHER, profile(2))
    assert (cache.load(KEY), cache.load(OTHER)) == (profile(1), profile(2))
    assert ProfileCache().load(KEY) == profile(1)
    assert cache.load(Key(KEY.board, KEY.workload)) is None
    assert not warnings()


def test_the_later_profile_takes_the_place_of_the_earlier(cache: ProfileCache, cache_folder: Path) -> None:
    for seed in range(12):
        cache.store(KEY, profile(seed))
        assert cache.load(KEY) == profile(seed)
    assert len(entries(cache_folder)) == 1


def test_what_is_replaced_is_not_decided_by_the_clock(
    cache: ProfileCache, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of a board that was just switched on may be years behind."""
    cache.store(KEY, profile(1))
    os.utime(next(cache_folder.iterdir()), (4e9, 4e9))
    monkeypatch.setattr(time, "time", lambda: 0.0)
    cache.store(KEY, profile(2))
    assert cache.load(KEY) == profile(2)
    assert len(entries(cache_folder)) == 1


def test_entries_tell_what_they_hold(cache: ProfileCache, cache_folder: Path) -> None:
    for age_s, key, seed in ((100, KEY, 1), (50, OTHER, 2)):
        cache.store(key, profile(seed))
        (entry,) = (entry for entry in cache.entries() if entry.key == key)
        os.utime(entry.folder, (1e9 - age_s, 1e9 - age_s))
    newest, oldest = cache.entries()
    assert (newest.key, newest.profile, newest.saved_s) == (OTHER, profile(2), 1e9 - 50)
    assert (oldest.key, oldest.profile, oldest.saved_s) == (KEY, profile(1), 1e9 - 100)
    assert newest.size_bytes == sum(path.stat().st_size for path in newest.folder.iterdir()) > 0


def test_an_entry_is_a_profile_that_other_commands_read(cache: ProfileCache) -> None:
    cache.store(KEY, profile(1))
    (entry,) = cache.entries()
    assert type(profile(1)).load(entry.folder / "profile.csv") == profile(1)


def test_names_are_the_same_everywhere() -> None:
    """As ``sha256sum`` has it; another name would make each version of Python, or of this library, start anew."""
    assert KEY.name == "0697a2ed4e81ddb533c05e5e7c7d787d"


def test_removed_entries_are_gone(cache: ProfileCache, cache_folder: Path) -> None:
    cache.store(KEY, profile(1))
    (entry,) = cache.entries()
    cache.remove(entry)
    cache.remove(entry)
    assert cache.load(KEY) is None
    assert not entries(cache_folder)


def test_the_oldest_go_beyond_the_limit(
    cache: ProfileCache, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightning_powertrain.profiling.cache.MOST_ENTRIES", 3)
    keys = [Key(str(number), "board") for number in range(5)]
    for number, key in enumerate(keys):
        cache.store(key, profile(number))
        (entry,) = (entry for entry in cache.entries() if entry.key == key)
        os.utime(entry.folder, (1e9 + number, 1e9 + number))
    assert [cache.load(key) for key in keys] == [None, None, profile(2), profile(3), profile(4)]
    # One that was stored while the clock was behind looks older than all others; it is the newest nevertheless.
    for entry in cache.entries():
        os.utime(entry.folder, (4e9, 4e9))
    cache.store(KEY, profile(9))
    assert cache.load(KEY) == profile(9)
    assert len(entries(cache_folder)) == 3


def test_only_what_is_ours_is_ever_removed(
    cache: ProfileCache, cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lightning_powertrain.profiling.cache.MOST_ENTRIES", 1)
    foreign = ["notes.txt", f"{KEY.name}-00000001", ".scratch-mine", f"{KEY.name.upper()}-00000001-00000000"]
    for name in foreign:
        (cache_folder / name).mkdir(parents=True)
        os.utime(cache_folder / name, (0, 0))
    for seed in range(3):
        cache.store(KEY, profile(seed))
        cache.store(OTHER, profile(seed))
    assert set(foreign) <= set(entries(cache_folder))
    assert len(cache.entries()) == 1


def test_what_killed_processes_left_is_removed_after_an_hour(cache: ProfileCache, cache_folder: Path) -> None:
    left = {".scratch-00000000": 3700, ".scratch-00000001": 60}
    for name, age_s in left.items():
        (cache_folder / name).mkdir(parents=True)
        (cache_folder / name / "profile.csv").write_text("half a pro")
        os.utime(cache_folder / name, (time.time() - age_s, time.time() - age_s))
    cache.store(KEY, profile(1))
    assert [name for name in entries(cache_folder) if name in left] == [".scratch-00000001"]


# Where it lies.


@pytest.mark.parametrize("value", ["", "off"])
def test_it_can_be_switched_off(
    value: str, cache_folder: Path, monkeypatch: pytest.MonkeyPatch, warnings: Callable[[], list[str]]
) -> None:
    monkeypatch.setenv("POWERTRAIN_CACHE", value)
    cache = ProfileCache()
    cache.store(KEY, profile(1))
    assert (cache.folder, cache.load(KEY), cache.entries()) == (None, None, ())
    assert not warnings()
    assert ProfileCache(cache_folder).folder == cache_folder, "a folder that is asked for is used"


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"POWERTRAIN_CACHE": "/named", "XDG_CACHE_HOME": "/xdg"}, "/named"),
        ({"POWERTRAIN_CACHE": "~/named"}, "/home/somebody/named"),
        ({"XDG_CACHE_HOME": "/xdg"}, "/xdg/lightning-powertrain"),
        ({"XDG_CACHE_HOME": "relative"}, "/home/somebody/.cache/lightning-powertrain"),
        ({"XDG_CACHE_HOME": ""}, "/home/somebody/.cache/lightning-powertrain"),
        ({}, "/home/somebody/.cache/lightning-powertrain"),
    ],
)
def test_usual_folder(variables: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("POWERTRAIN_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": "/home/somebody", **variables}.items():
        monkeypatch.setenv(name, value)
    assert ProfileCache().folder == Path(folder)


def test_without_a_home_there_is_no_cache(monkeypatch: pytest.MonkeyPatch, warnings: Callable[[], list[str]]) -> None:
    monkeypatch.setenv("POWERTRAIN_CACHE", "~nobody-of-this-name/cache")
    cache = ProfileCache()
    cache.store(KEY, profile(1))
    assert (cache.folder, cache.load(KEY)) == (None, None)
    (message,) = warnings()
    assert "POWERTRAIN_CACHE" in message


# Processes that know nothing of each other.


def worker(*arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, cache_worker.__file__, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def succeeded(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return output


def test_writers_and_readers_at_once(cache: ProfileCache, cache_folder: Path) -> None:
    """Each reader finds a whole profile each time that it looks, though it is replaced all the time."""
    cache.store(KEY, profile(0))
    readers = [worker("read", cache_folder) for _ in range(2)]
    doomed = worker("write", cache_folder, 1000)
    writers = [worker("write", cache_folder, seed) for seed in (100, 200, 300)]
    succeeded(writers[0])
    doomed.send_signal(signal.SIGKILL)
    doomed.communicate(timeout=120)
    for process in writers[1:]:
        succeeded(process)
    (cache_folder / "enough").touch()
    assert all(int(succeeded(reader)) > 1 for reader in readers)
    found = cache.load(KEY)
    assert found is not None
    last = [seed + STORES - 1 for seed in (100, 200, 300, 1000)]
    assert found.provenance.details["seed"] in last or found.provenance.details["seed"] > 1000
    cache.store(KEY, profile(0))
    assert len(cache.entries()) == 1


@pytest.mark.parametrize("what", ["be-killed", "be-killed-removing"])
def test_killed_at_any_line(tmp_path: Path, what: str) -> None:
    """At whichever line of code a process is killed: an entry is there as it was, or replaced, or gone as a whole."""
    assert int(succeeded(worker(what, tmp_path))) > 30


@pytest.fixture(scope="module")
def wide_folder() -> Path | None:
    return ProfileCache().folder


def test_fixtures_that_outlive_a_test_have_no_cache(wide_folder: Path | None) -> None:
    """Or the tests would write to the cache of whoever runs them."""
    assert wide_folder is None
