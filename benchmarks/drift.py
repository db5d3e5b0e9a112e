"""What the watch over a locked mode is worth: jobs that change after the lock, with it and without. SIMULATED: boards,
workloads, heat and scatter are those of ``docs/simulation.md``.

    python benchmarks/drift.py [--seeds 5] [--scenario "hot day" ...] [--hours 2]

Each job is tuned (``max_modes=10``), then continues. Figures are of its last 20 minutes, medians over seeds with
the least and the most in brackets: time of a minibatch (ms), power (W), share of the time in which the board throttles;
and the share of all minutes after the change whose mean power is more than 0.5 W above the limit. Corrections: how
many, and after how many seconds from the change the first one was made.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from statistics import median

import torch

from lightning_powertrain import ProfilingOptions
from lightning_powertrain.devices import SimulatedDevice
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Observer, Outcome, Phase

BOARD = "orin-agx-64gb"
LAST_S = 1200.0


@dataclass(frozen=True)
class Scenario:
    """What happens: a workload, under a limit, in some air, that becomes another one after so many seconds."""

    workload: str
    limit_w: float
    ambient_c: float = 25.0
    then: str | None = None
    after_s: float = 1800.0


SCENARIOS = {
    "nothing changes": Scenario("resnet18", 30.0),
    "warm-up": Scenario("resnet18", 50.0, ambient_c=45.0),
    "warm-up to throttling": Scenario("resnet18", 65.0, ambient_c=60.0),
    "hot day": Scenario("resnet18", 60.0, ambient_c=80.0),
    "halfway mobilenetv3": Scenario("resnet18", 30.0, then="mobilenetv3"),
    "halfway resnet18": Scenario("mobilenetv3", 30.0, then="resnet18"),
    "halfway bert-base": Scenario("resnet18", 30.0, then="bert-base"),
    "halfway lstm": Scenario("yolov8n", 30.0, then="lstm"),
}


@dataclass
class Log(Observer):
    """Minibatches after the lock: when each ended, what it took, its power, and whether the board throttled."""

    device: SimulatedDevice
    minibatches: list[tuple[float, float, float, bool]] = field(default_factory=list)
    corrected_s: list[float] = field(default_factory=list)

    def verified(self, outcome: Outcome) -> None:
        if outcome.corrections:
            self.corrected_s.append(self.device.clock.now())


@dataclass(frozen=True)
class Ended:
    """How a job ended; see above."""

    time_ms: float
    power_w: float
    throttled: float
    above: float
    corrections: int
    first_s: float | None


def run(scenario: Scenario, seed: int, hours: float, adapt: bool) -> Ended:
    device = SimulatedDevice(BOARD, scenario.workload, seed, scenario.ambient_c)
    log = Log(device)
    tuner = Tuner(
        scenario.limit_w,
        device=device,
        max_modes=10,
        strict=True,
        verbose=False,
        options=ProfilingOptions(seed=seed, adapt=adapt, observers=[log]),
    )
    tuner.start(prefetched=device.workload.prefetched)
    while tuner.phase is not Phase.LOCKED:
        tuner.minibatch_ended()
    changes_s = device.clock.now() + (scenario.after_s if scenario.then else 0.0)
    end_s = device.clock.now() + hours * 3600
    while (start_s := device.clock.now()) < end_s:
        if scenario.then and start_s >= changes_s and device.workload.name != scenario.then:
            device.workload = scenario.then
        tuner.minibatch_ended()
        now_s = device.clock.now()
        log.minibatches.append((now_s, now_s - start_s, device.read_power().total_w, device.throttled))
    tuner.stop()
    return ended(log, changes_s, end_s, scenario.limit_w)


def ended(log: Log, changes_s: float, end_s: float, limit_w: float) -> Ended:
    last = [each for each in log.minibatches if each[0] > end_s - LAST_S]
    seconds = sum(each[1] for each in last)
    minutes = groupby((each for each in log.minibatches if each[0] > changes_s), lambda each: each[0] // 60)
    watts = [_mean_w(list(minute)) for _, minute in minutes]
    return Ended(
        seconds / len(last) * 1e3,
        _mean_w(last),
        sum(each[1] for each in last if each[3]) / seconds,
        sum(each > limit_w + 0.5 for each in watts) / len(watts),
        len(log.corrected_s),
        log.corrected_s[0] - changes_s if log.corrected_s else None,
    )


def _mean_w(minibatches: Sequence[tuple[float, float, float, bool]]) -> float:
    return sum(each[1] * each[2] for each in minibatches) / sum(each[1] for each in minibatches)


def shown(values: Sequence[float], form: str) -> str:
    return f"{median(values):{form}} [{min(values):{form}}-{max(values):{form}}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--scenario", action="append", choices=list(SCENARIOS), help="default: all")
    parser.add_argument("--hours", type=float, default=2.0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("lightning_powertrain").setLevel(logging.ERROR)
    print(f"SIMULATED {BOARD}, {arguments.seeds} seeds, {arguments.hours:g} hours after the lock")
    print("| scenario | watch | ms a minibatch | W | throttled % | minutes above % | corrections | first after s |")
    print("|---|---|---|---|---|---|---|---|")
    for name in arguments.scenario or SCENARIOS:
        for adapt in (False, True):
            jobs = [run(SCENARIOS[name], seed, arguments.hours, adapt) for seed in range(arguments.seeds)]
            first_s = [each.first_s for each in jobs if each.first_s is not None]
            print(
                f"| {name}, {SCENARIOS[name].limit_w:g} W | {'yes' if adapt else 'no'} "
                f"| {shown([each.time_ms for each in jobs], '.1f')} | {shown([each.power_w for each in jobs], '.1f')} "
                f"| {shown([100 * each.throttled for each in jobs], '.0f')} "
                f"| {shown([100 * each.above for each in jobs], '.0f')} "
                f"| {shown([each.corrections for each in jobs], '.0f')} "
                f"| {shown(first_s, '.0f') if first_s else '-'} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
