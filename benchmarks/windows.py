"""What windows that end once they are precise save against windows of 40 minibatches, and what that costs in accuracy.
SIMULATED: boards, workloads and their scatter are those of ``docs/simulation.md``.

    python benchmarks/windows.py [--seeds 5] [--workload resnet18 ...]

Each protocol measures 50 modes of every workload on ``orin-agx-64gb``: the paper's (random modes, fixed windows), the
same windows on a Latin hypercube, and the default. An error is that of one window, against the settled time of the mode
and its power at the temperature of that moment. MAPE is the error of the default predictor, fitted on these windows,
over all 18,096 modes. Figures are medians over seeds, some with the least and the most in brackets; shares are those of
all windows.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
import torch

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import Interval, Pollers, SimulatedDevice
from lightning_powertrain.evaluation import simulated_profile
from lightning_powertrain.prediction import default_predictor
from lightning_powertrain.profiling import (
    Measurement,
    Profile,
    Provenance,
    Window,
    WindowPlan,
    latin_hypercube,
    random_modes,
)
from lightning_powertrain.simulation import load_physics, steady_state, workload_names

BOARD, MODES, PRECISION = "orin-agx-64gb", 50, 0.02
PROTOCOLS = {
    "paper": (random_modes, None),
    "fixed, LHS": (latin_hypercube, None),
    "adaptive, LHS": (latin_hypercube, PRECISION),
}


@dataclass(frozen=True)
class Run:
    """One workload, one protocol, one seed; errors in per cent, shares in per cent."""

    seconds: float
    planned: float
    minibatches: float
    capped: float
    time_median: float
    time_95: float
    time_held: float
    power_median: float
    power_95: float
    power_held: float
    time_mape: float
    power_mape: float


HEADER = (
    f"{'':<15}{'seconds':>20}{'planned':>9}{'minibatches':>13}{'capped':>8}"
    f"{'time error: 50 %':>18}{'95 %':>6}{'held':>6}{'power error: 50 %':>19}{'95 %':>6}{'held':>6}"
    f"{'MAPE time':>17}{'power':>17}"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--workload", action="append", choices=workload_names(), help="default: all")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(f"SIMULATED {BOARD}, {MODES} modes, {arguments.seeds} seeds; errors in per cent")
    print(f"capped, held: share of all windows, per cent; held: off by no more than {PRECISION:.0%}")
    print("planned: expected seconds over real ones\n")
    print(HEADER)
    everything: dict[str, list[Run]] = {name: [] for name in PROTOCOLS}
    for workload in arguments.workload or workload_names():
        print(workload)
        for name in PROTOCOLS:
            runs = [run(workload, name, seed) for seed in range(arguments.seeds)]
            everything[name] += runs
            print(row(name, runs), flush=True)
    print("all of them")
    for name, runs in everything.items():
        print(row(name, runs))


def run(workload: str, protocol: str, seed: int) -> Run:
    sampler, precision = PROTOCOLS[protocol]
    device = SimulatedDevice(BOARD, workload, seed)
    plan = WindowPlan(device.workload.prefetched, device.settle_s, tolerance=precision)
    start_s = device.clock.now()
    measurements, truths = profiled(device, sampler(device.modes, MODES, seed), plan)
    seconds = device.clock.now() - start_s
    time_off, power_off = (100 * np.abs(truths / [(each.time_ms, each.power_w) for each in measurements] - 1)).T
    planned_s = sum(plan.seconds(time_ms) for time_ms in truths[:, 0])
    return Run(
        seconds,
        planned_s / seconds,
        sum(each.minibatches for each in measurements),
        100 * float(np.mean([each.capped for each in measurements])),
        *spread(time_off),
        *spread(power_off),
        *mape(device, workload, measurements, seed),
    )


def profiled(
    device: SimulatedDevice, modes: Sequence[PowerMode], plan: WindowPlan
) -> tuple[list[Measurement], np.ndarray]:
    """Measurements, and the true time (ms) and power (W) of each, shape ``(n, 2)``."""
    pollers = Pollers(device)
    pollers.start()
    measurements, truths = [], []
    for mode in modes:
        window = Window(device, pollers, device.apply(mode), plan, lambda: None)
        is_over = False
        while not is_over:
            start_s = device.clock.now()
            device.minibatch_ended()
            is_over = window.add(Interval(start_s, device.clock.now()))
        measurements.append(window.measurement)
        rows = device.modes.rows([mode])
        state = steady_state(load_physics(BOARD), device.workload, rows, temperature_c=device.temperature_c)
        truths.append((float(state.time_ms[0]), float(state.total_w[0])))
    pollers.stop()
    return measurements, np.array(truths)


def spread(off: np.ndarray) -> tuple[float, float, float]:
    return float(np.median(off)), float(np.quantile(off, 0.95)), 100 * float(np.mean(off <= 100 * PRECISION))


def mape(device: SimulatedDevice, workload: str, sample: Sequence[Measurement], seed: int) -> tuple[float, float]:
    """Error of the prediction of all modes: time, power."""
    predictor = default_predictor(seed=seed)
    predictor.fit(Profile(device.modes.knobs, Provenance(BOARD, workload, simulated=True), tuple(sample)))
    prediction = predictor.predict(device.modes.array)
    truth = simulated_profile(BOARD, workload, device.modes.array)
    time_off, power_off = prediction.time_ms / truth.time_ms - 1, prediction.power_w / truth.power_w - 1
    return 100 * float(np.abs(time_off).mean()), 100 * float(np.abs(power_off).mean())


def row(name: str, runs: Sequence[Run]) -> str:
    table = np.array([astuple(each) for each in runs])
    middle, mean = Run(*np.median(table, axis=0)), Run(*table.mean(axis=0))
    least, most = Run(*table.min(axis=0)), Run(*table.max(axis=0))
    figures = [
        f"{middle.seconds:6.0f} [{least.seconds:.0f}-{most.seconds:.0f}]".rjust(20),
        f"{middle.planned:9.2f}{middle.minibatches:13.0f}{mean.capped:6.0f} %",
        f"{middle.time_median:18.2f}{middle.time_95:6.2f}{mean.time_held:6.1f}",
        f"{middle.power_median:19.2f}{middle.power_95:6.2f}{mean.power_held:6.1f}",
        f"{middle.time_mape:5.2f} [{least.time_mape:.2f}-{most.time_mape:.2f}]".rjust(17),
        f"{middle.power_mape:5.2f} [{least.power_mape:.2f}-{most.power_mape:.2f}]".rjust(17),
    ]
    return f"  {name:<13}" + "".join(figures)


if __name__ == "__main__":
    main()
