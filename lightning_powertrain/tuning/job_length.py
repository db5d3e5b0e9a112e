"""How long a job is."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class JobLength:
    """How long a job is, as far as that is known.

    Args:
        minibatches: Its length; infinite if not known.
        seconds: Its time limit, on the device's clock; infinite without one.
    """

    minibatches: float = math.inf
    seconds: float = math.inf

    @classmethod
    def of(cls, minibatches: int | None, seconds: float | None) -> JobLength:
        """The length of a job of which None marks what is not known."""
        return cls(math.inf if minibatches is None else minibatches, math.inf if seconds is None else seconds)

    @property
    def known_minibatches(self) -> int | None:
        """Its length, unless that is not known or depends on how fast it is."""
        return int(self.minibatches) if math.isfinite(self.minibatches) and math.isinf(self.seconds) else None

    def seconds_left(self, time_ms: float, done: int = 0, spent_s: float = 0.0) -> float:
        """Seconds that it goes on, with minibatches of ``time_ms``."""
        return min((self.minibatches - done) * time_ms / 1e3, self.seconds - spent_s)
