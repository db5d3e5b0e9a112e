"""Through which files of this library a minibatch passes: a newcomer reads these to know what each of them costs."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import lightning_powertrain
from lightning_powertrain import callbacks
from lightning_powertrain.tuning import Phase

_PACKAGES = {Path(package.__file__ or "").parent for package in (lightning_powertrain, callbacks)}


class PathTrace:
    """Counts, for each phase, the files and the calls of each minibatch, from its first hook to its last.

    Args:
        phase: Returns the phase of the job.
    """

    def __init__(self, phase: Callable[[], Phase]) -> None:
        self._phase = phase
        self._files: set[str] = set()
        self._calls = 0
        self._seen: dict[Phase, Counter[tuple[frozenset[str], int]]] = defaultdict(Counter)

    def starts(self, hook: Callable[..., Any]) -> Callable[..., Any]:
        """Have a minibatch start with a hook."""

        def traced(*given: Any, **named: Any) -> Any:
            self._files, self._calls = set(), 0
            return self._trace(hook, *given, **named)

        return traced

    def ends(self, hook: Callable[..., Any]) -> Callable[..., Any]:
        """Have a minibatch end with a hook."""

        def traced(*given: Any, **named: Any) -> Any:
            phase = self._phase()
            returned = self._trace(hook, *given, **named)
            self._seen[phase][frozenset(self._files), self._calls] += 1
            return returned

        return traced

    def usual(self, phase: Phase) -> tuple[frozenset[str], int]:
        """Files and calls of the most common minibatch of a phase."""
        (path, count), *_ = self._seen[phase].most_common(1)
        assert count > 0.4 * sum(self._seen[phase].values())
        return path

    def _trace(self, hook: Callable[..., Any], *given: Any, **named: Any) -> Any:
        def profile(frame: FrameType, event: str, argument: object) -> None:
            if event == "call" and _is_ours(frame):
                self._files.add(Path(frame.f_code.co_filename).name)
                self._calls += 1

        sys.setprofile(profile)
        try:
            return hook(*given, **named)
        finally:
            sys.setprofile(None)


def assert_short(trace: PathTrace, *adapter: str) -> None:
    """A minibatch passes through the files of the adapter, and those that a loop of one's own needs too."""
    profiling, calls = trace.usual(Phase.PROFILING)
    assert profiling == {*adapter, "tuner.py", "clock.py", "window.py"}
    assert calls <= 20
    locked, calls = trace.usual(Phase.LOCKED)
    assert locked == {*adapter, "tuner.py", "clock.py"}
    assert calls <= 10


def _is_ours(frame: FrameType) -> bool:
    """Whether a frame belongs to this library, and was not called by the board of the test."""
    outer: FrameType | None = frame
    while outer is not None:
        if outer.f_code.co_filename.endswith("fakes.py"):
            return False
        outer = outer.f_back
    return any(package in Path(frame.f_code.co_filename).parents for package in _PACKAGES)
