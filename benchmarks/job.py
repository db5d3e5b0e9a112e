"""What whole training jobs take under a limit of 30 W: time and energy in all, profiling included. SIMULATED: boards,
workloads and their scatter are those of ``docs/simulation.md``.

    python benchmarks/job.py [--seeds 3] [--workload resnet18 ...] [--minutes 10 60 600]

A job has as many minibatches as take so many minutes in the mode that it starts in, the stock one of the board. Each
figure is relative to an oracle that knows everything and runs the whole job in the best mode: median over workloads and
seeds, with the least and the most in brackets. Methods:

- a stock mode from beginning to end, as with no callback at all;
- the paper's: 50 random modes, 40 minibatches each, its networks, and the mode that these hold for the best, unverified
  and however long the job;
- ours, a real ``Tuner`` on the virtual clock, as it comes and with ``max_modes="auto"``.

Profiling is simulated minibatch by minibatch, the long rest of the job is not: it goes on at the settled time and power
of its mode. Energy counts each mode at its settled power. Computing, such as fits, stops the job: three times the CPU
seconds of this computer, and more in modes with a slow CPU (``docs/simulation.md``); it is part of all times, and has a
column of its own. Over: share of jobs that end more than 0.5 W above the limit.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
import torch

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.boards import PowerMode, load_board
from lightning_powertrain.devices import Interval, Pollers
from lightning_powertrain.evaluation import simulated_profile
from lightning_powertrain.evaluation.whole_job import Total, WholeJob
from lightning_powertrain.prediction import DEFAULT_REFERENCE, GreyBoxTransfer, load_reference
from lightning_powertrain.prediction.baselines import PaperNetworks, PaperTransfer
from lightning_powertrain.profiling import Measurement, Profile, Provenance, Window, WindowPlan, random_modes
from lightning_powertrain.selection import PowerBudget, best_index
from lightning_powertrain.simulation import workload_names
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Phase

BOARD, LIMIT_W, PAPERS_MODES = "orin-agx-64gb", 30.0, 50


class Job(WholeJob):
    """A job of so many minibatches; counts fits.

    Args:
        workload: What it trains.
        minutes: How long it would take in the mode that it starts in.
        seed: Of all scatter.
    """

    def __init__(self, workload: str, minutes: float, seed: int) -> None:
        super().__init__(BOARD, workload, minutes, seed)
        self.name = workload
        self.fits = 0

    def ended(self, mode: PowerMode, modes: int = 0) -> Ended:
        """What it took in all, if the rest of it runs in ``mode``."""
        return Ended(self.ended_in(mode), modes, self.fits, self.settled(mode)[1])


@dataclass(frozen=True)
class Ended:
    """What a job took: in all, modes measured, fits, power at its end."""

    total: Total
    modes: int
    fits: int
    power_w: float


@lru_cache(maxsize=None)
def truth(workload: str) -> dict[PowerMode, Measurement]:
    """Settled time and power of every mode."""
    return {each.mode: each for each in simulated_profile(BOARD, workload, load_board(BOARD).modes.array).measurements}


def oracle(job: Job, seed: int) -> Ended:
    within = (each for each in truth(job.name).values() if each.power_w <= LIMIT_W)
    return job.ended(min(within, key=lambda each: each.time_ms).mode)


def stock(preset: str) -> Callable[[Job, int], Ended]:
    return lambda job, seed: job.ended(job.board.preset(preset))


def papers(job: Job, seed: int) -> Ended:
    """50 random modes, windows of 40 minibatches, the paper's networks, one choice."""
    start = job.current_mode()
    measurements: list[Measurement] = []
    pollers = Pollers(job)
    pollers.start()
    plan = WindowPlan(job.workload.prefetched, job.settle_s, tolerance=None)
    for mode in random_modes(job.modes, PAPERS_MODES, seed):
        window = Window(job, pollers, job.apply(mode), plan, lambda: None)
        while not job.is_over:
            start_s = job.clock.now()
            job.minibatch_ended()
            if window.add(Interval(start_s, job.clock.now())):
                measurements.append(window.measurement)
                break
    pollers.stop()
    if job.is_over:
        return job.ended(start, len(measurements))
    predictor = PaperTransfer(PaperNetworks.load(DEFAULT_REFERENCE), seed)
    with job.computing():
        predictor.fit(Profile(job.modes.knobs, Provenance(BOARD, job.name, simulated=True), tuple(measurements)))
        prediction = predictor.predict(job.modes.array)
    time_ms, power_w = prediction.time_ms.copy(), prediction.power_w.copy()
    for each in measurements:
        row = job.modes.index(each.mode)
        time_ms[row], power_w[row] = each.time_ms, each.power_w
    job.fits = 1
    return job.ended(job.modes.mode(best_index(PowerBudget(LIMIT_W), time_ms, power_w)), len(measurements))


