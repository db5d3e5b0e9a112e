"""How much energy a tuned job saves at nearly equal speed, and how much an oracle would. Everything is SIMULATED.

Each job starts in the highest mode of its board or in one of its stock modes, and may become slower by so many percent.
Stock modes that switch off a part of the GPU are left out: the simulation has no such boards, and a tuner cannot switch
it on again without a reboot.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any
from zlib import crc32

from lightning_powertrain.boards import Board, PowerMode
from lightning_powertrain.evaluation.cases import whole_gpu_presets
from lightning_powertrain.evaluation.whole_job import WholeJob, settled_costs
from lightning_powertrain.selection import NoWorse, Objective, Slower, best_index
from lightning_powertrain.simulation import simulated_board
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Phase, ProfilingOptions

HIGHEST = "highest"
"""The title of the mode in which everything is at its maximum, such as MAXN, on any board."""


@dataclass(frozen=True)
class Saved:
    """What one job saved, compared with the same job in the mode that it started in; all in per cent.

    Args:
        board: Key of the board.
        workload: Name of the workload.
        start: Name of the stock mode that it started in.
        allowed: By how much minibatches may be slower; 0 for no budget.
        seed: Of all scatter.
        oracle: How much less energy a minibatch takes in the best mode, to an oracle that knows all modes exactly.
        energy: How much less it takes in the mode that stays, settled.
        slower: How much slower minibatches are in that mode, settled.
        job_energy: How much less energy the whole job takes, profiling and computing included.
        job_slower: How much longer the whole job takes, profiling and computing included.
        tuned: Whether a mode was chosen; otherwise tuning stopped, or the job was too short, and it stayed as it was.
        modes: Modes that were measured.
        profiling_s: Seconds until the mode was chosen, computing included.
        computing_s: Of these, seconds of computing.
    """

    board: str
    workload: str
    start: str
    allowed: float
    seed: int
    oracle: float
    energy: float
    slower: float
    job_energy: float
    job_slower: float
    tuned: bool
    modes: int
    profiling_s: float
    computing_s: float

    def record(self) -> dict[str, Any]:
        """All figures, by name."""
        return asdict(self)


@dataclass(frozen=True)
class EnergyExperiment:
    """Jobs that may be a little slower, from each stock mode.

    Args:
        about: What it asks, in a line.
        boards: Names of boards that can be simulated.
        workloads: Names of workloads.
        seeds: Jobs of each kind.
        allowed: By how many percent minibatches may be slower; 0 for a job without a budget, which must not draw more
            power either.
        minutes: Length of each job in the mode that it starts in.
    """

    about: str
    boards: tuple[str, ...]
    workloads: tuple[str, ...]
    seeds: int = 2
    allowed: tuple[float, ...] = (0.0, 3.0, 5.0, 10.0)
    minutes: float = 60.0

    def runs(self) -> Iterator[Saved]:
        """Run all jobs, one after the other.

        Raises:
            ArgumentError: If a board or workload does not exist.
        """
        for board, workload in product(self.boards, self.workloads):
            for start, allowed, seed in product(starts(simulated_board(board)), self.allowed, range(self.seeds)):
                yield saved_by_job(board, workload, start, allowed, seed, self.minutes)


def starts(board: Board) -> dict[str, PowerMode]:
    """The highest mode of a board and its stock modes that leave the whole GPU on, each mode once.

    >>> list(starts(simulated_board("orin-agx-64gb")))
    ['highest', 'MODE_50W']
    """
    names = {board.modes.highest: HIGHEST}
    for name, mode in whole_gpu_presets(board).items():
        names.setdefault(mode, name)
    return {name: mode for mode, name in names.items()}


def saved_by_job(board: str, workload: str, start: str, allowed: float, seed: int, minutes: float) -> Saved:
    """Tune a job that starts in a stock mode, and compare it with the same job in that mode.

    Args:
        board: Name of a board that can be simulated.
        workload: Name of a workload.
        start: Name of one of :func:`starts`.
        allowed: By how many percent its minibatches may be slower; 0 for no budget.
        seed: Of all scatter.
        minutes: Length of the job in that mode.
    """
    first = starts(simulated_board(board))[start]
    # Equal seeds would give all jobs the same luck with the window of their start mode.
    scatter = crc32(f"{board} {workload} {start} {allowed:g} {seed}".encode())
    job = WholeJob(board, workload, minutes, scatter, first)
    budget = f"{allowed:g} % slower" if allowed else None
    tuner = Tuner(budget, device=job, verbose=False, options=ProfilingOptions(seed=seed))
    with tuner.start(minibatches=job.minibatches, prefetched=job.workload.prefetched, workload=workload):
        while not job.is_over and tuner.phase not in (Phase.LOCKED, Phase.CLOSED):
            tuner.minibatch_ended()
        kept, profile, outcome = job.current_mode(), tuner.profile, tuner.outcome
        total = job.ended_in(kept)
    (before_ms, before_w), (after_ms, after_w) = job.settled(first), job.settled(kept)
    before_j = before_ms * before_w / 1e3
    return Saved(
        board=board,
        workload=workload,
        start=start,
        allowed=allowed,
        seed=seed,
        oracle=_less(_least_energy_j(board, workload, _objective(allowed, before_ms, before_w)), before_j),
        energy=_less(after_ms * after_w / 1e3, before_j),
        slower=-_less(after_ms, before_ms),
        job_energy=_less(total.energy_j, job.minibatches * before_j),
        job_slower=-_less(total.seconds, job.minibatches * before_ms / 1e3),
        tuned=outcome is not None,
        modes=0 if profile is None else len(profile),
        profiling_s=total.profiling_s,
        computing_s=total.computing_s,
    )


def _objective(allowed: float, time_ms: float, power_w: float) -> Objective:
    return Slower(time_ms, allowed) if allowed else NoWorse(time_ms, power_w)


def _least_energy_j(board: str, workload: str, objective: Objective) -> float:
    time_ms, power_w = settled_costs(board, workload)
    row = best_index(objective, time_ms, power_w)
    return float(time_ms[row] * power_w[row]) / 1e3


def _less(value: float, than: float) -> float:
    return 100 * (1 - value / than)
