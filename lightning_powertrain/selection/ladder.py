"""Modes to run a whole job in: the convex hull of what was measured, and mixtures of two neighbours on it.

A job may spend a share of its minibatches in one mode and the rest in another. Its time and its energy are then the
weighted means of both, so that all jobs that are possible lie in the convex hull of the modes. The best ones lie on the
edge of it that faces less time and less energy: for any deadline a mixture of two neighbours there, or one mode.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from lightning_powertrain.boards import PowerMode

Limited = Literal["time", "energy"]


@dataclass(frozen=True)
class Step:
    """A mode of a ladder.

    Args:
        mode: The mode.
        time_ms: Time of a minibatch in it.
        energy_mj: Energy of a minibatch.
    """

    mode: PowerMode
    time_ms: float
    energy_mj: float

    def cost(self, limited: Limited) -> float:
        """Time (ms) or energy (mJ) of a minibatch."""
        return self.time_ms if limited == "time" else self.energy_mj

    def priced(self, price_w: float) -> float:
        """Energy (mJ) of a minibatch, and its time at so many joules a second."""
        return self.energy_mj + price_w * self.time_ms


@dataclass(frozen=True)
class Ladder:
    """Measured modes that no mixture of others beats in both time and energy, from the fastest to the slowest.

    Args:
        steps: At least one; each takes longer than the one before, and less energy.
    """

    steps: Sequence[Step]

    @classmethod
    def of(cls, steps: Iterable[Step]) -> Ladder:
        """The ladder of some modes, of which there must be one at least."""
        hull: list[Step] = []
        for step in sorted(steps, key=lambda each: (each.time_ms, each.energy_mj)):
            if hull and step.energy_mj >= hull[-1].energy_mj:
                continue
            while len(hull) > 1 and not _is_below(hull[-2], hull[-1], step):
                hull.pop()
            hull.append(step)
        return cls(hull)

    def within(self, limited: Limited, limit: float, margin: float = 0.0) -> Step:
        """The best step that keeps a limit of each minibatch, or else the one that misses it by least.

        Args:
            limited: What is limited: then the other is made small.
            limit: In ms or mJ.
            margin: Share by which the limit has to be kept.
        """
        # Time rises along the ladder and energy falls: the last that keeps a limit of time is the best.
        ordered = list(self.steps) if limited == "time" else list(self.steps)[::-1]
        kept = [each for each in ordered if each.cost(limited) * (1 + margin) <= limit]
        return kept[-1] if kept else ordered[0]

    def after(self, limited: Limited, step: Step) -> Step | None:
        """The next step that costs more of what is limited, and less of the other; None at the end of the ladder."""
        ordered = list(self.steps) if limited == "time" else list(self.steps)[::-1]
        return next((each for each in ordered if each.cost(limited) > step.cost(limited)), None)


@dataclass(frozen=True)
class Mixture:
    """How to do the rest of a job: minibatches in one mode, then the others in another.

    Args:
        first: The step to begin with, which costs less of what is limited, so that a surprise can still be met.
        count: Minibatches in it; need not be whole.
        then: The step for the rest; None if there is no rest.
        minibatches: All minibatches.
    """

    first: Step
    count: float
    then: Step | None
    minibatches: float

    @property
    def seconds(self) -> float:
        """Seconds that all minibatches take."""
        return self._total("time") / 1e3

    @property
    def joules(self) -> float:
        """Joules that all minibatches take."""
        return self._total("energy") / 1e3

    def _total(self, cost: Limited) -> float:
        rest = 0.0 if self.then is None else (self.minibatches - self.count) * self.then.cost(cost)
        return self.count * self.first.cost(cost) + rest


def best_mixture(ladder: Ladder, limited: Limited, total: float, minibatches: float) -> Mixture:
    """The rest of a job with the least of one cost, within a total of the other.

    Args:
        ladder: The modes.
        limited: What is limited.
        total: Seconds or joules that are left; where not even the best mode keeps them, all is done in that one.
        minibatches: Minibatches that are left.
    """
    limit = 1e3 * total / max(minibatches, 1e-9)
    first = ladder.within(limited, limit)
    then = ladder.after(limited, first)
    if then is None or first.cost(limited) >= limit:
        return Mixture(first, minibatches, None, minibatches)
    share = (then.cost(limited) - limit) / (then.cost(limited) - first.cost(limited))
    return Mixture(first, share * minibatches, then, minibatches)


def _is_below(left: Step, middle: Step, right: Step) -> bool:
    """Whether a step takes less energy than the mixture of its neighbours that takes as long."""
    across = (middle.time_ms - left.time_ms) * (right.energy_mj - left.energy_mj)
    return (middle.energy_mj - left.energy_mj) * (right.time_ms - left.time_ms) < across
