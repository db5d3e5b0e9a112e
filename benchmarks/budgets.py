"""How well budgets are kept, and what that costs. SIMULATED: boards, workloads and their scatter are those of
``docs/simulation.md``.

    python benchmarks/budgets.py whole-job [--workload resnet18 ...] [--minutes 60] [--seeds 3]
    python benchmarks/budgets.py none [--workload resnet18 ...] [--seeds 3]

``whole-job``: jobs with a budget of time or of energy for the whole of them, from the first minibatch to the last,
computing counted. The budget is a multiple of what the fastest mode, or that of least energy, would take for the job.
Kept: share of the jobs that end within it. The other cost is compared with that of an oracle that knows all modes
exactly, does not profile, and mixes two modes; and of the best single mode that keeps the budget, also unknown in
practice.
Stock: the best stock mode that keeps the budget, over the oracle, where one does.

``none``: no budget, from each stock mode: settled time and energy of the mode that stays, over those of the start mode,
and the least energy of any mode that is no slower and draws no more power.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from job import BOARD, Job, spread, truth

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.boards import load_board
from lightning_powertrain.devices import EnergyMeter
from lightning_powertrain.selection.ladder import Ladder, Limited, Step, best_mixture
from lightning_powertrain.simulation import workload_names
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Phase

SHARES: dict[Limited, tuple[float, ...]] = {"time": (1.1, 1.3, 1.7), "energy": (1.05, 1.15, 1.3)}
# Minibatches that show by how much hiccups make a job longer than its settled modes.
SHOWN = 3000


@dataclass(frozen=True)
class Ended:
    """What a job took: the limited cost over the budget, and the other one over that of the oracle, of the best single
    mode, and of the best stock mode over the oracle; changes of the mode."""

    spent: float
    over_oracle: float
    over_single: float
    stock: float
    changes: int


def hiccups(workload: str, seed: int) -> float:
    """By how many times a job is longer than its settled modes."""
    job = Job(workload, 60.0, seed)
    for _ in range(SHOWN):
        job.minibatch_ended()
    return 1e3 * job.clock.now() / SHOWN / truth(workload)[job.current_mode()].time_ms


def steps_of(workload: str, factor: float) -> list[Step]:
    return [Step(each.mode, factor * each.time_ms, factor * each.energy_mj) for each in truth(workload).values()]


def whole_job(workload: str, minutes: float, limited: Limited, share: float, seed: int) -> Ended:
    """A job with a budget for the whole of it."""
    job = Job(workload, minutes, seed)
    steps, other = steps_of(workload, hiccups(workload, seed)), "energy" if limited == "time" else "time"
    total = share * job.minibatches * min(each.cost(limited) for each in steps) / 1e3
    budget = f"{total / 60!r} min" if limited == "time" else f"{total / 3600!r} Wh"
    meter = EnergyMeter(job, 1.0)
    meter.start()
    tuner = Tuner(budget, device=job, strict=True, verbose=False, options=ProfilingOptions(seed=seed))
    tuner.start(minibatches=job.minibatches, prefetched=job.workload.prefetched, workload=workload)
    for _ in range(job.minibatches):
        tuner.minibatch_ended()
    seconds, joules = meter.read()
    meter.stop()
    tuner.stop()
    assert tuner.outcome is not None
    assert tuner.outcome.course is not None
    modes = [point.mode for point in tuner.outcome.course.points]
    spent, taken = (seconds, joules) if limited == "time" else (joules, seconds)
    mixture = best_mixture(Ladder.of(steps), limited, total, job.minibatches)
    oracle = mixture.joules if limited == "time" else mixture.seconds
    stock = {preset_mode(job, preset.name) for preset in job.board.presets}
    single, of_stock = (
        min((each.cost(other) for each in some if each.cost(limited) * job.minibatches / 1e3 <= total), default=np.nan)
        for some in (steps, [each for each in steps if each.mode in stock])
    )
    singles = job.minibatches / 1e3 * np.array([single, of_stock])
    changes = sum(before != after for before, after in zip(modes, modes[1:]))
    return Ended(spent / total, taken / oracle, taken / singles[0], singles[1] / oracle, changes)


def preset_mode(job: Job, name: str) -> object:
    return job.modes.at_most(next(preset.caps for preset in job.board.presets if preset.name == name))


def compare_whole_jobs(workloads: Sequence[str], minutes: float, seeds: int) -> None:
    print(f"{'budget':<16}{'jobs':>5}{'kept, %':>9}{'spent, % of it':>22}{'other, % of oracle':>24}", end="")
    print(f"{'of best single':>24}{'stock, % of oracle':>24}{'changes':>9}")
    for limited, shares in SHARES.items():
        for share in shares:
            cases = product(workloads, range(seeds))
            show(f"{limited} x {share:g}", [whole_job(name, minutes, limited, share, seed) for name, seed in cases])


def show(name: str, ended: Sequence[Ended]) -> None:
    kept = 100 * np.mean([each.spent <= 1 for each in ended])
    columns = (
        percent([each.spent for each in ended]),
        percent([each.over_oracle for each in ended]),
        percent([each.over_single for each in ended]),
        percent([each.stock for each in ended if np.isfinite(each.stock)]),
    )
    changes = np.median([each.changes for each in ended])
    print(f"{name:<16}{len(ended):>5}{kept:>9.0f}{columns[0]:>22}", *(f"{each:>23}" for each in columns[1:]), end="")
    print(f"{changes:>9.0f}", flush=True)


def percent(values: Iterable[float]) -> str:
    figures = [100 * value for value in values]
    return spread(figures, "{:.1f}") if figures else "none"


def no_budget(workload: str, preset: str, seed: int) -> tuple[float, float, float]:
    """Time and energy of the mode that stays over those of the start, and the least energy that there is."""
    job, known = Job(workload, 60.0, seed), truth(workload)
    start = job.apply(preset_mode(job, preset))  # type: ignore[arg-type]
    tuner = Tuner(None, device=job, strict=True, verbose=False, options=ProfilingOptions(seed=seed))
    tuner.start(minibatches=job.minibatches, prefetched=job.workload.prefetched, workload=workload)
    while tuner.phase not in (Phase.LOCKED, Phase.CLOSED):
        tuner.minibatch_ended()
    before, after = known[start], known[job.current_mode()]
    tuner.stop()
    best = min(
        each.energy_mj for each in known.values() if each.time_ms <= before.time_ms and each.power_w <= before.power_w
    )
    return after.time_ms / before.time_ms, after.energy_mj / before.energy_mj, best / before.energy_mj


def compare_starts(workloads: Sequence[str], seeds: int) -> None:
    print(f"{'start':<12}{'jobs':>5}{'time, %':>24}{'energy, %':>24}{'least energy, %':>24}")
    for preset in load_board(BOARD).presets:
        found = [no_budget(name, preset.name, seed) for name, seed in product(workloads, range(seeds))]
        print(f"{preset.name:<12}{len(found):>5}", *(f"{percent(column):>23}" for column in zip(*found)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["whole-job", "none"])
    parser.add_argument("--workload", action="append", choices=workload_names(), help="default: all")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("lightning_powertrain").setLevel(logging.ERROR)
    workloads = arguments.workload or workload_names()
    print(f"SIMULATED {BOARD}; {', '.join(workloads)}; {arguments.seeds} seeds")
    if arguments.what == "none":
        compare_starts(workloads, arguments.seeds)
    else:
        compare_whole_jobs(workloads, arguments.minutes, arguments.seeds)


if __name__ == "__main__":
    main()
