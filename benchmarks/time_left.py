"""How well the time that profiling is said to take is kept. SIMULATED: boards, workloads and their scatter are those of
``docs/simulation.md``.

    python benchmarks/time_left.py [--board orin-agx-64gb ...] [--workload resnet18 ...] [--seed 0 ...]

Each job is a real ``Tuner`` on the virtual clock of a simulated board, with computing charged to that clock. What the
console prints is compared with what profiling took, from the end of the first measurement to the lock: the first
estimate ("profiling up to 50 power modes takes about 3:33") and the later ones ("mode 12 of 50, 0:51 of ~3:20").

Kept: share of estimates that are off by no more than a quarter of what profiling took; under "left" by no more than a
quarter of what was left of it, which nobody can know near the end. Ratio: estimate over truth, median, with the
least and the most in brackets. Jobs under a hard limit and ``modes="auto"`` print no time.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterable, Sequence
from itertools import product

import numpy as np
import torch

from lightning_powertrain.evaluation.time_left import BUDGETS, Estimate, Job, estimates_of
from lightning_powertrain.simulation import simulated_board_names, workload_names

MODES = (10, None)
MINUTES = (30.0, None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--board", nargs="+", choices=simulated_board_names(), default=simulated_board_names())
    parser.add_argument("--workload", nargs="+", choices=workload_names(), default=workload_names())
    parser.add_argument("--seed", nargs="+", type=int, default=[0])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("lightning_powertrain").setLevel(logging.ERROR)
    axes = (arguments.board, arguments.workload, list(BUDGETS), MODES, MINUTES, arguments.seed)
    told = {job: estimates for job in (Job(*each) for each in product(*axes)) if (estimates := estimates_of(job))}
    print(f"SIMULATED: {', '.join(arguments.board)}; {', '.join(arguments.workload)}; seeds {arguments.seed}")
    print(f"{'':<28}{'jobs':>5}{'first kept':>12}{'ratio':>19}{'later kept':>12}{'left':>7}{'ratio':>19}")
    print(row("all", told.values()))
    for axis in ("board", "workload", "budget", "modes", "minutes"):
        for value in dict.fromkeys(getattr(job, axis) for job in told):
            print(row(f"{axis}: {value}", (each for job, each in told.items() if getattr(job, axis) == value)))


def row(title: str, jobs: Iterable[Sequence[Estimate]]) -> str:
    told = list(jobs)
    first, later = [each[0] for each in told], [one for each in told for one in each[1:]]
    kept = [100 * np.mean([each.is_kept for each in some]) for some in (first, later)]
    left = 100 * np.mean([each.is_left_kept for each in later])
    ratios = [spread([each.ratio for each in some]) for some in (first, later)]
    return f"{title:<28}{len(told):>5}{kept[0]:>10.0f} %{ratios[0]:>19}{kept[1]:>10.0f} %{left:>5.0f} %{ratios[1]:>19}"


def spread(values: Sequence[float]) -> str:
    return f"{np.median(values):.2f} [{min(values):.2f}-{max(values):.2f}]"


if __name__ == "__main__":
    main()
