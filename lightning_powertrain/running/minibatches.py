"""What a minibatch is in a program that may have several optimizers, and which intervals are longer than one."""

from __future__ import annotations

import statistics
import weakref
from collections import deque
from typing import Any

# So many steps of the most frequent optimizer show which ones there are: enough for three of one that steps every
# seventh time, as the generator of a GAN may.
_STEPS_TO_SEE = 20
# After so many times the usual number of other steps without one of its own, an optimizer is no longer in use.
_PATIENCE = 10

_LATELY = 16
_LEAST = 8
_FAR_ABOVE_MEDIAN = 4.0
_FAR_ABOVE_LONGEST = 2.0


class MinibatchUnit:
    """A minibatch ends with each step of the optimizer that steps least often, but regularly.

    So the time between two of its steps holds all steps of the others: five of a discriminator and one of a generator,
    or two of critics and one of an actor. Which one that is shows in the first 20 steps. It is looked for again once it
    is gone or has not stepped for long, as after a learning-rate finder with a model of its own.

    Optimizers of the same parameters count as one: some programs make a new one in each epoch.
    """

    def __init__(self) -> None:
        self.minibatches = 0
        """Minibatches so far."""
        self._look()

    @property
    def is_known(self) -> bool:
        """Whether the optimizer that steps least often is known."""
        return self._chosen is not None

    def ends_with(self, optimizer: Any) -> bool:
        """Whether a minibatch ends with this step of an optimizer."""
        subject = _subject(optimizer)
        if self._chosen is None:
            self._see(subject)
            return False
        if self._chosen() is subject:
            self._others = 0
            self.minibatches += 1
            return True
        self._others += 1
        if self._others > self._most_others or self._chosen() is None:
            self._look()
        return False

    def _look(self) -> None:
        self._chosen: weakref.ref[Any] | None = None
        self._most_others = self._others = 0
        self._steps = 0
        self._seen: dict[int, _Seen] = {}

    def _see(self, subject: Any) -> None:
        seen = self._seen.get(id(subject))
        if seen is None or seen.subject() is not subject:  # Another one may have had this address.
            seen = self._seen[id(subject)] = _Seen(subject, self._steps)
        seen.count += 1
        seen.last = self._steps
        self._steps += 1
        if seen.count == _STEPS_TO_SEE:
            self._choose()

    def _choose(self) -> None:
        middle = self._steps / 2
        regular = [seen for seen in self._seen.values() if seen.first < middle <= seen.last]
        chosen = min(regular, key=lambda seen: seen.count)
        self._chosen = chosen.subject
        self.minibatches += chosen.count
        self._most_others = max(_STEPS_TO_SEE, _PATIENCE * self._steps // chosen.count)
        self._seen = {}


def _subject(optimizer: Any) -> Any:
    """What an optimizer trains, by its first parameter; the optimizer itself if it shows none."""
    for group in getattr(optimizer, "param_groups", ()):
        for parameter in group["params"]:
            return parameter
    return optimizer


class _Seen:
    """The steps of one optimizer."""

    def __init__(self, subject: Any, first: int) -> None:
        self.subject = weakref.ref(subject)  # Training must not keep the memory of one that is no longer in use.
        self.first = self.last = first
        self.count = 0


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
