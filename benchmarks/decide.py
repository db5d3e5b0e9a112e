"""What deciding costs: CPU seconds of one thread in which a job waits for its tuner, part by part, and peak memory.

    python benchmarks/decide.py [--board orin ...]

Each job runs in a process of its own. Nothing is simulated but the measurements, which follow a simple law: what is
counted is opening the reference, planning, and deciding, as a tuner does. "Largest call" is the longest time that one
minibatch is held up. Seconds are this machine's; a core of a Jetson takes two to three times as long.
"""

from __future__ import annotations

import argparse
import logging
import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from typing import Literal, TypeVar

import numpy as np

from lightning_powertrain.boards import Knob, ModeSpace, load_board
from lightning_powertrain.profiling import Measurement, Profile, Provenance, Signals, WindowPlan
from lightning_powertrain.tuning.acquisition import Candidate
from lightning_powertrain.tuning.config import TuningConfig
from lightning_powertrain.tuning.history import WarmStart
from lightning_powertrain.tuning.job_length import JobLength
from lightning_powertrain.tuning.profiling_budget import ProfilingBudget
from lightning_powertrain.tuning.search import Search

LIMIT_W = 30.0

# A Jetson Thor as its knobs are known so far; its tables of clocks are not published.
THOR = (
    Knob("cores", "cores", tuple(range(1, 15))),
    Knob("cpu_khz", "cpu", tuple(range(204_000, 204_000 + 49 * 50_000, 50_000))),
    Knob("gpu_hz", "gpu", tuple(range(114_000_000, 114_000_000 + 170 * 9_000_000, 9_000_000))),
    Knob("emc_hz", "emc", (665_600_000, 2_133_000_000, 3_199_000_000, 4_266_000_000)),
)
SPACES: dict[str, Callable[[], ModeSpace]] = {
    "orin": lambda: load_board("orin-agx-64gb").modes,
    "tx2": lambda: load_board("tx2").modes,
    "thor": lambda: ModeSpace(THOR),
}

Result = TypeVar("Result")


@dataclass(frozen=True)
class Case:
    """A job, and what it may cost.

    Args:
        title: For people.
        board: Key of :data:`SPACES`.
        max_modes: What the user asks for.
        hard_limit: Whether the limit is a hard one.
        minibatches: Its length.
        aim: Seconds in all, seconds of the largest call, and megabytes; None for none.
    """

    title: str
    board: str
    max_modes: int | Literal["auto"] = 50
    hard_limit: bool = False
    minibatches: float = float("inf")
    aim: tuple[float | None, float | None, float | None] = (None, None, None)


CASES = (
    Case("50 modes", "orin", aim=(1.0, 0.15, None)),
    Case("auto", "orin", "auto", aim=(0.5, 0.15, None)),
    Case("hard", "orin", hard_limit=True),
    Case("left alone", "orin", minibatches=300, aim=(0.2, 0.15, None)),
    Case("50 modes", "tx2", aim=(5.0, 0.5, 600)),
    Case("50 modes", "thor", aim=(5.0, 0.5, 600)),
)


