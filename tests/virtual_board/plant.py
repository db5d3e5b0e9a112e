"""What a virtual board draws: the simulation's physics on the wall clock, or a crude stand-in where there are none.

Boards that the simulation knows (Orin AGX, Orin Nano, AGX Xavier) draw what it computes for ResNet-18, between idle and
busy by the load. The others (Orin NX, TX2, Thor) draw a made-up sum: so many watts at rest, and so many for each clock
domain at its maximum, growing with the square of the clock. Nothing about those figures resembles a measurement.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np

from lightning_powertrain.simulation import (
    REFERENCE_C,
    ROOM_C,
    Draw,
    SlowState,
    load_physics,
    load_workload,
    simulated_board_names,
    steady_state,
)
from lightning_powertrain.simulation.physics import Thermal


@dataclass(frozen=True)
class Clocks:
    """What runs: cores online, and the frequencies, each also as a share of its maximum."""

    cores: int
    cpu_khz: int
    gpu_hz: int
    emc_hz: int
    shares: tuple[float, float, float]


class Physics(Protocol):
    """Power of the rails, as a function of what runs and of the load."""

    rails: tuple[str, ...]
    thermal: Thermal

    def draw(self, clocks: Clocks, load: float) -> Draw: ...


class SimulatedPhysics:
    """The physics of a board that the simulation knows."""

    def __init__(self, board: str) -> None:
        self._physics = load_physics(board)
        self._workload = load_workload("resnet18")
        self.rails = tuple(self._physics.rails)
        self.thermal = self._physics.thermal
        self._at_reference = lru_cache(maxsize=1024)(self._computed)

    def draw(self, clocks: Clocks, load: float) -> Draw:
        mode = (clocks.cores, clocks.cpu_khz, clocks.gpu_hz, clocks.emc_hz)
        idle, busy = self._at_reference(mode, False), self._at_reference(mode, True)
        return Draw(
            idle.rails_w + load * (busy.rails_w - idle.rails_w),
            idle.rails_w_per_c + load * (busy.rails_w_per_c - idle.rails_w_per_c),
            idle.total_w + load * (busy.total_w - idle.total_w),
            idle.total_w_per_c + load * (busy.total_w_per_c - idle.total_w_per_c),
        )

    def _computed(self, mode: tuple[int, ...], busy: bool) -> Draw:
        rows = np.array([mode], dtype=np.int64)
        state = steady_state(self._physics, self._workload if busy else None, rows, REFERENCE_C)
        return Draw(state.rails_w[0], state.rails_w_per_c[0], float(state.total_w[0]), float(state.total_w_per_c[0]))


class StandInPhysics:
    """Made-up figures for a board that the simulation does not know.

    Args:
        rails: Of each rail: watts at rest, and at most for CPU, GPU and EMC.
        total: The rail that carries all the others.
        resistance_c_per_w: From the die to the air.
    """

    def __init__(
        self, rails: Mapping[str, tuple[float, float, float, float]], total: str, resistance_c_per_w: float
    ) -> None:
        self.thermal = Thermal(resistance_c_per_w, 60.0, 0.01, 99.0, 94.0, 1113600, 522750000)
        self.rails = tuple(rails)
        self._shares = np.array(list(rails.values()))
        self._total = self.rails.index(total)

    def draw(self, clocks: Clocks, load: float) -> Draw:
        cpu, gpu, emc = (share**2 for share in clocks.shares)
        rails_w = self._shares @ np.array([1.0, cpu * load, gpu * load, emc * (0.5 + 0.5 * load)])
        rails_w_per_c = 0.001 * rails_w
        return Draw(rails_w, rails_w_per_c, float(rails_w[self._total]), float(rails_w_per_c[self._total]))


_STAND_INS = {
    "orin-nx-16gb": StandInPhysics(
        {"VDD_IN": (4.5, 6.0, 9.0, 3.0), "VDD_CPU_GPU_CV": (0.8, 5.5, 8.5, 0.0), "VDD_SOC": (1.5, 0.2, 0.2, 2.0)},
        "VDD_IN",
        1.2,
    ),
    "tx2": StandInPhysics(
        {
            "VDD_IN": (3.0, 5.5, 7.0, 2.0),
            "VDD_SYS_GPU": (0.2, 0.0, 6.5, 0.0),
            "VDD_SYS_CPU": (0.4, 5.0, 0.0, 0.0),
            "VDD_SYS_SOC": (0.6, 0.1, 0.1, 0.4),
            "VDD_SYS_DDR": (0.4, 0.2, 0.3, 1.5),
            "VDD_4V0_WIFI": (0.1, 0.0, 0.0, 0.0),
            "VDD_MUX": (5.0, 5.7, 7.2, 2.1),
            "VDD_5V0_IO_SYS": (1.0, 0.0, 0.0, 0.0),
            "VDD_3V3_SYS": (0.5, 0.0, 0.0, 0.0),
        },
        "VDD_IN",
        1.5,
    ),
    "thor": StandInPhysics(
        {
            "VIN": (22.0, 28.0, 70.0, 16.0),
            "VDD_GPU": (3.0, 0.0, 62.0, 0.0),
            "VDD_CPU_SOC_MSS": (8.0, 24.0, 1.0, 12.0),
            "VIN_SYS_5V0": (6.0, 0.5, 1.0, 2.0),
        },
        "VIN",
        0.35,
    ),
}


def physics_of(board: str) -> Physics:
    """The physics of a board of the catalogue; the software on it makes no difference."""
    board = re.sub("-jp6$", "", board)
    return SimulatedPhysics(board) if board in simulated_board_names() else _STAND_INS[board]


class Plant:
    """Rails and temperature as time passes, brought up to date when somebody asks.

    Args:
        physics: What the board draws.
        clocks: What runs at the start; the board has run it for long.
        load: The load, from 0 to 1.
        now: The time in seconds.
    """

    def __init__(self, physics: Physics, clocks: Clocks, load: float, now: Callable[[], float]) -> None:
        self.rails = physics.rails
        self.thermal = physics.thermal
        self.held_c: float | None = None
        self._physics = physics
        self._now = now
        self._at_s = now()
        self._draw = draw = physics.draw(clocks, load)
        warm_c = float(physics.thermal.settled_c(np.float64(draw.total_w), np.float64(draw.total_w_per_c), ROOM_C))
        self._slow = SlowState(physics.thermal, ROOM_C, warm_c, draw.rails_at(warm_c))

    def catch_up(self) -> None:
        """Let the time pass that has passed."""
        now_s = self._now()
        if self.held_c is not None:
            self._slow.temperature_c = self.held_c
        self._slow.advance(now_s - self._at_s, self._draw)
        if self.held_c is not None:
            self._slow.temperature_c = self.held_c
        self._at_s = now_s

    def run(self, clocks: Clocks, load: float) -> None:
        """From now on, run this."""
        self.catch_up()
        self._draw = self._physics.draw(clocks, load)

    def shown_w(self, rail: str) -> float:
        """Power of a rail as its filtered sensor shows it."""
        self.catch_up()
        return float(self._slow.shown_w[self.rails.index(rail)])

    @property
    def temperature_c(self) -> float:
        self.catch_up()
        return float(self._slow.temperature_c)
