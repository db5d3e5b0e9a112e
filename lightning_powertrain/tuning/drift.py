"""A watch over a locked mode: notices when time or power has moved for good, or the board throttles again and again."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from statistics import median, pstdev
from typing import Literal

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import Health, Interval
from lightning_powertrain.profiling import Measurement, sensor_noise
from lightning_powertrain.selection import Objective, excess_of

Sign = Literal["throttling", "over budget", "slower", "faster", "more power", "less power"]
SIGNS: tuple[Sign, ...] = ("throttling", "over budget", "slower", "faster", "more power", "less power")

# What moves is judged by means over so much clean training: long enough for a board to go through one cycle of
# throttling, and for the scatter of minibatches (2.5 %) to average out to 0.6 %.
_BLOCK_S = 60.0
_BLOCK_MINIBATCHES = 20
# A limit that is crossed may be that of a supply or of a battery: it is looked at four times as often.
_SHORT_BLOCK_S = 15.0
_SHORT_BLOCK_MINIBATCHES = 10

# A locked mode was measured to 2 % in time and power, in a window of seconds; being the best of many it was measured
# a little too well by selection; and a warming board draws a few per cent more. Five per cent is beyond all of that.
_TOLERANCE = 0.05
# The sensor is read in steps of 0.4 W, and smaller changes do not show.
_TOLERANCE_W = 0.5

# How well a block knows its time, as far as crossing a limit is concerned: its scatter, and a visit's 0.5 %.
_TIME_NOISE = 0.01

# A sign counts once it has shown in so many blocks more than it did not. One that comes and goes cancels itself out,
# but throttling is no noise: a block without it takes back only a quarter.
_FOR_GOOD = 3.0
_FORGETS = {"throttling": 0.25}

# Share of the health samples of a block in which the board held itself back, for the block to count as throttled.
_THROTTLED_SHARE = 0.05


@dataclass(frozen=True)
class Drift:
    """What a watch has noticed.

    Args:
        sign: What shows it: ``"over budget"``, ``"throttling"``, or which way time or power went.
        before: The locked mode as it was measured.
        now: The same mode over the last blocks; figures of a throttled board if ``throttled_by`` says so.
        blocks: Those blocks, one by one.
    """

    sign: Sign
    before: Measurement
    now: Measurement
    blocks: tuple[Measurement, ...]

    @property
    def is_throttling(self) -> bool:
        """Whether the board held itself back, so that the figures are not those of the mode."""
        return self.sign == "throttling"

    @property
    def time_ratio(self) -> float:
        """Time of a minibatch now over that before."""
        return self.now.time_ms / self.before.time_ms

    @property
    def power_ratio(self) -> float:
        """Power now over that before."""
        return self.now.power_w / self.before.power_w


class Blocks:
    """Sums up intervals and samples to blocks of about a minute, or of a quarter of one.

    Whatever is sampled in an interval that is not clean does not count. Nothing is kept of a block but sums.

    Args:
        mode: The locked mode.
        power_w: Its power, for a block in which no sample could be read.
        short: Whether blocks are those of a quarter of a minute.
    """

    def __init__(self, mode: PowerMode, power_w: float, short: bool = False) -> None:
        self._mode = mode
        self._power_w = power_w
        self._seconds_of_block = _SHORT_BLOCK_S if short else _BLOCK_S
        self._minibatches_of_block = _SHORT_BLOCK_MINIBATCHES if short else _BLOCK_MINIBATCHES
        self._over_currents: int | None = None
        self._begin()

    def add(self, interval: Interval, samples: Iterable[tuple[float, tuple[float, Health]]]) -> Measurement | None:
        """Take an interval that has just ended, and what was sampled since the last one.

        Returns:
            The block once it is full; one without a power sample is blind to power.
        """
        for at_s, (power_w, health) in samples:
            causes = set(health.throttled_by)
            if self._over_currents is not None and health.over_current_events > self._over_currents:
                causes.add("over-current")
            self._over_currents = health.over_current_events
            if interval.clean and interval.start_s <= at_s <= interval.end_s:
                self._samples += 1
                self._throttled += bool(causes)
                self._causes |= causes
                if math.isfinite(power_w):
                    self._watts += power_w
                    self._power_samples += 1
        if interval.clean:
            self._seconds += interval.seconds
            self._minibatches += interval.minibatches
            if self._seconds >= self._seconds_of_block and self._minibatches >= self._minibatches_of_block:
                return self._end()
        return None

    def _begin(self) -> None:
        self._seconds = self._watts = 0.0
        self._minibatches = self._samples = self._power_samples = self._throttled = 0
        self._causes: set[str] = set()

    def _end(self) -> Measurement:
        is_throttled = self._throttled > _THROTTLED_SHARE * self._samples
        block = Measurement(
            self._mode,
            time_ms=self._seconds / self._minibatches * 1e3,
            power_w=self._watts / self._power_samples if self._power_samples else self._power_w,
            minibatches=self._minibatches,
            power_samples=self._power_samples,
            throttled_by="+".join(sorted(self._causes)) if is_throttled else "",
        )
        self._begin()
        return block


class DriftDetector:
    """Decides whether what blocks show is there for good: one score a sign, up when it shows and down when it does not.

    Args:
        before: The locked mode as it was measured.
        objective: The budget; crossing it counts at once, without a tolerance beyond the noise.
        signs: What to look for.
    """

    def __init__(self, before: Measurement, objective: Objective, signs: Collection[Sign] = SIGNS) -> None:
        self._before = before
        self._objective = objective
        self._was_beyond = excess_of(objective, before.time_ms, before.power_w) > 0
        self._scores: dict[Sign, float] = dict.fromkeys(signs, 0.0)
        self._sound: deque[Measurement] = deque(maxlen=3)
        self._throttled: deque[Measurement] = deque(maxlen=3)

    def add(self, block: Measurement) -> Drift | None:
        """Take a block; returns what has moved for good, if anything has."""
        (self._throttled if block.throttled_by else self._sound).append(block)
        shown = self._signs(block)
        for sign, score in self._scores.items():
            if block.throttled_by and sign != "throttling":
                continue  # Its figures are not those of the mode.
            step = 1.0 if sign in shown else -_FORGETS.get(sign, 1.0)
            self._scores[sign] = min(_FOR_GOOD, max(0.0, score + step))
        for sign, score in self._scores.items():
            if score >= _FOR_GOOD:
                blocks = tuple(self._throttled if sign == "throttling" else self._sound)
                return Drift(sign, self._before, _typical(blocks), blocks)
        return None

    def _signs(self, block: Measurement) -> set[Sign]:
        if block.throttled_by:
            return {"throttling"}
        before = self._before
        signs: set[Sign] = set()
        if abs(block.time_ms - before.time_ms) > _TOLERANCE * before.time_ms:
            signs.add("slower" if block.time_ms > before.time_ms else "faster")
        if abs(block.power_w - before.power_w) > max(_TOLERANCE * before.power_w, _TOLERANCE_W):
            signs.add("more power" if block.power_w > before.power_w else "less power")
        if self._is_beyond(block) and not self._was_beyond:
            signs.add("over budget")
        return signs

    def _is_beyond(self, block: Measurement) -> bool:
        """Beyond the budget by more than the noise. Where the budget is itself a measurement, only tolerances count."""
        if self._objective.is_relative:
            return False
        power_w = block.power_w * (1 - float(sensor_noise(block.power_w)))
        return excess_of(self._objective, block.time_ms * (1 - _TIME_NOISE), power_w) > 0


def _typical(blocks: Sequence[Measurement]) -> Measurement:
    """Blocks as one measurement: medians, which one odd block does not move."""
    times_ms, watts = [block.time_ms for block in blocks], [block.power_w for block in blocks]
    minibatches = sum(block.minibatches for block in blocks)
    return Measurement(
        blocks[0].mode,
        time_ms=median(times_ms),
        power_w=median(watts),
        time_std_ms=pstdev(times_ms) * math.sqrt(minibatches / len(blocks)),
        power_std_w=pstdev(watts),
        minibatches=minibatches,
        power_samples=sum(block.power_samples for block in blocks),
        throttled_by=blocks[-1].throttled_by,
    )
