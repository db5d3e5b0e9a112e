"""What happens to a job, when, and what the job says of it."""

from __future__ import annotations

import resource
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

KINDS = (
    *("SIGKILL", "SIGTERM", "SIGHUP", "SIGINT", "exception in the training step", "exception in another callback"),
    *("exception in our own code", "full disk", "helper killed", "both killed"),
    *("helper asked to end", "write refused", "kernel busy"),
)
MOMENTS = (*("before the first mode", "settling", "measuring", "fitting", "locked", "during validation", "restoring"),)

_TEST_PATIENCE_S = 60.0


@dataclass(frozen=True)
class Report:
    """How a job ended that came to an end by itself.

    Args:
        error: What reached the caller of ``fit``, as ``repr`` shows it; nothing if it returned.
        steps_afterwards: Steps that were trained after the event.
        warnings: What the library warned of.
    """

    error: str
    steps_afterwards: int
    warnings: list[str]


class Event:
    """Comes once, at the named moment; the test is notified, and what it answers is obeyed.

    Args:
        kind: One of :data:`KINDS`.
        moment: One of :data:`MOMENTS`.
        test: The way to the test.
    """

    def __init__(self, kind: str, moment: str, test: Connection) -> None:
        self.kind = kind
        self.moment = moment
        self.has_come = False
        self.steps_afterwards = 0
        self.helper_pid: Callable[[], int] = lambda: 0
        self._test = test

    def comes(self, moment: str) -> bool:
        """Let it happen if this is its moment; whether it has happened just now."""
        if self.has_come or moment != self.moment:
            return False
        self.has_come = True
        self._test.send(self.helper_pid())
        if not self._test.poll(_TEST_PATIENCE_S):
            raise TimeoutError("the test does not answer")
        self._test.recv()
        if self.kind == "full disk":
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        return True

    def is_due(self, kind: str) -> bool:
        """Whether an exception of this kind is to be raised, now that its moment has come."""
        return self.kind == kind and self.has_come
