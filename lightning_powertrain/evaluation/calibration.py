"""How simulated Orins compare with the figures that are known of real ones.

``python -m lightning_powertrain.evaluation.calibration`` prints the table that stands in ``docs/simulation.md``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from lightning_powertrain.boards import IntArray, load_board
from lightning_powertrain.simulation import (
    REFERENCE_C,
    ROOM_C,
    BoardPhysics,
    KernelGroup,
    SteadyState,
    Workload,
    inference,
    load_physics,
    load_workload,
    steady_state,
)
from lightning_powertrain.simulation.power import rails_at_reference
from lightning_powertrain.simulation.timing import Activity, Clocks

_BOARD = "orin-agx-64gb"
_NANO = "orin-nano-8gb"

_INFERENCE = (
    # network, minibatch size, time_ms, power_w
    ("resnet50", 1, 15.37, 26.9),
    ("resnet50", 4, 19.28, 41.4),
    ("resnet50", 16, 51.56, 53.5),
    ("resnet50", 64, 191.6, 55.4),
    ("yolov8n", 1, 17.94, 25.7),
    ("yolov8n", 16, 107.5, 42.5),
    ("yolov8n", 64, 431.5, 44.0),
    ("mobilenetv3", 1, 18.03, 20.9),
    ("mobilenetv3", 16, 28.1, 38.5),
    ("mobilenetv3", 64, 102.1, 39.5),
    ("lstm-small", 1, 1.23, 29.5),
    ("lstm-small", 64, 3.36, 41.4),
    ("bert-large", 1, 61.9, 56.8),
    ("bert-large", 16, 920.0, 63.5),
)
"""Measured at MAXN; public notebook of Pagoda (arXiv 2509.20189)."""

_TRAINING_MS = (("resnet18", 58.0), ("mobilenetv3", 96.0), ("yolov8n", 188.0), ("bert-base", 940.0), ("lstm", 11.0))
"""Minibatch at MAXN: recollections of the PowerTrain paper's figures, not verified."""

_GRID_MEAN_MS = (("resnet18", 336.0), ("yolov8n", 660.0))
"""Mean minibatch over the study grid, from the profiling hours of arXiv 2407.13944; YOLO: middle of 610 to 710."""

_STRESS_W = (("MAXN", 40.4, 15.2), ("MODE_50W", 18.4, 6.0))
"""GPU-only and CPU-only power of the stressed rail, by preset; a 32 GB module, so only roughly comparable."""

_IDLE_W = (
    # cores, CPU kHz, GPU Hz, EMC Hz, sum of rails
    (12, 729600, 114750000, 2133000000, 7.1),
    (12, 729600, 114750000, 204000000, 10.1),
    (12, 2201600, 1300500000, 3199000000, 14.9),
)
"""Public tegrastats lines: GPU off; a 32 GB module, GPU on; clocks locked, light load, 1 W for a rail not shown."""


_NANO_FLOOR_W = (("VDD_IN", 2.18), ("VDD_CPU_GPU_CV", 0.37), ("VDD_SOC", 0.945))
"""Rails of an Orin Nano 8 GB with two cores at the lowest clocks; developer forum 348662."""

_ORIN_NX_W = (
    # preset, cores, CPU kHz, GPU Hz, EMC Hz, module power
    ("25W", 8, 1497600, 408000000, 3199000000, 16.9),
    ("40W", 8, 1497600, 1173000000, 3199000000, 27.6),
    ("MAXN_SUPER", 8, 1984000, 1173000000, 3199000000, 29.4),
)
"""An Orin NX 16 GB with eight busy threads and a matrix product; ark_jetson_kernel, docs/power.md, c2ad56d."""

_MATRIX_PRODUCT = 0.6
"""Share of the GPU's peak that it reaches, as those of BERT do."""


@dataclass(frozen=True)
class Anchor:
    """A figure known of the real board, and the simulation's.

    Args:
        what: What it is a figure of.
        unit: Its unit.
        known: The value known.
        simulated: The simulation's value.
        verified: Whether the value is measured and public; recollections and figures of other modules are not.
    """

    what: str
    unit: str
    known: float
    simulated: float
    verified: bool

    @property
    def deviation_percent(self) -> float:
        """How far the simulation is off."""
        return 100 * (self.simulated / self.known - 1)


def anchors() -> tuple[Anchor, ...]:
    """Every figure known, with the simulation's."""
    return (*_inference(), *_training(), *_grid_means(), *_stress(), *_idle(), *_nano_floor(), *_orin_nx())


def _inference() -> Iterable[Anchor]:
    for network, size, time_ms, power_w in _INFERENCE:
        steady = _steady(inference(network, size), _maxn())
        yield Anchor(f"{network}, inference of {size}, MAXN", "ms", time_ms, float(steady.time_ms[0]), True)
        yield Anchor(f"{network}, inference of {size}, MAXN", "W", power_w, float(steady.total_w[0]), True)


