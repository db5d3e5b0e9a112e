"""The marks of a chart: their shapes, and their colours where no style sheet gives them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lightning_powertrain.reporting.drawing import BLACK, BLUE, GREEN, GREY, PURPLE, VERMILION

WHITE = "#FFFFFF"


@dataclass(frozen=True)
class MarkLook:
    """How a mark looks: a circle, unless it has corners.

    Args:
        fill: Colour of its inside; empty for none.
        edge: Colour of its edge.
        radius: Of a circle.
        corners: Relative to its middle, downwards.
        edge_width: Width of its edge.
        opacity: From 0 to 1.
    """

    fill: str
    edge: str = WHITE
    radius: float = 0.0
    corners: tuple[tuple[float, float], ...] = ()
    edge_width: float = 0.8
    opacity: float = 1.0


def _polygon(*radii: float, corners: int) -> tuple[tuple[float, float], ...]:
    """Corners around the middle from the top, at distances that take turns."""
    angles = [2 * math.pi * corner / corners for corner in range(corners)]
    sizes = [radii[corner % len(radii)] for corner in range(corners)]
    return tuple((round(r * math.sin(a), 2), round(-r * math.cos(a), 2)) for r, a in zip(sizes, angles))


_SQUARE = ((-4.0, -4.0), (4.0, -4.0), (4.0, 4.0), (-4.0, 4.0))

MARKS = {
    "other": MarkLook(GREY, "", radius=1.4, opacity=0.55),
    "front": MarkLook(GREEN, "", radius=1.6),
    "measured": MarkLook(BLUE, radius=2.8, edge_width=0.5),
    "preset": MarkLook(PURPLE, corners=_SQUARE),
    "preset-predicted": MarkLook(WHITE, PURPLE, corners=_SQUARE, edge_width=1.5),
    "start": MarkLook(BLACK, corners=_polygon(6.5, corners=4)),
    "expected": MarkLook("", VERMILION, radius=6.5, edge_width=1.6),
    "chosen": MarkLook(VERMILION, corners=_polygon(9.0, 3.6, corners=10)),
    "true": MarkLook("#56B4E9", "", radius=1.8),
}
"""Looks by kind. ``report.css`` has the same colours, and others for the dark."""


@dataclass(frozen=True)
class LineLook:
    """How a line looks."""

    colour: str
    width: float
    dashed: bool = False
    opacity: float = 1.0


LINES = {
    "grid": LineLook("#D5DAE1", 0.6),
    "frame": LineLook("#5A6472", 0.8),
    "front-line": LineLook(GREEN, 1.4),
    "true-line": LineLook(BLACK, 1.4),
    "budget": LineLook(PURPLE, 1.3, dashed=True),
    "range": LineLook(GREEN, 0.8, opacity=0.45),
    "link": LineLook(VERMILION, 1.0),
}

WORDS = {"title": "#1B1F24", "tick": "#1B1F24", "label": "#1B1F24", "budget-text": PURPLE}
"""Colours of text by kind."""
