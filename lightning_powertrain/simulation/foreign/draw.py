"""Draws a foreign board from a seed: its tables, and silicon of its own.

Every second board has the tables of an AGX Orin: to a predictor it looks like the board of the bundled reference, and
is another. Ranges span what is published of Jetsons and of other boards of their size; none was fitted to anything.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from lightning_powertrain.boards import Board, Knob, Preset, load_board
from lightning_powertrain.simulation.foreign.silicon import Domain, Dram, ForeignPhysics, Graphics, Processor
from lightning_powertrain.simulation.physics import Rail, Scatter, Thermal

_PREFIX = "foreign-"
_TWIN = "orin-agx-64gb"
_GRID = "study"
_MOST_IN_GRID = {"cores": 6, "cpu_khz": 10, "gpu_hz": 10, "emc_hz": 5}
_START = "MIDDLE"
_VOLTAGE_STEPS = 6
_LAYOUTS = (
    (
        "sum",
        {
            "VDD_GPU_SOC": Rail(("gpu", "soc"), 0.4),
            "VDD_CPU": Rail(("cpu",), 0.4),
            "SYS": Rail(("system",), 0.1),
            "VDDQ": Rail(("dram",), 0.1),
        },
    ),
    (
        "VDD_IN",
        {
            "VDD_IN": Rail(("gpu", "soc", "cpu", "system", "dram"), 0.04),
            "VDD_CPU_GPU": Rail(("gpu", "cpu"), 0.04),
            "VDD_SOC": Rail(("soc",), 0.04),
        },
    ),
    (
        "sum",
        {
            "GPU": Rail(("gpu",), 0.15),
            "CPU": Rail(("cpu",), 0.15),
            "SOC": Rail(("soc",), 0.05),
            "DDR": Rail(("dram",), 0.05),
            "SYS": Rail(("system",), 0.05),
        },
    ),
)


def foreign_seed(name: str) -> int | None:
    """The seed in the name of a foreign board; None if it is the name of none.

    >>> foreign_seed("foreign-7"), foreign_seed("orin-agx-64gb")
    (7, None)
    """
    seed = name[len(_PREFIX) :] if name.startswith(_PREFIX) else ""
    return int(seed) if seed.isascii() and seed.isdecimal() else None


@lru_cache(maxsize=64)
def foreign_board(seed: int) -> Board:
    """Tables, rails and presets of the foreign board of a seed.

    Its ``study`` grid has about as many modes as that of the paper.

    >>> foreign_board(7).key
    'foreign-7'
    """
    draw = _Draw(seed, "tables")
    twin = load_board(_TWIN)
    knobs = twin.knobs if draw.happens(0.5) else _tables(draw)
    grid = dict(twin.grids[_GRID]) if knobs is twin.knobs else {knob.name: _some(knob) for knob in knobs}
    total, rails = _LAYOUTS[draw.integer(0, len(_LAYOUTS) - 1)]
    middle = {knob.name: knob.values[len(knob.values) // 2] for knob in knobs}
    return Board(
        key=f"{_PREFIX}{seed}",
        title=f"Foreign board {seed}",
        knobs=knobs,
        presets=(Preset("HIGHEST", 0), Preset(_START, 1, middle)),
        default_preset=_START,
        rails=tuple(rails),
        total=total,
        grids={_GRID: grid},
    )


@lru_cache(maxsize=64)
def foreign_physics(seed: int) -> ForeignPhysics:
    """Silicon of the foreign board of a seed."""
    board, draw = foreign_board(seed), _Draw(seed, "silicon")
    cores, cpu_khz, gpu_hz, emc_hz = (knob.values for knob in board.knobs)
    width = draw.ratio(1000, 4600) if board.knobs != load_board(_TWIN).knobs else draw.ratio(2400, 5200)
    flop_rate = width * gpu_hz[-1]
    most_w = 52 * (flop_rate / 5.3e12) ** 0.6 * draw.ratio(0.75, 1.3)
    rails = next(rails for total, rails in _LAYOUTS if tuple(rails) == board.rails)
    return ForeignPhysics(
        board=board.key,
        seed=seed,
        starts_in=_START,
        cpu=_processor(draw, cores[-1], cpu_khz[-1] * 1e3, most_w),
        gpu=_graphics(draw, width, float(gpu_hz[-1]), most_w),
        dram=_dram(draw, emc_hz, flop_rate, most_w),
        thermal=_thermal(draw, most_w, cpu_khz, gpu_hz),
        rails=rails,
        total_rail=board.total,
        scatter=_scatter(draw),
        system_w=most_w * draw.ratio(0.08, 0.2),
        loss=(most_w * draw.between(0.0, 0.02), draw.between(0.04, 0.12), draw.between(0.0, 0.08) / most_w),
        kernel_spread=draw.between(0.3, 1.2),
        workload_spread=draw.between(0.1, 0.4),
        loader_cost=draw.ratio(0.5, 2.0),
        loader_spread=draw.between(0.1, 0.6),
        copy_share=draw.between(0.15, 0.6),
    )


class _Draw:
    """Random numbers for one part of one board."""

    def __init__(self, seed: int, part: str) -> None:
        self._generator = np.random.default_rng([seed, len(part), *part.encode()])

    def between(self, low: float, high: float) -> float:
        """Uniform."""
        return float(self._generator.uniform(low, high))

    def ratio(self, low: float, high: float) -> float:
        """Uniform in its logarithm."""
        return float(np.exp(self._generator.uniform(np.log(low), np.log(high))))

    def integer(self, low: int, high: int) -> int:
        """Uniform, both ends included."""
        return int(self._generator.integers(low, high + 1))

    def happens(self, chance: float) -> bool:
        """With some probability."""
        return bool(self._generator.random() < chance)


def _tables(draw: _Draw) -> tuple[Knob, ...]:
    cores = 2 * draw.integer(2, 7)
    cpu = _clocks(draw.ratio(1.4e6, 2.6e6), draw.between(0.06, 0.3), draw.integer(10, 30), 25_600)
    gpu = _clocks(draw.ratio(0.6e9, 1.6e9), draw.between(0.08, 0.3), draw.integer(5, 18), 25_500_000)
    emc = [draw.ratio(1.6e9, 4.3e9)]
    for _ in range(draw.integer(1, 4)):
        emc.append(emc[-1] * draw.between(0.35, 0.8))
    return (
        Knob("cores", "cores", tuple(range(1, cores + 1))),
        Knob("cpu_khz", "cpu", cpu),
        Knob("gpu_hz", "gpu", gpu),
        Knob("emc_hz", "emc", tuple(sorted(round(clock / 1e5) * 100_000 for clock in emc))),
    )


def _clocks(highest: float, lowest: float, count: int, step: int) -> tuple[int, ...]:
    values = np.round(np.linspace(lowest * highest, highest, count) / step) * step
    return tuple(sorted({int(value) for value in values}))


def _some(knob: Knob) -> tuple[int, ...]:
    rows = np.unique(np.round(np.linspace(0, len(knob.values) - 1, _MOST_IN_GRID[knob.name])).astype(int))
    return tuple(knob.values[row] for row in rows)


def _domain(draw: _Draw, highest_hz: float, leakage_w: float) -> Domain:
    # Rises from point to point, in any order but mostly the steeper the higher: process corners differ in that too.
    floor_v, rise_v, bend = draw.between(0.52, 0.7), draw.between(0.2, 0.5), draw.between(0.0, 1.6)
    shares = np.arange(1, _VOLTAGE_STEPS + 1) / _VOLTAGE_STEPS
    rises = shares**bend * [draw.ratio(0.5, 2.0) for _ in shares]
    volts = floor_v + rise_v * np.concatenate([[0.0], np.cumsum(rises) / rises.sum()])
    return Domain(
        highest_hz=highest_hz,
        held_at=draw.between(0.72, 0.96) if draw.happens(0.3) else 1.0,
        knee=draw.between(0.2, 0.7),
        volts=tuple(volts.tolist()),
        leakage_w=leakage_w,
        leakage_per_v=draw.between(1.0, 4.0),
    )


def _processor(draw: _Draw, cores: int, highest_hz: float, most_w: float) -> Processor:
    share_w = most_w * draw.between(0.12, 0.32)
    return Processor(
        domain=_domain(draw, highest_hz, most_w * draw.between(0.01, 0.05)),
        cores=cores,
        cluster=2 if draw.happens(0.4) else 4,
        instructions_per_cycle=draw.ratio(0.65, 1.4),
        later_speed=draw.between(0.7, 1.0) if draw.happens(0.4) else 1.0,
        misses_per_kcycle=draw.between(0.1, 1.0),
        miss_ns=draw.between(60, 130),
        miss_emc_cycles=draw.between(15, 90),
        crowding=draw.between(0.0, 0.25),
        background_ghz=draw.between(0.03, 0.25),
        launch_cost=draw.ratio(0.6, 1.8),
        launch_us=draw.between(0.0, 2.5),
        core_w=0.8 * share_w,
        idle_share=draw.between(0.02, 0.15),
        spin_share=draw.between(0.2, 0.9),
        uncore_w=0.2 * share_w,
    )


def _graphics(draw: _Draw, width: float, highest_hz: float, most_w: float) -> Graphics:
    share_w = most_w * draw.between(0.4, 0.62)
    tree, busy, active = draw.between(0.1, 0.3), draw.between(0.3, 0.6), draw.between(0.2, 0.4)
    total = tree + busy + active
    return Graphics(
        domain=_domain(draw, highest_hz, most_w * draw.between(0.02, 0.1)),
        flop_per_cycle=width,
        bytes_per_cycle=width * draw.ratio(0.025, 0.08),
        cached=draw.between(0.0, 0.35),
        exposed=draw.between(0.05, 0.7),
        exposed_bend=draw.between(1.0, 4.0),
        kernel_cycles=draw.between(3_000, 30_000),
        kernel_us=draw.between(0.5, 6.0),
        idle_w=share_w * tree / total,
        gated=draw.between(0.0, 0.7),
        busy_w=share_w * busy / total,
        active_w=share_w * active / total,
        stalled=draw.between(0.2, 0.9),
    )


def _dram(draw: _Draw, clocks_hz: tuple[int, ...], flop_rate: float, most_w: float) -> Dram:
    share_w = most_w * draw.between(0.08, 0.18)
    moving = draw.between(0.3, 0.7)
    bandwidth = flop_rate * draw.ratio(0.022, 0.05)
    efficiency = [draw.between(0.65, 0.85) * draw.between(0.93, 1.0) for _ in clocks_hz]
    running = [float(clock) for clock in clocks_hz]
    fate = draw.between(0.0, 1.0)
    if fate < 0.25:  # the highest clock is listed, and held back
        running[-1] = running[-2]
    elif fate < 0.5:  # it hardly helps, or hurts
        efficiency[-1] *= running[-2] / running[-1] * draw.between(0.92, 1.08)
    volts = np.sort([draw.between(0.75, 1.0) for _ in clocks_hz])
    return Dram(
        clocks_hz=tuple(map(float, clocks_hz)),
        running_hz=tuple(running),
        bytes_per_cycle=bandwidth / clocks_hz[-1] / 0.75,
        efficiency=tuple(efficiency),
        volts=tuple(volts.tolist()),
        clock_w=(1 - moving) * share_w,
        rest_w=most_w * draw.between(0.01, 0.04),
        pj_per_byte=moving * share_w / bandwidth * 1e12,
    )


def _thermal(draw: _Draw, most_w: float, cpu_khz: tuple[int, ...], gpu_hz: tuple[int, ...]) -> Thermal:
    return Thermal(
        resistance_c_per_w=draw.between(28, 58) / most_w,
        time_constant_s=draw.between(40, 120),
        leakage_per_c=draw.between(0.006, 0.02),
        trip_c=99,
        release_c=94,
        throttled_cpu_khz=cpu_khz[len(cpu_khz) // 2],
        throttled_gpu_hz=gpu_hz[len(gpu_hz) // 2],
    )


def _scatter(draw: _Draw) -> Scatter:
    return Scatter(
        mode=(draw.ratio(0.004, 0.02), draw.ratio(0.003, 0.01)),
        level=(draw.ratio(0.002, 0.01), draw.ratio(0.001, 0.005)),
        window=(draw.ratio(0.004, 0.015), draw.ratio(0.005, 0.015)),
    )
