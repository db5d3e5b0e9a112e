"""Acts once a call has ended, in whichever way: for frameworks that report no errors to their callbacks."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType

_PERIOD_S = 0.5


def calling(kind: type, method: str | None = None) -> FrameType | None:
    """The innermost call of a method of ``kind`` that is under way in this thread; None if there is none.

    Args:
        kind: The class; those derived from it count too.
        method: Name of the method; None for any.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if method in (None, frame.f_code.co_name) and isinstance(frame.f_locals.get("self"), kind):
            break
        frame = frame.f_back
    return frame


class CallWatch:
    """Looks twice a second whether a call of this thread is still under way, in a thread of its own.

    An error or Ctrl-C ends a call at once, although a traceback or a debugger may keep its variables alive. A notebook
    stays open after that, so that the end of the process does not come to restore the board.

    Args:
        frame: The call.
        then: Called once after the end of the call, in the thread of the watch; must not raise.
    """

    def __init__(self, frame: FrameType, then: Callable[[], object]) -> None:
        self._frame: FrameType | None = frame
        self._caller = threading.get_ident()
        self._then = then
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="powertrain-call-watch", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching; waits while ``then`` runs."""
        self._stopped.set()
        self._thread.join()
        self._frame = None

    def _run(self) -> None:
        misses = 0
        while misses < 2:  # The stack may change while this thread walks it.
            if self._stopped.wait(_PERIOD_S):
                return
            misses = 0 if self._is_under_way() else misses + 1
        self._frame = None  # It holds the variables of the call.
        self._then()

    def _is_under_way(self) -> bool:
        frame = sys._current_frames().get(self._caller)
        while frame is not None and frame is not self._frame:
            frame = frame.f_back
        return frame is not None