@dataclass
class Cost:
    """CPU seconds of each call, by part."""

    calls: dict[str, list[float]] = field(default_factory=dict)
    measured: int = 0
    peak_mb: float = 0.0

    def timed(self, part: str, work: Callable[[], Result]) -> Result:
        start_s = time.process_time()
        result = work()
        self.calls.setdefault(part, []).append(time.process_time() - start_s)
        return result

    @property
    def total_s(self) -> float:
        return sum(map(sum, self.calls.values()))

    @property
    def largest_s(self) -> float:
        return max(map(max, self.calls.values()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--board", action="append", choices=sorted(SPACES), help="default: all")
    boards = parser.parse_args().board or list(SPACES)
    # For the processes of the jobs, which import numpy anew.
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
    print(
        f"{'board':<6}{'job':<12}{'modes':>9}{'measured':>10}"
        + f"{'open s':>8}{'plan s':>8}{'decide s':>10}{'calls':>7}{'total s':>9}{'largest s':>11}{'peak MB':>9}  aims"
    )
    for case in CASES:
        if case.board in boards:
            with get_context("spawn").Pool(1) as pool:
                print(row(case, pool.apply(run, (case,))), flush=True)


def run(case: Case) -> Cost:
    """One job from its first minibatch to the lock."""
    logging.getLogger("lightning_powertrain").setLevel(logging.ERROR)
    cost = Cost()
    # A fresh space, as in a job: its array of modes is made once and then kept.
    space = SPACES[case.board]()
    config = cost.timed("open", lambda: config_of(case))
    middle = tuple((size - 1) // 2 for size in space.shape)
    row = 0 if case.hard_limit else int(np.ravel_multi_index(middle, space.shape))
    start = measured(space, row)
    profile = Profile(space.knobs, Provenance("made-up", "law", simulated=True), (start,))
    budget = ProfilingBudget(
        space, config, WindowPlan(discard=8, settle_s=2.0), WarmStart(), JobLength(case.minibatches)
    )
    search, plan = cost.timed("plan", lambda: budget.plan(start, profile))
    while len(plan):
        step = cost.timed("decide", partial(next_step, search, profile))
        if step is None:
            break
        profile = profile.with_measurements([measured(space, space.index(step.mode))])
    cost.measured = len(profile)
    cost.peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return cost


def next_step(search: Search, profile: Profile) -> Candidate | None:
    return search.next_planned(profile) or search.next_by_acquisition(profile)


def config_of(case: Case) -> TuningConfig:
    return TuningConfig.checked(
        LIMIT_W, case.max_modes, max_share=0.1, hard_limit=case.hard_limit, strict=False, options=None, available=None
    )


def measured(space: ModeSpace, row: int) -> Measurement:
    """Time, power and free signals by a simple law, with a scatter of half a per cent."""
    mode = space.mode(row)
    levels = dict.fromkeys(("cores", "cpu", "gpu", "emc"), 1.0)
    for knob in space.knobs:
        levels[knob.role] *= max(mode[knob.name] / knob.values[-1], 0.05)
    n, c, g, m = levels["cores"], levels["cpu"], levels["gpu"], levels["emc"]
    stages = np.array([45 / g + 15 / m, 30 / c, 12 / (c * n)])
    time_ms = 4 + float((stages**4).sum() ** 0.25)
    load = min(1.0, stages[0] / time_ms)
    cpu_w, gpu_w = 6 * n * c * (0.4 + c**2), 22 * g * (0.4 + g**2) * load
    noise = 1 + 0.005 * np.random.default_rng(row).standard_normal(6)
    signals = Signals(
        rails_w={"VDD_CPU_CV": (1 + cpu_w) * noise[2], "VDD_GPU_SOC": (4 + gpu_w) * noise[3]},
        gpu_load=load * noise[4],
        children_ms=12 / c * noise[5],
    )
    power_w = 8 + cpu_w + gpu_w + 6 * m
    return Measurement(mode, time_ms * noise[0], power_w * noise[1], minibatches=40, power_samples=40, signals=signals)


def row(case: Case, cost: Cost) -> str:
    decisions = [each for each in cost.calls.get("decide", []) if each > 1e-3]
    parts = [sum(cost.calls.get(part, [])) for part in ("open", "plan", "decide")]
    found = (cost.total_s, cost.largest_s, cost.peak_mb)
    aims = ", ".join(
        f"{aim:g} {unit}{'' if value <= aim else ' MISSED'}"
        for aim, value, unit in zip(case.aim, found, ("s", "s a call", "MB"))
        if aim is not None
    )
    count = len(SPACES[case.board]())
    return (
        f"{case.board:<6}{case.title:<12}{count:>9,}{cost.measured:>10}"
        + "".join(f"{each:>{width}.3f}" for each, width in zip(parts, (8, 8, 10)))
        + f"{len(decisions):>7}{cost.total_s:>9.2f}{cost.largest_s:>11.3f}{cost.peak_mb:>9.0f}  {aims}"
    )


if __name__ == "__main__":
    main()
