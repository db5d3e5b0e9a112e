"""What other processes do to a cache of profiles: write it, read it, and be killed while they write.

python cache_worker.py write|read|be-killed|be-killed-removing FOLDER [SEED]
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

from lightning_powertrain.boards import Knob, PowerMode
from lightning_powertrain.profiling import Entry, Key, Measurement, Profile, ProfileCache, Provenance

KEY = Key("a workload", "a board")
OTHER = Key("another workload", "a board")
STORES = 25
_TRACED = ("cache.py", "cache_entry.py", "profile.py", "shutil.py")


def profile(seed: int) -> Profile:
    """A profile that shows whether it is whole: each figure depends on the seed, and so does how many there are."""
    rows = [Measurement(PowerMode(cores=cores), seed + 1.0, seed + 2.0) for cores in range(1, 4 + seed % 7)]
    return Profile(
        (Knob("cores", "cores", tuple(range(1, 11))),), Provenance("b", "w", True, {"seed": seed}), tuple(rows)
    )


def write(folder: Path, seed: int) -> None:
    for turn in range(STORES):
        ProfileCache(folder).store(KEY, profile(seed + turn))


def read(folder: Path) -> int:
    """Read until there is a file called ``enough``; returns how often."""
    for turns in count(1):
        found = ProfileCache(folder).load(KEY)
        assert found is not None, "there was an entry before, so there is one at any moment"
        assert found == profile(found.provenance.details["seed"])
        if (folder / "enough").exists():
            return turns
    raise AssertionError


def be_killed(folder: Path) -> int:
    """Replace an entry and be killed at the first line, the second, and so on; returns how many lines there are."""
    before, after = profile(1), profile(2)
    for line, place, finished in _killed_at_each_line(folder, lambda cache: cache.store(KEY, after)):
        cache = ProfileCache(place)
        assert cache.load(KEY) in ((after,) if finished else (before, after)), f"killed at line {line}"
        assert cache.load(OTHER) == before
        cache.store(KEY, profile(3))
        assert cache.load(KEY) == profile(3)
        assert len(cache.entries()) == 2, "what a killed process left is not replaced"
    return line


def be_killed_removing(folder: Path) -> int:
    """The same while an entry is removed."""

    def remove(cache: ProfileCache) -> None:
        assert cache.folder is not None
        cache.remove(Entry(max(cache.folder.iterdir()), 0.0, 0))

    for line, place, finished in _killed_at_each_line(folder, remove):
        left = [entry.profile for entry in ProfileCache(place).entries()]
        assert left in (([profile(1)],) if finished else ([profile(1)], [profile(1)] * 2)), f"killed at line {line}"
    return line


def _killed_at_each_line(folder: Path, act: Callable[[ProfileCache], None]) -> Iterator[tuple[int, Path, bool]]:
    """Act on a cache of two entries in a child process that kills itself at a line; the last one finishes."""
    os.fsync = lambda file: None  # What was written outlives the process anyway.
    for key in (KEY, OTHER):
        ProfileCache(folder / "template").store(key, profile(1))
    for line in count(1):
        place = folder / str(line)
        shutil.copytree(folder / "template", place)
        finished = _finishes_before(line, ProfileCache(place), act)
        yield line, place, finished
        if finished:
            return


def _finishes_before(line: int, cache: ProfileCache, act: Callable[[ProfileCache], None]) -> bool:
    child = os.fork()
    if child == 0:
        lines = count(1)

        def trace(frame: FrameType, event: str, argument: object) -> Any:
            if Path(frame.f_code.co_filename).name not in _TRACED:
                return None
            if event == "line" and next(lines) == line:
                os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace)
        act(cache)
        sys.settrace(None)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return not os.WIFSIGNALED(status)


def main(what: str, folder: str, seed: str = "0") -> None:
    def complain(record: logging.LogRecord) -> bool:
        raise AssertionError(record.getMessage())

    logging.getLogger("lightning_powertrain").addFilter(complain)
    if what == "write":
        write(Path(folder), int(seed))
    else:
        act = {"read": read, "be-killed": be_killed, "be-killed-removing": be_killed_removing}[what]
        print(act(Path(folder)))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
