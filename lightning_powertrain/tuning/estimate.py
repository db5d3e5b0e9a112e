"""What tuning a job would take and gain, before anything is set: from measurements of the job, or from a reference.

A gain is a ratio of two modes, and its range is where it lies with a probability of 90 %, with the errors of both modes
taken as independent and normal in logarithms.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from lightning_powertrain.boards import ModeSpace, PowerMode
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.profiling import Measurement, Profile, WindowPlan
from lightning_powertrain.selection import (
    TIME_NOISE,
    MinibatchBudget,
    Objective,
    best_index,
    excess_of,
    select_measured,
)
from lightning_powertrain.tuning.config import MAX_MODES, TuningConfig
from lightning_powertrain.tuning.forecast import Forecast
from lightning_powertrain.tuning.history import WarmStart
from lightning_powertrain.tuning.job_length import JobLength
from lightning_powertrain.tuning.profiling_budget import ProfilingBudget
from lightning_powertrain.tuning.remaining import TimeLeft
from lightning_powertrain.tuning.side_by_side import usual_s

# Half a 90 % interval, in standard deviations.
_HALF_WIDTH = 1.645


@dataclass(frozen=True)
class Costs:
    """What a mode costs, as far as that is known.

    Args:
        mode: The mode.
        time_ms: Time of a minibatch.
        power_w: Power.
        time_spread: Standard deviation of the logarithm of the time.
        power_spread: Likewise of the power.
    """

    mode: PowerMode
    time_ms: float
    power_w: float
    time_spread: float
    power_spread: float

    @classmethod
    def of(cls, measured: Measurement) -> Costs:
        """As measured, with the noise between two windows."""
        time_noise = math.hypot(measured.time_noise, TIME_NOISE)
        return cls(measured.mode, measured.time_ms, measured.power_w, time_noise, measured.power_noise)

    @property
    def energy_mj(self) -> float:
        """Energy of a minibatch."""
        return self.time_ms * self.power_w

    @property
    def energy_spread(self) -> float:
        """Standard deviation of the logarithm of the energy."""
        return math.hypot(self.time_spread, self.power_spread)


@dataclass(frozen=True)
class Gain:
    """How one cost of the job changes, time or energy.

    Args:
        ratio: The cost of a minibatch in the chosen mode over that in the start mode.
        low: Lower end of the 90 % range of it.
        high: Upper end.
        extra_s: What profiling adds, in seconds of training in the start mode that cost as much; may be negative.
    """

    ratio: float
    low: float
    high: float
    extra_s: float

    @classmethod
    def of(cls, ratio: float, spread: float, extra_s: float) -> Gain:
        """From a ratio and the standard deviation of its logarithm."""
        factor = math.exp(_HALF_WIDTH * spread)
        return cls(ratio, ratio / factor, ratio * factor, extra_s)

    @property
    def paid_back_s(self) -> float:
        """Length of a job in its start mode that takes as much tuned as untuned; infinite where nothing is saved."""
        if self.ratio >= 1:
            return math.inf
        return max(0.0, self.extra_s) / (1 - self.ratio)

    def total_s(self, job_s: float) -> tuple[float, float, float]:
        """Cost of a whole job and the range of it, in seconds of training in the start mode.

        Args:
            job_s: How long it takes in the start mode.
        """
        expected, low, high = (self.extra_s + job_s * ratio for ratio in (self.ratio, self.low, self.high))
        return expected, low, high


@dataclass(frozen=True)
class Profiling:
    """What profiling takes.

    Args:
        modes: How many modes are measured; 0 if the job is too short to be tuned.
        seconds: How long that takes.
        extra_s: Seconds more than the same minibatches would take in the start mode; negative where they take less.
        extra_j: Likewise in joules.
    """

    modes: int
    seconds: float
    extra_s: float
    extra_j: float


@dataclass(frozen=True)
class Estimate:
    """What tuning would take and gain.

    Args:
        objective: What the budget means.
        start: The mode that the job starts in.
        chosen: The mode that tuning is expected to find.
        profiling: What it takes to find it.
    """

    objective: Objective
    start: Costs
    chosen: Costs
    profiling: Profiling

    @property
    def time(self) -> Gain:
        """How the time of the job changes."""
        ratio = self.chosen.time_ms / self.start.time_ms
        return Gain.of(ratio, self._spread("time_spread"), self.profiling.extra_s)

    @property
    def energy(self) -> Gain:
        """How the energy of the job changes."""
        ratio = self.chosen.energy_mj / self.start.energy_mj
        return Gain.of(ratio, self._spread("energy_spread"), self.profiling.extra_j / self.start.power_w)

    @property
    def sought(self) -> Literal["time", "energy"]:
        """What the budget makes small."""
        return "time" if self.objective.limits_only_power else "energy"

    @property
    def start_keeps_budget(self) -> bool:
        """Whether the start mode is within the budget."""
        return excess_of(self.objective, self.start.time_ms, self.start.power_w) <= 0

    @property
    def chosen_keeps_budget(self) -> bool:
        """Whether the chosen mode is."""
        return excess_of(self.objective, self.chosen.time_ms, self.chosen.power_w) <= 0

    def _spread(self, name: str) -> float:
        """Of the ratio of two modes; a mode is as good as itself for sure."""
        is_same = self.chosen.mode == self.start.mode
        return 0.0 if is_same else math.hypot(getattr(self.chosen, name), getattr(self.start, name))


def estimate_known(
    profile: Profile, start: Measurement, config: TuningConfig, window: WindowPlan, minutes: float | None
) -> Estimate:
    """What a job gains whose profile is known: it measures its start again, and the best mode that is known.

    Args:
        profile: What an earlier run measured.
        start: The mode that the job starts in, as measured.
        config: What the user decided.
        window: How long a mode is measured.
        minutes: How long the job takes in its start mode; None if not known.

    Raises:
        ArgumentError: If the budget is not one of a minibatch.
    """
    objective = _objective(config, start)
    best = select_measured(objective, profile, start).measured
    assert best is not None
    before, chosen, once_s = Costs.of(start), Costs.of(best), window.seconds(best.time_ms)
    beside_s = _beside_start_s(objective, before, chosen, window, minutes, once_s)
    return Estimate(objective, before, chosen, _profiling(before, [chosen], [once_s], (chosen, beside_s)))


def estimate_unknown(
    profile: Profile,
    space: ModeSpace,
    start: PowerMode,
    config: TuningConfig,
    window: WindowPlan,
    minutes: float | None,
) -> Estimate:
    """What a job gains that costs what a reference workload does.

    Args:
        profile: Measurements of that workload, from which the predictor learns.
        space: The modes of the board.
        start: The mode that the job starts in.
        config: What the user decided.
        window: How long a mode is measured.
        minutes: How long the job takes in its start mode; None if not known.

    Raises:
        ArgumentError: If the budget is not one of a minibatch.
    """
    forecast = Forecast(space, config.predictor, profile)
    (before,) = _predicted(forecast, [start])
    measured = Measurement(start, before.time_ms, before.power_w, minibatches=window.minibatches)
    objective = _objective(config, measured)
    prediction = forecast.prediction
    row = int(forecast.rows[best_index(objective, prediction.time_ms, prediction.power_w)])
    (best,) = _predicted(forecast, [space.mode(row)])
    length = JobLength.of(None if minutes is None else round(minutes * 60e3 / before.time_ms), None)
    asked = replace(config, max_modes=config.max_modes or min(MAX_MODES, len(space)))
    begun = replace(profile, measurements=(measured,))
    search, plan = ProfilingBudget(space, asked, window, WarmStart(), length).plan(measured, begun)
    if not len(plan):
        return Estimate(objective, before, before, Profiling(0, 0.0, 0.0, 0.0))
    first = _predicted(forecast, search.first_modes)
    windows, _, time_ms = search.remaining(begun)
    left_s = TimeLeft(window, plan, len(first)).seconds(windows, time_ms, 0.0)
    count = max(1, round(windows))
    # The modes that a search chooses by itself are near the one that it ends in.
    modes = [*first, *[best] * (count - len(first))][:count]
    beside_s = _beside_start_s(objective, before, best, window, minutes, left_s)
    return Estimate(objective, before, best, _profiling(before, modes, [left_s / count] * count, (best, beside_s)))


def _beside_start_s(
    objective: Objective, start: Costs, chosen: Costs, window: WindowPlan, minutes: float | None, profiling_s: float
) -> float:
    """How long the chosen mode is measured again where the start mode sets the limit, after so much profiling."""
    if chosen.mode == start.mode:
        return 0.0
    job_s = math.inf if minutes is None else minutes * 60
    return usual_s(objective, start.time_ms, window, job_s - profiling_s, profiling_s)


def _objective(config: TuningConfig, start: Measurement) -> Objective:
    if not isinstance(config.budget, MinibatchBudget):
        raise ArgumentError.of("budget", str(config.budget), "a budget of a minibatch, such as 30 W, 120 ms or energy")
    return config.budget.objective(start)


def _predicted(forecast: Forecast, modes: list[PowerMode]) -> list[Costs]:
    found = forecast.of(modes)
    columns = found.time_ms, found.power_w, found.time_spread, found.power_spread
    return [Costs(mode, *map(float, costs)) for mode, *costs in zip(modes, *columns)]


def _profiling(start: Costs, modes: list[Costs], seconds: list[float], beside_start: tuple[Costs, float]) -> Profiling:
    """What profiling takes, and what the same minibatches take in the start mode.

    Args:
        start: The start mode.
        modes: The modes that are measured.
        seconds: How long each of them is measured.
        beside_start: The mode that is then compared with the start mode, and how long it is measured again.
    """
    spent = [*zip(modes, seconds), beside_start]
    extra_s = sum(each_s * (1 - start.time_ms / mode.time_ms) for mode, each_s in spent)
    extra_j = sum(each_s * mode.power_w * (1 - start.energy_mj / mode.energy_mj) for mode, each_s in spent)
    return Profiling(len(modes), sum(each_s for _, each_s in spent), extra_s, extra_j)
