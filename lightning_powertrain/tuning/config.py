"""What a user decides about tuning, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lightning_powertrain.boards import ModeSpace
from lightning_powertrain.prediction import BasePredictor
from lightning_powertrain.profiling import Measurement
from lightning_powertrain.selection import NoWorse, Objective

MAX_MODES = 50
"""Modes to measure where ``"auto"`` finds no earlier end: the paper's number (arXiv 2407.13944)."""


@dataclass(frozen=True)
class TuningConfig:
    """What a user decides about tuning; see :class:`~lightning_powertrain.tuning.Tuner`."""

    objective: Objective | None
    predictor: BasePredictor
    modes: int | Literal["auto"]
    max_share: float
    seed: int
    strict: bool
    match_threads: bool
    hard: bool
    adapt: bool

    @property
    def ends_early(self) -> bool:
        """Whether profiling ends by itself once the choice is settled."""
        return self.hard or self.modes == "auto"

    def minimum_modes(self, space: ModeSpace) -> int:
        """The fewest modes to measure besides the start: what the predictor needs, or all others of a small board."""
        return min(self.predictor.minimum_modes, len(space) - 1)

    def objective_from(self, start: Measurement) -> Objective:
        """The objective; by default no worse than the mode that the job started in."""
        return self.objective or NoWorse(start.time_ms, start.power_w)