def ours(**settings: object) -> Callable[[Job, int], Ended]:
    def run(job: Job, seed: int) -> Ended:
        predictor = Counting(job, seed)
        tuner = Tuner(
            LIMIT_W,
            device=job,
            strict=True,
            verbose=False,
            options=ProfilingOptions(predictor=predictor, seed=seed),
            **settings,  # type: ignore[arg-type]
        )
        tuner.start(minibatches=job.minibatches, prefetched=job.workload.prefetched, workload=job.name)
        while not job.is_over and tuner.phase not in (Phase.LOCKED, Phase.CLOSED):
            tuner.minibatch_ended()
        mode, profile = job.current_mode(), tuner.profile
        ended = job.ended(mode, 0 if profile is None else len(profile))
        tuner.stop()
        return ended

    return run


class Counting(GreyBoxTransfer):
    """The default predictor; counts how often it is fitted."""

    def __init__(self, job: Job, seed: int) -> None:
        super().__init__(load_reference(DEFAULT_REFERENCE).profile, seed)
        self._job = job

    def fit(self, profile: Profile) -> None:
        self._job.fits += 1
        super().fit(profile)


HEADER = (
    f"{'':<15}{'time, % of oracle':>21}{'energy, %':>16}"
    + f"{'s of profiling':>18}{'computing':>18}{'modes':>7}{'fits':>5}{'power at end':>21}"
)

METHODS: dict[str, Callable[[Job, int], Ended]] = {
    "oracle": oracle,
    **{f"stock {preset.name}": stock(preset.name) for preset in load_board(BOARD).presets},
    "paper": papers,
    "ours": ours(),
    "ours, auto": ours(max_modes="auto"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--workload", action="append", choices=workload_names(), help="default: all")
    parser.add_argument("--minutes", type=float, nargs="+", default=[10.0, 60.0, 600.0])
    parser.add_argument("--method", action="append", choices=list(METHODS), help="default: all")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("lightning_powertrain").setLevel(logging.ERROR)
    workloads = arguments.workload or workload_names()
    print(f"SIMULATED {BOARD}, {LIMIT_W:g} W, {arguments.seeds} seeds; {', '.join(workloads)}")
    for minutes in arguments.minutes:
        print(f"\njobs of {minutes:g} minutes in the start mode")
        print(HEADER)
        for name in arguments.method or METHODS:
            pairs = [run(name, *each, minutes) for each in product(workloads, range(arguments.seeds))]
            print(row(name, pairs), flush=True)


def run(name: str, workload: str, seed: int, minutes: float) -> tuple[Ended, Ended]:
    """A method's end, and the oracle's."""
    return METHODS[name](Job(workload, minutes, seed), seed), oracle(Job(workload, minutes, seed), seed)


def row(name: str, pairs: Sequence[tuple[Ended, Ended]]) -> str:
    time = spread([100 * own.total.seconds / best.total.seconds for own, best in pairs], "{:.1f}")
    energy = spread([100 * own.total.energy_j / best.total.energy_j for own, best in pairs], "{:.0f}")
    ended = [own for own, _ in pairs]
    modes, fits = (np.median([getattr(each, figure) for each in ended]) for figure in ("modes", "fits"))
    watts = [each.power_w for each in ended]
    above = np.mean([each > LIMIT_W + 0.5 for each in watts])
    power = f"{np.median(watts):.1f} W, {100 * above:.0f} % over"
    profiling = spread([each.total.profiling_s for each in ended], "{:.0f}")
    computing = spread([each.total.computing_s for each in ended], "{:.1f}")
    return f"{name:<15}{time:>21}{energy:>16}{profiling:>18}{computing:>18}{modes:>7.0f}{fits:>5.0f}{power:>21}"


def spread(values: Sequence[float], form: str) -> str:
    return f"{form} [{form}-{form}]".format(np.median(values), min(values), max(values))


if __name__ == "__main__":
    main()
