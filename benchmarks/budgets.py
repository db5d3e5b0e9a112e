"""How well budgets are kept, and what that costs. SIMULATED: boards, workloads and their scatter are those of
``docs/simulation.md``.

    python benchmarks/budgets.py whole-job [--jobs 34] [--minutes 60] [--board foreign-1 ...] [--workload resnet18 ...]
    python benchmarks/budgets.py solar-day [--jobs 9] [--board ...] [--workload ...]
    python benchmarks/budgets.py none [--seeds 3] [--workload ...]

``whole-job``: jobs with a budget of time or of energy for the whole of them, from the first minibatch to the last,
computing counted. The budget is a multiple of what the fastest mode, or that of least energy, would take for the job.
Kept: share of the jobs that end within it, or beyond it by at most 1 %. The other cost is compared with that of an
oracle that knows all modes exactly, does not profile, and mixes two modes; and of the best single mode that keeps the
budget, also unknown in practice. Stock: the best stock mode that keeps the budget, over the oracle, where one does.

``solar-day``: the power of a panel is the budget, asked for once a minute, from the minute in which it is enough for
the board until it no longer is. The minibatches of the day are compared with those of the best fixed budget, which only
trains while the panel gives that much, and of an oracle that follows the panel at once. Both know all modes exactly.

``none``: no budget, from each stock mode of an Orin: settled time and energy of the mode that stays, over those of the
start mode, and the least energy of any mode that is no slower and draws no more power.
"""

from __future__ import annotations

import argparse
import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Tuple

import numpy as np
import torch
from job import BOARD, spread

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.boards import PowerMode, load_board
from lightning_powertrain.devices import EnergyMeter
from lightning_powertrain.evaluation.energy import starts
from lightning_powertrain.evaluation.whole_job import WholeJob, settled_costs
from lightning_powertrain.selection.ladder import Ladder, Limited, Step, best_mixture
from lightning_powertrain.selection.pareto import pareto_front
from lightning_powertrain.simulation import simulated_board
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Phase

FOREIGN = tuple(f"foreign-{seed}" for seed in range(1, 9))
WORKLOADS = ("resnet18", "mobilenetv3", "yolov8n", "bert-base", "lstm")
SHARES: dict[Limited, tuple[float, ...]] = {"time": (1.1, 1.3, 1.7), "energy": (1.05, 1.15, 1.3)}
# From sunrise to sunset; the panel gives so many different powers, and at noon what the highest mode draws.
DAY_S = 10 * 3600.0
STEPS_OF_SUN = 12
# The board trains once the panel gives this much more than its lowest mode draws.
LEAST_OF_SUN = 1.3

Case = Tuple[str, str, int]


