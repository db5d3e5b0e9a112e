"""A chart of minibatch time over power: what is drawn where, whatever paints it.

Lengths are those of the view box, which is as wide as a small phone and as a thumbnail; a painter scales it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Tuple, Union

from lightning_powertrain.reporting.axis import LOG_RATIO, Axis

WIDTH, HEIGHT = 400.0, 300.0
TEXT = 11.0
"""Size of the text."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 394.0, 22.0, 260.0
_ROW = 14.0
_LABEL_DISTANCES = (9.0, 20.0)

Pair = Tuple[float, float]


class Box(NamedTuple):
    """A rectangle."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box) -> bool:
        """Whether they have an area in common."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def encloses(self, other: Box) -> bool:
        """Whether all of another rectangle is in it."""
        return self.holds(other[:2]) and self.holds(other[2:])

    def holds(self, point: Pair) -> bool:
        """Whether a point is in it."""
        return self.left <= point[0] <= self.right and self.top <= point[1] <= self.bottom


FRAME = Box(_LEFT, _TOP, _RIGHT, _BOTTOM)


@dataclass(frozen=True)
class Line:
    """A line through some points."""

    kind: str
    points: tuple[Pair, ...]


@dataclass(frozen=True)
class Dots:
    """Many dots of one kind."""

    kind: str
    points: tuple[Pair, ...]


@dataclass(frozen=True)
class Mark:
    """One mode: its mark, its intervals, and the lines of text that describe it where somebody points at it."""

    kind: str
    at: Pair
    intervals: tuple[Line, ...] = ()
    hint: tuple[str, ...] = ()


@dataclass(frozen=True)
class Words:
    """A line of text; ``anchor`` is ``start``, ``middle`` or ``end``."""

    kind: str
    at: Pair
    text: str
    anchor: str = "start"
    rotated: bool = False


Shape = Union[Line, Dots, Mark, Words]


