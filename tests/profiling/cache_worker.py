"""What other processes do to a cache of profiles: write it, read it, and be killed while they write.

python cache_worker.py write|read|be-killed FOLDER [SEED]
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import sys
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

from lightning_powertrain.boards import Knob, PowerMode
from lightning_powertrain.profiling import Key, Measurement, Profile, ProfileCache, Provenance

KEY = Key("a workload", "a board")
OTHER = Key("another workload", "a board")
STORES = 25
_TRACED = ("cache.py", "profile.py", "shutil.py")


def profile(seed: int) -> Profile:
    """A profile that shows whether it is whole: each figure tells the seed, and so does how many there are."""
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
    os.fsync = lambda file: None  # What was written outlives the process anyway.
    before, after, template = profile(1), profile(2), folder / "template"
    for key in (KEY, OTHER):
        ProfileCache(template).store(key, before)
    for line in count(1):
        place = folder / str(line)
        shutil.copytree(template, place)
        finished = _store_until(line, place, after)
        cache = ProfileCache(place)
        assert cache.load(KEY) in ((after,) if finished else (before, after)), f"killed at line {line}"
        assert cache.load(OTHER) == before
        cache.store(KEY, profile(3))
        assert cache.load(KEY) == profile(3)
        assert len(cache.entries()) == 2, "what a killed process left is not replaced"
        if finished:
            return line
    raise AssertionError


def _store_until(line: int, folder: Path, new: Profile) -> bool:
    """Store in a child process that kills itself at that line; returns whether it had finished before."""
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
        ProfileCache(folder).store(KEY, new)
        sys.settrace(None)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return not os.WIFSIGNALED(status)


def main(what: str, folder: str, seed: str = "0") -> None:
    def complain(record: logging.LogRecord) -> bool:
        raise AssertionError(record.getMessage())

    logging.getLogger("lightning_powertrain").addFilter(complain)
    if what == "write":
        write(Path(folder), int(seed))
    else:
        print({"read": read, "be-killed": be_killed}[what](Path(folder)))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