def cases(boards: Sequence[str], workloads: Sequence[str], jobs: int) -> Iterator[Case]:
    """Boards and workloads in turns, so that few jobs see many of both; each job has scatter of its own."""
    for job in range(jobs):
        yield boards[job % len(boards)], workloads[(job + job // len(boards)) % len(workloads)], job


@lru_cache(maxsize=None)
def front(board: str, workload: str) -> tuple[Step, ...]:
    """Settled time and energy of the modes that no other beats in both, and of the stock modes, which come last."""
    time_ms, power_w = settled_costs(board, workload)
    known = simulated_board(board)
    rows = [*pareto_front(time_ms, time_ms * power_w), *map(known.modes.index, starts(known).values())]
    energy_mj = time_ms * power_w
    return tuple(Step(known.modes.mode(int(row)), float(time_ms[row]), float(energy_mj[row])) for row in rows)


@dataclass(frozen=True)
class Ended:
    """What a job took: the limited cost over the budget, and the other one over that of the oracle, of the best single
    mode, and of the best stock mode over the oracle; changes of the mode."""

    spent: float
    over_oracle: float
    over_single: float
    stock: float
    changes: int


def whole_job(case: Case, minutes: float, limited: Limited, share: float) -> Ended:
    """A job with a budget for the whole of it."""
    board, workload, seed = case
    job, steps = WholeJob(board, workload, minutes, seed), front(board, workload)
    total = share * job.minibatches * min(each.cost(limited) for each in steps) / 1e3
    budget = f"{total / 60!r} min" if limited == "time" else f"{total / 3600!r} Wh"
    seconds, joules, changes = trained(job, budget, seed)
    spent, taken = (seconds, joules) if limited == "time" else (joules, seconds)
    mixture = best_mixture(Ladder.of(steps), limited, total, job.minibatches)
    oracle = mixture.joules if limited == "time" else mixture.seconds
    other: Limited = "energy" if limited == "time" else "time"
    stock = steps[-len(starts(job.board)) :]
    single, of_stock = (
        job.minibatches / 1e3 * min((each.cost(other) for each in some if each.cost(limited) <= limit), default=np.nan)
        for limit in [1e3 * total / job.minibatches]
        for some in (steps, stock)
    )
    return Ended(spent / total, taken / oracle, taken / single, of_stock / oracle, changes)


def trained(job: WholeJob, budget: str, seed: int) -> tuple[float, float, int]:
    """Seconds and joules of a whole job, and how often its mode changed after profiling."""
    meter = EnergyMeter(job, 1.0)
    meter.start()
    tuner = Tuner(budget, device=job, verbose=False, options=ProfilingOptions(seed=seed))
    with tuner.start(minibatches=job.minibatches, prefetched=job.workload.prefetched, workload=job.workload.name):
        while not job.is_over:
            before = job.done
            tuner.minibatch_ended()
            if job.done == before:  # The job was too short to be tuned.
                job.minibatch_ended()
        seconds, joules = meter.read()
        meter.stop()
    course = tuner.outcome and tuner.outcome.course
    modes = [point.mode for point in course.points] if course else []
    return seconds, joules, sum(before != after for before, after in zip(modes, modes[1:]))


def compare_whole_jobs(boards: Sequence[str], workloads: Sequence[str], minutes: float, jobs: int) -> None:
    print(
        f"{'budget':<14}{'jobs':>5}{'kept, %':>9}{'by 1 %':>8}{'spent, % of it':>22}{'other, % of oracle':>24}", end=""
    )
    print(f"{'of best single':>24}{'stock, % of oracle':>24}{'changes':>9}")
    for limited, shares in SHARES.items():
        everything = []
        for share in shares:
            ended = [whole_job(case, minutes, limited, share) for case in cases(boards, workloads, jobs)]
            show(f"{limited} x {share:g}", ended)
            everything += ended
        show(f"{limited}, all", everything)


def show(name: str, ended: Sequence[Ended]) -> None:
    kept, nearly = (100 * np.mean([each.spent <= most for each in ended]) for most in (1.0, 1.01))
    columns = (
        percent([each.spent for each in ended]),
        percent([each.over_oracle for each in ended]),
        percent([each.over_single for each in ended if np.isfinite(each.over_single)]),
        percent([each.stock for each in ended if np.isfinite(each.stock)]),
    )
    changes = np.median([each.changes for each in ended])
    print(f"{name:<14}{len(ended):>5}{kept:>9.0f}{nearly:>8.0f}{columns[0]:>22}", end=" ")
    print(*(f"{each:>23}" for each in columns[1:]), f"{changes:>8.0f}", flush=True)


def percent(values: Iterable[float]) -> str:
    figures = [100 * value for value in values]
    return spread(figures, "{:.1f}") if figures else "none"


class Sun:
    """A panel over a day, in steps; at noon it gives what the highest mode of the board draws.

    Args:
        board: Name of the board.
        workload: What it trains.
    """

    def __init__(self, board: str, workload: str) -> None:
        self.time_ms, self.power_w = settled_costs(board, workload)
        self._step_w = float(self.power_w.max()) / STEPS_OF_SUN
        least_w = LEAST_OF_SUN * float(self.power_w.min())
        bright = [second for second in range(0, int(DAY_S), 60) if self.power_at(second) >= least_w]
        self.rises_s, self.sets_s = bright[0], bright[-1] + 60

    def power_at(self, second: float) -> float:
        """Watts so many seconds after sunrise."""
        return self._step_w * math.floor(STEPS_OF_SUN * math.sin(math.pi * min(second, DAY_S) / DAY_S) + 1e-9)

    def of_oracle(self) -> float:
        """Minibatches of an oracle that follows the panel."""
        minutes = range(self.rises_s, self.sets_s, 60)
        return sum(60e3 / self.time_ms[self.power_w <= self.power_at(each)].min() for each in minutes)

    def of_best_fixed(self) -> float:
        """Minibatches in the best mode for a day that only trains while the panel gives what the mode draws."""
        powers_w = np.array([self.power_at(each) for each in range(0, int(DAY_S), 60)])
        rows = pareto_front(self.time_ms, self.power_w)
        return max(60e3 * np.sum(powers_w >= self.power_w[row]) / self.time_ms[row] for row in rows)


def solar_day(case: Case) -> tuple[float, float, float]:
    """Minibatches over those of the best fixed budget and of the oracle, and the share of time above the panel."""
    board, workload, seed = case
    sun, job = Sun(board, workload), WholeJob(board, workload, 60.0, seed)
    tuner = Tuner(
        lambda: f"{sun.power_at(sun.rises_s + job.clock.now()):.3f} W",
        device=job,
        verbose=False,
        options=ProfilingOptions(seed=seed),
    )
    length_s, above_s = sun.sets_s - sun.rises_s, 0.0
    with tuner.start(seconds=length_s, prefetched=job.workload.prefetched, workload=workload):
        while (before_s := job.clock.now()) < length_s:
            tuner.minibatch_ended()
            if job.settled(job.current_mode())[1] > 0.5 + sun.power_at(sun.rises_s + before_s):
                above_s += job.clock.now() - before_s
    return job.done / sun.of_best_fixed(), job.done / sun.of_oracle(), above_s / length_s


def compare_days(boards: Sequence[str], workloads: Sequence[str], jobs: int) -> None:
    days = [solar_day(case) for case in cases(boards, workloads, jobs)]
    print(f"{'days':>5}{'minibatches, % of best fixed':>30}{'% of oracle':>24}{'above the panel, % of time':>28}")
    print(f"{len(days):>5}", *(f"{percent(column):>{width}}" for column, width in zip(zip(*days), (29, 23, 27))))


def no_budget(workload: str, start: PowerMode, seed: int) -> tuple[float, float, float]:
    """Time and energy of the mode that stays over those of the start, and the least energy that there is."""
    job = WholeJob(BOARD, workload, 60.0, seed, start)
    tuner = Tuner(None, device=job, verbose=False, options=ProfilingOptions(seed=seed))
    with tuner.start(minibatches=job.minibatches, prefetched=job.workload.prefetched, workload=workload):
        while tuner.phase not in (Phase.LOCKED, Phase.CLOSED):
            tuner.minibatch_ended()
        (before_ms, before_w), (after_ms, after_w) = job.settled(start), job.settled(job.current_mode())
    time_ms, power_w = settled_costs(BOARD, workload)
    best = (time_ms * power_w)[(time_ms <= before_ms) & (power_w <= before_w)].min()
    before_mj = before_ms * before_w
    return after_ms / before_ms, after_ms * after_w / before_mj, best / before_mj


def compare_starts(workloads: Sequence[str], seeds: int) -> None:
    print(f"{'start':<12}{'jobs':>5}{'time, %':>24}{'energy, %':>24}{'least energy, %':>24}")
    board = load_board(BOARD)
    for preset in board.presets:
        start = board.modes.at_most(preset.caps)
        found = [no_budget(name, start, seed) for name, seed in product(workloads, range(seeds))]
        print(f"{preset.name:<12}{len(found):>5}", *(f"{percent(column):>23}" for column in zip(*found)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["whole-job", "solar-day", "none"])
    parser.add_argument("--board", action="append", help="default: eight foreign boards and an AGX Orin")
    parser.add_argument("--workload", action="append", help=f"default: {', '.join(WORKLOADS)}")
    parser.add_argument("--minutes", type=float, default=60.0, help="of each whole job in its start mode")
    parser.add_argument(
        "--jobs",
        type=int,
        help="whole jobs for each of three budgets of time and three of energy (default: 34), or days (default: 9)",
    )
    parser.add_argument("--seeds", type=int, default=3, help="jobs without a budget for each start and workload")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("lightning_powertrain").setLevel(logging.ERROR)
    boards, workloads = arguments.board or (*FOREIGN, BOARD), arguments.workload or WORKLOADS
    print(f"SIMULATED {BOARD if arguments.what == 'none' else ', '.join(boards)}; {', '.join(workloads)}")
    if arguments.what == "none":
        compare_starts(workloads, arguments.seeds)
    elif arguments.what == "solar-day":
        compare_days(boards, workloads, arguments.jobs or len(boards))
    else:
        compare_whole_jobs(boards, workloads, arguments.minutes, arguments.jobs or 34)


if __name__ == "__main__":
    main()
