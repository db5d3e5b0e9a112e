"""What foresight is worth on a board that leaks as it warms: jobs under a power limit, with and without a temperature.

SIMULATED: boards, workloads, heat and scatter are those of ``docs/simulation.md``; leakage is that of the simulation, a
multiple of it, or none, and the heat sink of a board may be slower to warm.

    python benchmarks/warming.py [--seeds 3] [--modes 10] [--workload resnet18 ...]

Every job is tuned and never corrected (``adapt=False``). Excess: what the locked mode draws for good, beyond the limit
(W): median, and the most in brackets. Over: share of jobs in which that is more than 0.5 W. Time: of a minibatch, over
that in the fastest mode that keeps the limit for good (%). Locked after: seconds from the start of the job.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from statistics import median

import numpy as np
import torch

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.devices import Health, SimulatedDevice
from lightning_powertrain.simulation import ROOM_C, SlowState, SteadyState, load_physics, load_workload, steady_state
from lightning_powertrain.simulation.physics import REFERENCE_C
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Phase

BOARD = "orin-agx-64gb"
WORKLOADS = ("resnet18", "mobilenetv3", "lstm")
LIMITS_W = (25.0, 40.0)
ALLOWED_W = 0.5


@dataclass(frozen=True)
class Scenario:
    """How a board leaks and warms.

    Args:
        leakage: Growth of leakage per degree, over that of the simulation.
        slower: Time constant of the heat sink, over that of the simulation.
    """

    leakage: float
    slower: float


SCENARIOS = {
    "no leakage": Scenario(0.0, 1.0),
    "as simulated": Scenario(1.0, 1.0),
    "4 x leakage": Scenario(4.0, 1.0),
    "4 x leakage, sink 2 x slower": Scenario(4.0, 2.0),
}


class Board(SimulatedDevice):
    """A board that leaks and warms as a scenario says.

    Args:
        scenario: Which.
        workload: What it trains.
        seed: Of all scatter.
        shows_temperature: Whether its temperature can be read.
    """

    def __init__(self, scenario: Scenario, workload: str, seed: int, shows_temperature: bool) -> None:
        self._leakage = scenario.leakage
        self._shows_temperature = shows_temperature
        super().__init__(BOARD, workload, seed)
        thermal = self._physics.thermal
        thermal = replace(thermal, time_constant_s=scenario.slower * thermal.time_constant_s)
        self._physics = replace(self._physics, thermal=thermal)
        self._slow = SlowState(thermal, ROOM_C, self._slow.temperature_c, self._slow.shown_w)

    def health(self) -> Health:
        health = super().health()
        return health if self._shows_temperature else replace(health, temperature_c=None)

    def _enter(self) -> SteadyState:
        steady = super()._enter()
        draw, factor = self._draw, self._leakage
        self._draw = replace(draw, rails_w_per_c=factor * draw.rails_w_per_c, total_w_per_c=factor * draw.total_w_per_c)
        return steady


@dataclass(frozen=True)
class Ended:
    """How a job ended; see above."""

    excess_w: float
    time: float
    locked_s: float


def run(scenario: Scenario, workload: str, limit_w: float, seed: int, foresees: bool, modes: int) -> Ended:
    board = Board(scenario, workload, seed, foresees)
    tuner = Tuner(
        limit_w,
        device=board,
        max_modes=modes,
        strict=True,
        verbose=False,
        options=ProfilingOptions(seed=seed, adapt=False),
    )
    tuner.start(prefetched=board.workload.prefetched)
    while tuner.phase is not Phase.LOCKED:
        tuner.minibatch_ended()
    row = board.modes.index(board.current_mode())
    locked_s = board.clock.now()
    tuner.stop()
    time_ms, settled_w = truth(scenario, workload, board)
    best_ms = time_ms[settled_w <= limit_w].min()
    return Ended(float(settled_w[row]) - limit_w, 100 * float(time_ms[row] / best_ms), locked_s)


def truth(scenario: Scenario, workload: str, board: Board) -> tuple[np.ndarray, np.ndarray]:
    """Time (ms) and settled power (W) of every mode."""
    physics = load_physics(BOARD)
    steady = steady_state(physics, load_workload(workload), board.modes.array, REFERENCE_C)
    per_c = scenario.leakage * steady.total_w_per_c
    above_c = physics.thermal.settled_c(steady.total_w, per_c, ROOM_C) - REFERENCE_C
    return steady.time_ms, steady.total_w + per_c * above_c


def shown(jobs: Sequence[Ended]) -> str:
    excess_w, times = [each.excess_w for each in jobs], [each.time for each in jobs]
    over = 100 * np.mean([each > ALLOWED_W for each in excess_w])
    locked_s = [each.locked_s for each in jobs]
    return (
        f"{median(excess_w):+.2f} [{max(excess_w):+.2f}] | {over:.0f} | {median(times):.1f} [{max(times):.1f}] "
        f"| {median(locked_s):.0f} [{max(locked_s):.0f}]"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--modes", type=int, default=10)
    parser.add_argument("--workload", nargs="+", default=WORKLOADS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("lightning_powertrain").setLevel(logging.ERROR)
    cases = list(product(arguments.workload, LIMITS_W, range(arguments.seeds)))
    about = f"{', '.join(arguments.workload)} at {LIMITS_W} W, {arguments.seeds} seeds: {len(cases)} jobs"
    print(f"SIMULATED {BOARD}, {about}")
    print("| board | temperature | excess, W | over, % | time, % of best | locked after, s |")
    print("|---|---|---|---|---|---|")
    for name, scenario in SCENARIOS.items():
        for foresees in (False, True):
            jobs = [run(scenario, *case, foresees, arguments.modes) for case in cases]
            print(f"| {name} | {'read' if foresees else 'not read'} | {shown(jobs)} |", flush=True)


if __name__ == "__main__":
    main()