class Chart:
    """Takes figures in W and ms, and keeps the shapes in the order in which they are painted.

    Args:
        title: Stands above the frame.
        powers_w: Least and greatest power that is shown.
        times_ms: Least and greatest time that is shown; modes beyond are left out.
    """

    def __init__(self, title: str, powers_w: Pair, times_ms: Pair) -> None:
        self.x = Axis(*powers_w, FRAME.left, FRAME.right)
        self.y = Axis(*times_ms, FRAME.bottom, FRAME.top, is_log=times_ms[1] > LOG_RATIO * times_ms[0])
        above = ((FRAME.left + FRAME.right) / 2, 13.0)
        self.shapes: list[Shape] = [*self._grid(), Words("title", above, title, "middle")]
        self._dots: list[Pair] = []
        self._taken: list[Box] = []

    def at(self, power_w: float, time_ms: float) -> Pair:
        """Where a mode is; one beyond the frame is on its edge."""
        return self.x.at(power_w), self.y.at(time_ms)

    def shows(self, power_w: float, time_ms: float) -> bool:
        """Whether a mode is within the frame."""
        return self.x.holds(power_w) and self.y.holds(time_ms)

    def dots(self, kind: str, modes: Iterable[Pair]) -> None:
        """Add a dot for each mode within the frame, given by power and time."""
        points = tuple(self.at(*mode) for mode in modes if self.shows(*mode))
        self._dots += points
        self.shapes.append(Dots(kind, points))

    def staircase(self, kind: str, front: Sequence[Pair]) -> None:
        """Add a Pareto front, by rising power: between two modes there is nothing to choose."""
        shown = [self.at(*mode) for mode in front if self.shows(*mode)]
        corners: list[Pair] = []
        for x, y in shown:
            corners += [(x, corners[-1][1] if corners else FRAME.top), (x, y)]
        self._dots += corners
        if corners:
            self.shapes.append(Line(kind, tuple(corners)))

    def limit(self, power_w: float = math.inf, time_ms: float = math.inf) -> None:
        """Add the limits of a budget that are within the frame."""
        if self.x.holds(power_w):
            x = self.x.at(power_w)
            self.shapes.append(Line("budget", ((x, FRAME.top), (x, FRAME.bottom))))
        if self.y.holds(time_ms):
            y = self.y.at(time_ms)
            self.shapes.append(Line("budget", ((FRAME.left, y), (FRAME.right, y))))

    def label_limit(self, power_w: float = math.inf, time_ms: float = math.inf) -> None:
        """Name these limits, where least is in the way along each line."""
        if self.x.holds(power_w):
            x, step = self.x.at(power_w), (FRAME.bottom - FRAME.top) / 8
            self._write(
                f"budget {power_w:g} W", "budget-text", [(x, FRAME.top + step * (n + 0.3)) for n in range(8)], 3.0
            )
        if self.y.holds(time_ms):
            y, step = self.y.at(time_ms), (FRAME.right - FRAME.left) / 6
            places = [(FRAME.right - step * (n + 0.6), y) for n in range(6)]
            self._write(f"budget {time_ms:g} ms", "budget-text", places, 3.0)

    def connect(self, kind: str, places: Sequence[Pair]) -> None:
        """Add a line between places on the chart."""
        self.shapes.append(Line(kind, tuple(places)))

    def mark(
        self, kind: str, mode: Pair, ranges: tuple[Pair | None, Pair | None] = (None, None), hint: Sequence[str] = ()
    ) -> None:
        """Add one mode.

        Args:
            kind: What it is.
            mode: Its power and time.
            ranges: Intervals of power and of time.
            hint: Lines of text about it.
        """
        x, y = at = self.at(*mode)
        power, time = ranges
        intervals = [Line("range", ((self.x.at(power[0]), y), (self.x.at(power[1]), y)))] if power else []
        intervals += [Line("range", ((x, self.y.at(time[0])), (x, self.y.at(time[1]))))] if time else []
        self._dots.append(at)
        self.shapes.append(Mark(kind, at, tuple(intervals), tuple(hint)))

    def take(self, modes: Iterable[Pair]) -> None:
        """Keep labels away from the marks of these modes."""
        for mode in modes:
            x, y = self.at(*mode)
            self._taken.append(Box(x - 6, y - 6, x + 6, y + 6))

    def label(self, text: str, mode: Pair) -> None:
        """Name a mode beside its mark, where least is in the way."""
        self._write(text, "label", [self.at(*mode)], *_LABEL_DISTANCES)

    def legend(self, entries: Sequence[tuple[str, str]]) -> None:
        """Add kinds of marks and their names, in the corner where least is in the way."""
        width = 22 + max(text_width(text) for _, text in entries)
        height = _ROW * len(entries) + 4
        right, bottom = FRAME.right - 4, FRAME.bottom - 4
        corners = (
            Box(right - width, FRAME.top + 4, right, FRAME.top + 4 + height),
            Box(FRAME.left + 4, bottom - height, FRAME.left + 4 + width, bottom),
        )
        box = min(corners, key=self._obstacles)
        for row, (kind, text) in enumerate(entries):
            y = box.top + _ROW * (row + 0.5) + 2
            if kind.endswith("-line"):
                self.shapes.append(Line(kind, ((box.left + 2, y), (box.left + 16, y))))
            elif kind:
                self.shapes.append(Mark(kind, (box.left + 9, y)))
            self.shapes.append(Words("label", (box.left + 20, y + 4), text))
        self._taken.append(box)

    def _write(self, text: str, kind: str, places: Sequence[Pair], *distances: float) -> None:
        """Write a text beside one of some places; among equals the first wins."""
        ways = [(direction, distance) for distance in distances for direction in _DIRECTIONS]
        spots = [_box(text, at, *direction, distance) for at in places for direction, distance in ways]
        box = min([spot for spot in spots if FRAME.encloses(spot)] or spots, key=self._obstacles)
        self._taken.append(box)
        self.shapes.append(Words(kind, (box.left, box.bottom - 3), text))

    def _obstacles(self, box: Box) -> int:
        return 1000 * sum(box.overlaps(other) for other in self._taken) + sum(map(box.holds, self._dots))

    def _grid(self) -> Iterable[Shape]:
        for tick in self.x.ticks():
            x = self.x.at(tick)
            yield Line("grid", ((x, FRAME.top), (x, FRAME.bottom)))
            yield Words("tick", (x, FRAME.bottom + 14), f"{tick:g}", "middle")
        for tick in self.y.ticks():
            y = self.y.at(tick)
            yield Line("grid", ((FRAME.left, y), (FRAME.right, y)))
            yield Words("tick", (FRAME.left - 5, y + 4), f"{tick:g}", "end")
        left, top, right, bottom = FRAME
        yield Line("frame", ((left, top), (left, bottom), (right, bottom)))
        yield Words("tick", ((left + right) / 2, HEIGHT - 8), "Power (W)", "middle")
        yield Words("tick", (12.0, (top + bottom) / 2), "Minibatch time (ms)", "middle", rotated=True)


_DIRECTIONS = ((1, 0), (-1, 0), (1, -1), (-1, 1), (1, 1), (-1, -1), (0, -1), (0, 1))


def text_width(text: str) -> float:
    """About how wide a line of text is; fonts differ."""
    return 0.56 * TEXT * len(text)


def _box(text: str, at: Pair, dx: int, dy: int, distance: float) -> Box:
    """Where a text is that stands in some direction of a point."""
    width, height = text_width(text) + 4, TEXT + 3
    reach = distance if dx == 0 or dy == 0 else 0.7 * distance
    left = at[0] + dx * reach - width / 2 * (1 - dx)
    top = at[1] + dy * reach - height / 2 * (1 - dy)
    return Box(left, top, left + width, top + height)
