"""How well the time that profiling is said to take is kept by simulated jobs, on which everything is SIMULATED."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lightning_powertrain.devices import SimulatedDevice
from lightning_powertrain.evaluation.ground_truth import simulated_profile
from lightning_powertrain.profiling import Measurement
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Observer, Outcome, Phase, ProfilingOptions, Progress

_WITHIN = 0.25

BUDGETS: dict[str, Callable[[Measurement], str | None]] = {
    "80 % power": lambda start: f"{0.8 * start.power_w:.4g} W",
    "110 % time": lambda start: f"{1.1 * start.time_ms:.4g} ms",
    "energy": lambda start: "energy",
    "none": lambda start: None,
}
"""Budgets of any board and workload, from the measured start mode."""


@dataclass(frozen=True)
class Job:
    """What is trained, and what is asked for.

    Args:
        board: Key of a board that can be simulated.
        workload: What it trains.
        budget: Key of :data:`BUDGETS`; shares are of the start mode.
        modes: Modes to measure; None for the default.
        minutes: Its length in the start mode; None if it is not known.
        seed: Of all scatter.
    """

    board: str
    workload: str
    budget: str
    modes: int | None = None
    minutes: float | None = None
    seed: int = 0


@dataclass(frozen=True)
class Estimate:
    """An estimate that a job received, and how long profiling took.

    Args:
        spent_s: Seconds that profiling had taken.
        expected_s: Seconds that were expected to be left.
        left_s: Seconds that were left.
        most_s: Seconds that were to be left at most, where that was said instead.
    """

    spent_s: float
    expected_s: float
    left_s: float
    most_s: float | None = None

    @property
    def ratio(self) -> float:
        """Time of profiling in all, as expected, over what it took."""
        return (self.spent_s + self.expected_s) / (self.spent_s + self.left_s)

    @property
    def is_kept(self) -> bool:
        """Whether it is off by no more than a quarter of what profiling took in all, or was not exceeded."""
        if self.most_s is not None:
            return self.left_s <= self.most_s
        return abs(self.ratio - 1) <= _WITHIN

    @property
    def is_left_kept(self) -> bool:
        """Whether it is off by no more than a quarter of what was left of profiling."""
        return abs(self.expected_s - self.left_s) <= _WITHIN * self.left_s


class Watch(Observer):
    """Notes all estimates, and what profiling took."""

    def __init__(self) -> None:
        self._seen: list[Progress] = []
        self._profiling_s = 0.0

    def measured(self, measurement: Measurement, progress: Progress) -> None:
        self._seen.append(progress)

    def verified(self, outcome: Outcome) -> None:
        self._profiling_s = outcome.profiling_s  # Without training on while the board warms, which is announced.

    @property
    def estimates(self) -> list[Estimate]:
        """In order; none of a job that was left alone."""
        return [
            Estimate(
                progress.seconds_spent,
                progress.seconds_left,
                self._profiling_s - progress.seconds_spent,
                progress.most_seconds_left,
            )
            for progress in self._seen
            if progress.total
        ]


def estimates_of(job: Job) -> list[Estimate]:
    """All estimates that a job prints, the first one first."""
    device = SimulatedDevice(job.board, job.workload, job.seed)
    start = simulated_profile(job.board, job.workload, device.modes.rows([device.current_mode()])).measurements[0]
    length = None if job.minutes is None else round(job.minutes * 60e3 / start.time_ms)
    watch = Watch()
    budget = BUDGETS[job.budget](start)
    tuner = Tuner(
        budget,
        device=device,
        max_modes=job.modes,
        verbose=False,
        options=ProfilingOptions(seed=job.seed, adapt=False, observers=[watch]),
    )
    with tuner.start(minibatches=length, prefetched=device.workload.prefetched, workload=job.workload):
        tuner.minibatch_ended()
        while tuner.phase not in (Phase.LOCKED, Phase.CLOSED):
            tuner.minibatch_ended()
    return watch.estimates
