"""The times of single minibatches: how they scatter, and how they settle after a switch."""

from __future__ import annotations

import numpy as np

from lightning_powertrain.simulation.physics import FloatArray

_BLOCK = 64
_BODY = 0.012
_HICCUP_CHANCE = 0.03
_HICCUP_RANGE = (0.04, 0.20)
_VISIT_SPREAD = 0.005
_COLD = 0.4
_COLD_MINIBATCHES = 1.0
_SWITCH_S = 0.01
_HOTPLUG_S = 0.04


class Pace:
    """Draws the time of one minibatch after another.

    Args:
        generator: Of all scatter.
    """

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator
        self._upcoming_s: list[float] = []
        self._upcoming_wait: list[float] = []
        self._drawn = 0
        self._visit = 1.0
        self._prefetched = 0
        self._ready_s = self._loading_s = self._wait_s = self._wait_before_s = self._switch_s = 0.0

    def settle(self, ready_s: float, time_s: float, prefetched: int, loading_s: float = 0.0) -> None:
        """From now on, and as if it had always been so, a minibatch takes ``time_s``.

        Args:
            ready_s: What it would take if the data loader always kept up.
            time_s: What it takes.
            prefetched: Minibatches that the data loader holds ready when it keeps up.
            loading_s: Part of ``ready_s`` in which the main thread loads data itself.
        """
        self._ready_s, self._wait_s, self._prefetched = ready_s, time_s - ready_s, prefetched
        self._loading_s = loading_s
        self._wait_before_s = self._wait_s
        self._upcoming_s.clear()
        self._upcoming_wait.clear()
        self._drawn = prefetched

    def switch(
        self, ready_s: float, time_s: float, prefetched: int, cores_changed: int, loading_s: float = 0.0
    ) -> None:
        """The board enters another mode, in which a minibatch takes ``time_s`` once it has settled.

        The minibatches that lie ready were made in the mode before, and so was much of those in the making: the wait
        for data goes from what it was to what it will be while the queue is renewed. Caches and queues are cold at
        first, and the switch itself takes time: hotplug stops the machine for each core.
        """
        wait_before_s = self._wait_now_s()
        self.settle(ready_s, time_s, prefetched, loading_s)
        self._wait_before_s = wait_before_s
        self._drawn = 0
        self._switch_s = _SWITCH_S + _HOTPLUG_S * cores_changed
        self._visit = 1 + _VISIT_SPREAD * float(self._generator.standard_normal())

    def next_s(self) -> float:
        """Time of the next minibatch."""
        if not self._upcoming_s:
            self._draw()
        self._upcoming_wait.pop()
        return self._upcoming_s.pop()

    def next_wait_s(self) -> float:
        """Part of the next minibatch before its data is there."""
        if not self._upcoming_s:
            self._draw()
        return self._upcoming_wait[-1] * self._upcoming_s[-1]

    def _wait_now_s(self) -> float:
        renewed = self._renewed(np.array(float(self._drawn - len(self._upcoming_s))))
        return float(self._wait_before_s + (self._wait_s - self._wait_before_s) * renewed)

    def _renewed(self, since_switch: FloatArray) -> FloatArray:
        """Share of the queue of prefetched minibatches that was made in this mode."""
        return np.minimum(1.0, since_switch / max(self._prefetched, 1))

    def _draw(self) -> None:
        since_switch = np.arange(self._drawn, self._drawn + _BLOCK, dtype=np.float64)
        wait_s = self._wait_before_s + (self._wait_s - self._wait_before_s) * self._renewed(since_switch)
        times_s = (self._ready_s + wait_s) * self._visit * _scatter(self._generator, _BLOCK)
        if self._switch_s:
            times_s *= 1 + _COLD * np.exp(-since_switch / _COLD_MINIBATCHES)
            times_s[0] += self._switch_s
            self._switch_s = 0.0
        self._drawn += _BLOCK
        self._upcoming_s = times_s[::-1].tolist()
        self._upcoming_wait = ((self._loading_s + wait_s) / (self._ready_s + wait_s))[::-1].tolist()


def _scatter(generator: np.random.Generator, count: int) -> FloatArray:
    """Factors of mean 1 with heavy tails: Student's t with 4 degrees of freedom, and a few hiccups of 4 to 20 %."""
    body = _BODY * np.clip(generator.standard_t(4, count), -8, 8)
    hiccups = (generator.random(count) < _HICCUP_CHANCE) * generator.uniform(*_HICCUP_RANGE, count)
    return np.asarray(1 + body + hiccups - _HICCUP_CHANCE * np.mean(_HICCUP_RANGE), dtype=np.float64)