def _training() -> Iterable[Anchor]:
    for name, time_ms in _TRAINING_MS:
        steady = _steady(load_workload(name), _maxn())
        yield Anchor(f"{name}, training, MAXN", "ms", time_ms, float(steady.time_ms[0]), False)


def _grid_means() -> Iterable[Anchor]:
    for name, time_ms in _GRID_MEAN_MS:
        steady = _steady(load_workload(name), load_board(_BOARD).grid("study").array)
        yield Anchor(f"{name}, training, mean of the study grid", "ms", time_ms, float(steady.time_ms.mean()), True)


def _stress() -> Iterable[Anchor]:
    board = load_board(_BOARD)
    for preset, gpu_w, cpu_w in _STRESS_W:
        mode = board.modes.rows([board.preset(preset)])
        gpu = _steady(inference("bert-large", 64), mode)
        busy = Workload(
            "stress", inference("lstm-small", 1).groups, host_mcycles=0.0, loader_mcycles=1e4, num_workers=12
        )
        cpu = _steady(busy, mode)
        yield Anchor(f"GPU rail under stress, {preset}", "W", gpu_w, _rail_w(gpu, "VDD_GPU_SOC"), False)
        yield Anchor(f"CPU rail under stress, {preset}", "W", cpu_w, _rail_w(cpu, "VDD_CPU_CV"), False)


def _idle() -> Iterable[Anchor]:
    for *mode, power_w in _IDLE_W:
        steady = _steady(None, np.array([mode], dtype=np.int64))
        title = f"idle, cpu {mode[1] / 1e3:.0f}, gpu {mode[2] / 1e6:.0f}, emc {mode[3] / 1e6:.0f} MHz"
        yield Anchor(title, "W", power_w, float(steady.total_w[0]), False)


def _nano_floor() -> Iterable[Anchor]:
    steady = steady_state(load_physics(_NANO), None, np.array([[2, 115200, 306000000, 204000000]], dtype=np.int64))
    for rail, power_w in _NANO_FLOOR_W:
        simulated_w = float(steady.rails_w[0, steady.rails.index(rail)])
        yield Anchor(f"Orin Nano, idle at the lowest clocks, {rail}", "W", power_w, simulated_w, True)


def _orin_nx() -> Iterable[Anchor]:
    """The simulated Orin Nano with the voltage curves of the AGX, which go on to the clocks of an Orin NX."""
    nano, agx = _calibrated(_NANO), _calibrated(_BOARD)
    cpu = replace(nano.cpu, supply=replace(agx.cpu.supply, leakage_w=nano.cpu.supply.leakage_w))
    gpu = replace(nano.gpu, supply=replace(agx.gpu.supply, leakage_w=nano.gpu.supply.leakage_w))
    physics = replace(nano, cpu=cpu, gpu=gpu)
    for preset, *mode, power_w in _ORIN_NX_W:
        clocks = Clocks.of(np.array([mode], dtype=np.int64))
        gflop = 1e-9 * _MATRIX_PRODUCT * gpu.flop_per_cycle * float(clocks.gpu_hz[0])
        workload = Workload("stress", (KernelGroup("matrix product", gflop, 1e4, 100, _MATRIX_PRODUCT, 0.0),))
        second = np.ones(1)
        activity = Activity(second, second, second, clocks.cores - 1, second, 0 * second, 0 * second)
        watts, slope = (physics.total(rails) for rails in rails_at_reference(physics, workload, clocks, activity))
        warmer = physics.thermal.settled_c(watts, slope, ROOM_C) - REFERENCE_C
        simulated_w = float((watts + slope * warmer)[0])
        yield Anchor(f"Orin NX under stress, {preset}", "W", power_w, simulated_w, False)


def _calibrated(board: str) -> BoardPhysics:
    physics = load_physics(board)
    assert isinstance(physics, BoardPhysics)
    return physics


def _maxn() -> IntArray:
    modes = load_board(_BOARD).modes
    return modes.rows([modes.highest])


def _steady(workload: Workload | None, modes: IntArray) -> SteadyState:
    return steady_state(load_physics(_BOARD), workload, modes)


def _rail_w(steady: SteadyState, rail: str) -> float:
    return float(steady.rails_w[0, steady.rails.index(rail)])


def table() -> str:
    """All anchors as a Markdown table; a question mark stands behind what is not verified."""
    lines = ["| figure | known | simulated | deviation |", "|---|---|---|---|"]
    for anchor in anchors():
        mark = "" if anchor.verified else " ?"
        known, simulated = f"{anchor.known:.4g} {anchor.unit}{mark}", f"{anchor.simulated:.4g} {anchor.unit}"
        lines.append(f"| {anchor.what} | {known} | {simulated} | {anchor.deviation_percent:+.0f} % |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())  # noqa: T201
