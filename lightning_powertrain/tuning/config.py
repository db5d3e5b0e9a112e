"""What a user decides about tuning, checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lightning_powertrain.boards import ModeSpace
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.prediction import BasePredictor
from lightning_powertrain.profiling import Measurement
from lightning_powertrain.selection import Budget, BudgetLike, MinibatchBudget, Objective, parse_budget
from lightning_powertrain.tuning.checks import check_hard_limit, check_max_modes, check_share, check_switches
from lightning_powertrain.tuning.options import ProfilingOptions

MAX_MODES = 50
"""Modes to measure where ``"auto"`` finds no earlier end: the paper's number (arXiv 2407.13944)."""


@dataclass(frozen=True)
class TuningConfig:
    """What a user decides about tuning; see :class:`~lightning_powertrain.tuner.Tuner`."""

    budget: Budget
    predictor: BasePredictor
    options: ProfilingOptions
    max_modes: int | Literal["auto"] | None = None
    max_share: float = 0.1
    hard_limit: bool = False
    strict: bool = False

    @classmethod
    def checked(
        cls,
        budget: BudgetLike,
        max_modes: int | Literal["auto"] | None,
        max_share: float,
        hard_limit: bool,
        strict: bool,
        options: ProfilingOptions | None,
        available: int | None,
    ) -> TuningConfig:
        """The configuration that arguments of the tuner or the callback make.

        Args:
            budget: See :class:`~lightning_powertrain.tuner.Tuner`, as for all others.
            max_modes: Modes to measure.
            max_share: Share of the job.
            hard_limit: Whether no mode above a power budget may be measured.
            strict: Whether errors are raised.
            options: All other options; None for their defaults.
            available: Modes of the board; None if not known yet.

        Raises:
            ArgumentError: If one is not valid.
        """
        if options is not None and not isinstance(options, ProfilingOptions):
            raise ArgumentError.of("options", options, "None, or ProfilingOptions(...)")
        options = options or ProfilingOptions()
        parsed = parse_budget(budget)
        if options.supply_overhead:
            parsed = parsed.at_module(options.supply_overhead)
        check_switches(hard_limit=hard_limit, strict=strict)
        options = options.with_predictor()
        predictor = options.predictor
        assert predictor is not None
        check_max_modes(max_modes, predictor.minimum_modes, available)
        check_share(max_share)
        check_hard_limit(hard_limit, parsed)
        return cls(parsed, predictor, options, max_modes, max_share, hard_limit, strict)

    @property
    def ends_early(self) -> bool:
        """Whether profiling ends by itself once the choice is settled."""
        return self.hard_limit or self.max_modes == "auto"

    def most_modes(self, space: ModeSpace) -> int:
        """The most modes to measure."""
        return self.max_modes if isinstance(self.max_modes, int) else min(MAX_MODES, len(space))

    def minimum_modes(self, space: ModeSpace) -> int:
        """The fewest modes to measure besides the start: what the predictor needs, or all others of a small board."""
        return min(self.predictor.minimum_modes, len(space) - 1)

    def objective_from(self, start: Measurement) -> Objective:
        """What the budget means for power modes, given the mode that the job started in."""
        assert isinstance(self.budget, MinibatchBudget)  # A plan takes the place of a budget of the whole job.
        return self.budget.objective(start)
