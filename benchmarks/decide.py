"""How long it takes to decide: which modes to measure first; then fit, predict every mode, select. The default method
beside the paper's, in one run. Nothing is simulated but the measurements themselves; seconds are this machine's.

    python benchmarks/decide.py [--repeats 5]
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from typing import TypeVar

import torch

from lightning_powertrain.boards import load_board
from lightning_powertrain.evaluation import simulated_profile
from lightning_powertrain.prediction import DEFAULT_REFERENCE, GreyBoxTransfer, Predictor, Reference, load_reference
from lightning_powertrain.prediction.baselines import PaperTransfer
from lightning_powertrain.profiling import random_modes
from lightning_powertrain.selection import PowerBudget, expected_improvement, select_measured

BOARD, WORKLOAD, BUDGET, MODES = "orin-agx-64gb", "mobilenetv3", PowerBudget(30.0), 50
FIRST_MODES = 7
AIM_S = 2.0
METHODS: dict[str, Callable[[Reference], Predictor]] = {
    "grey-box": lambda reference: GreyBoxTransfer(reference.profile),
    "paper": PaperTransfer,
}

Result = TypeVar("Result")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    modes = len(load_board(BOARD).modes)
    print(f"{MODES} measured modes, {modes:,} predicted; {os.cpu_count()} cores, {torch.get_num_threads()} threads")
    print(f"{'method':<10}{'part':<18}{'median s':>10}{'least s':>10}{'most s':>10}")
    seconds: dict[str, dict[str, list[float]]] = {name: {} for name in METHODS}
    for _ in range(repeats):
        for name, method in METHODS.items():
            decide(method, seconds[name])
    for name, parts in seconds.items():
        parts["total"] = [sum(each) for each in zip(*parts.values())]
        for part, each in parts.items():
            print(f"{name:<10}{part:<18}{statistics.median(each):>10.3f}{min(each):>10.3f}{max(each):>10.3f}")
    print(f"aim: a total under {AIM_S:g} s on two cores")


def decide(method: Callable[[Reference], Predictor], seconds: dict[str, list[float]]) -> None:
    """One decision; adds the seconds of each part."""

    def timed(part: str, work: Callable[[], Result]) -> Result:
        start_s = time.perf_counter()
        result = work()
        seconds.setdefault(part, []).append(time.perf_counter() - start_s)
        return result

    # A fresh space, as in a job: its array of modes is made once and then kept.
    space = timed("list modes", lambda: load_board(BOARD).modes)
    sample = space.rows(random_modes(space, MODES))
    profile = simulated_profile(BOARD, WORKLOAD, sample, seed=0)
    reference = timed("load reference", lambda: load_reference(DEFAULT_REFERENCE))
    predictor = method(reference)
    timed("fit reference", lambda: predictor.prior_time_ms(sample))
    timed("first modes", lambda: predictor.informative_rows(space.knobs, space.array, FIRST_MODES, seed=0))
    timed("fit", lambda: predictor.fit(profile))
    prediction = timed("predict", lambda: predictor.predict(space.array))
    best = timed("select", lambda: select_measured(BUDGET, profile, profile.measurements[0]))
    timed("where to look", lambda: expected_improvement(BUDGET, prediction, best.cost))


if __name__ == "__main__":
    main()
