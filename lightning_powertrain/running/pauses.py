"""Which times between two minibatches are no measure of one."""

from __future__ import annotations

import statistics
from collections import deque

_LATELY = 16
_LEAST = 8
_FAR_ABOVE_MEDIAN = 4.0
_FAR_ABOVE_LONGEST = 2.0


class Pauses:
    """Recognises evaluation, checkpoints and whatever else a script does between two minibatches.

    Such an interval is more than four times the median of the last 16, and more than twice the longest of these: where
    a data loader makes every fourth minibatch wait, that is how the job runs.

    >>> pauses = Pauses()
    >>> [pauses.is_pause(seconds) for seconds in (*[0.1] * 8, 0.9, 0.1)]
    [False, False, False, False, False, False, False, False, True, False]
    """

    def __init__(self) -> None:
        self._lately: deque[float] = deque(maxlen=_LATELY)

    def forget(self) -> None:
        """Begin anew: minibatches take another time in another power mode."""
        self._lately.clear()

    def is_pause(self, seconds: float) -> bool:
        """Whether an interval of so many seconds held more than a minibatch."""
        lately = self._lately
        is_pause = (
            len(lately) >= _LEAST
            and seconds > _FAR_ABOVE_LONGEST * max(lately)
            and seconds > _FAR_ABOVE_MEDIAN * statistics.median(lately)
        )
        lately.append(seconds)
        return is_pause
