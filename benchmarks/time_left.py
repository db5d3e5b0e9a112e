"""How well the time that profiling is said to take is kept. SIMULATED: boards, workloads and their scatter are those of
``docs/simulation.md``.

    python benchmarks/time_left.py [--board orin-agx-64gb ...] [--workload resnet18 ...] [--seed 0 ...]

Each job is a real ``Tuner`` on the virtual clock of a simulated board, with computing charged to that clock. What the
console prints is compared with what profiling took, without training on while the board warms: the first
line ("profiling up to 10 power modes takes about 0:51", but "up to 3:55" for more than 30, as long searches end early,
and it is not known when) and the later ones ("mode 12 of 50, 0:51 of ~3:20"; "of at most" before the first decision).

About: share of first lines with "about" that are off by no more than a quarter of what profiling took. Up to: share of
those with "up to" that it did not exceed. Later: share of later estimates that are off by no more than a quarter of
what profiling took in all, or were not exceeded; "left" by no more than a quarter of what was left, which nobody can
know near the end. Ratio: later estimate over truth, median, with the least and the most in brackets. Jobs under a hard
limit and with ``modes="auto"`` print no time.
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
    estimated = {job: estimates for job in (Job(*each) for each in product(*axes)) if (estimates := estimates_of(job))}
    print(f"SIMULATED: {', '.join(arguments.board)}; {', '.join(arguments.workload)}; seeds {arguments.seed}")
    print(f"{'':<32}{'jobs':>5}{'about':>8}{'up to':>8}{'later':>8}{'left':>8}{'ratio':>19}")
    print(row("all", estimated.values()))
    for axis in ("board", "workload", "budget", "modes", "minutes"):
        for value in dict.fromkeys(getattr(job, axis) for job in estimated):
            print(row(f"{axis}: {value}", (each for job, each in estimated.items() if getattr(job, axis) == value)))


def row(title: str, jobs: Iterable[Sequence[Estimate]]) -> str:
    estimated = list(jobs)
    first, later = [each[0] for each in estimated], [one for each in estimated for one in each[1:]]
    shares = (
        share([each.is_kept for each in first if each.most_s is None]),
        share([each.is_kept for each in first if each.most_s is not None]),
        share([each.is_kept for each in later]),
        share([each.is_left_kept for each in later]),
    )
    ratios = spread([each.ratio for each in later])
    return f"{title:<32}{len(estimated):>5}" + "".join(f"{each:>8}" for each in shares) + f"{ratios:>19}"


def share(kept: Sequence[bool]) -> str:
    return f"{100 * np.mean(kept):.0f} %" if kept else "-"


def spread(values: Sequence[float]) -> str:
    return f"{np.median(values):.2f} [{min(values):.2f}-{max(values):.2f}]"


if __name__ == "__main__":
    main()
