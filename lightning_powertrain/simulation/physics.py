"""The electrical, thermal and timing parameters of a board."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards import load_board

FloatArray = npt.NDArray[np.float64]

REFERENCE_C = 50.0
"""Temperature at which the powers in the parameters hold."""


@dataclass(frozen=True)
class Supply:
    """Voltage and leakage of a clock domain.

    Args:
        clock_mhz: Clocks of the points of the voltage curve, ascending.
        volts: Voltages of these points; between them the curve is a straight line.
        step_v: Step of the regulator: it supplies the next multiple above the curve.
        leakage_w: Leakage at 1 V and 50 C (of each cluster, for the CPU); it grows with the cube of the voltage.
    """

    clock_mhz: tuple[float, ...]
    volts: tuple[float, ...]
    step_v: float
    leakage_w: float

    def voltage(self, clock_hz: FloatArray) -> FloatArray:
        """Voltage at which the regulator stands for a clock, same shape as ``clock_hz``."""
        needed = np.interp(clock_hz / 1e6, self.clock_mhz, self.volts)
        return np.asarray(np.ceil(needed / self.step_v - 1e-9) * self.step_v, dtype=np.float64)


@dataclass(frozen=True)
class Cpu:
    """The CPU domain. Capacitances are in nF: power is ``C V^2 f``.

    Args:
        supply: Its voltage and leakage.
        cores_per_cluster: Cores that share a cache and a clock.
        misses_per_kcycle: Cache misses that reach DRAM, per thousand cycles.
        crowding: Slow-down per further busy thread in a cluster.
        background_cores: Cores that the operating system keeps busy at 1 GHz.
        core_nf: A busy core.
        idle_nf: An online core that waits.
        spin: Power of a core that spins on the GPU, relative to a busy one.
        cluster_nf: A cluster that has a core online.
    """

    supply: Supply
    cores_per_cluster: int
    misses_per_kcycle: float
    crowding: float
    background_cores: float
    core_nf: float
    idle_nf: float
    spin: float
    cluster_nf: float


@dataclass(frozen=True)
class Gpu:
    """The GPU domain. Capacitances are in nF: power is ``C V^2 f``; energies hold at 1 V.

    Args:
        supply: Its voltage and leakage.
        flop_per_cycle: Peak FP32 rate.
        bytes_per_cycle: DRAM traffic that it can ask for.
        launch_cycles: Cycles that a kernel loses while it starts and ends, with the units not yet or no longer full.
        overlap_loss: Share of the shorter of computing and DRAM traffic that does not hide behind the longer.
        clock_nf: The clock tree, always.
        busy_nf: A GPU that runs a kernel, whatever it does.
        stalled: Power of a GPU that waits for DRAM, relative to that.
        pj_per_flop: Energy of a FLOP.
        pj_per_byte: Energy of moving a byte between DRAM and the GPU's units.
    """

    supply: Supply
    flop_per_cycle: float
    bytes_per_cycle: float
    launch_cycles: float
    overlap_loss: float
    clock_nf: float
    busy_nf: float
    stalled: float
    pj_per_flop: float
    pj_per_byte: float


@dataclass(frozen=True)
class Memory:
    """DRAM and its controller.

    Args:
        bytes_per_cycle: Width times data rate: peak bandwidth is this times the EMC clock.
        efficiency: Share of the peak that real traffic reaches.
        latency_ns: Part of the latency of a miss that no clock changes.
        latency_cycles: Part of it that is counted in EMC cycles.
        controller_w: Controller at rest, on the SoC rail.
        controller_w_per_ghz: Controller, per GHz of EMC clock.
        controller_pj_per_byte: Controller, per byte.
        dram_w: DRAM at rest.
        dram_w_per_ghz: DRAM, per GHz of EMC clock.
        dram_pj_per_byte: DRAM, per byte.
    """

    bytes_per_cycle: float
    efficiency: float
    latency_ns: float
    latency_cycles: float
    controller_w: float
    controller_w_per_ghz: float
    controller_pj_per_byte: float
    dram_w: float
    dram_w_per_ghz: float
    dram_pj_per_byte: float


@dataclass(frozen=True)
class Thermal:
    """One heat capacity, one resistance, one trip.

    Args:
        resistance_c_per_w: From the die to the air.
        time_constant_s: Of the heat sink.
        leakage_per_c: Relative growth of leakage per degree.
        trip_c: Where software throttling begins.
        release_c: Where it ends.
        throttled_cpu_khz: Highest CPU clock while throttling.
        throttled_gpu_hz: Highest GPU clock while throttling.
    """

    resistance_c_per_w: float
    time_constant_s: float
    leakage_per_c: float
    trip_c: float
    release_c: float
    throttled_cpu_khz: int
    throttled_gpu_hz: int

    def settled_c(self, reference_w: FloatArray, w_per_c: FloatArray, ambient_c: float) -> FloatArray:
        """Temperature where heat in equals heat out, for a power of ``reference_w`` at 50 C, ``w_per_c`` per degree."""
        loop_gain = self.resistance_c_per_w * w_per_c
        return (ambient_c + self.resistance_c_per_w * (reference_w - w_per_c * REFERENCE_C)) / (1 - loop_gain)


@dataclass(frozen=True)
class Rail:
    """A power rail that has a sensor.

    Args:
        feeds: What it feeds: some of ``gpu``, ``cpu``, ``soc``, ``dram``, ``system``, ``vision`` (which is off).
        step_w: Step of its sensor.
    """

    feeds: tuple[str, ...]
    step_w: float


@dataclass(frozen=True)
class Scatter:
    """How modes and measurements deviate from what physics alone would give: relative, of time and of power.

    Args:
        mode: Of each mode, always the same.
        level: Of all modes in which a knob has the same value, always the same.
        window: Of the mean of a window of 40 minibatches.
    """

    mode: tuple[float, float] = (0.01, 0.005)
    level: tuple[float, float] = (0.0, 0.0)
    window: tuple[float, float] = (0.006, 0.008)


@dataclass(frozen=True)
class BoardPhysics:
    """Everything that the simulation knows of a board.

    Args:
        board: Key of the board in the catalogue.
        starts_in: The stock preset in which all GPU clusters are on.
        cpu: The CPU domain.
        gpu: The GPU domain.
        memory: DRAM and its controller.
        thermal: How it warms.
        rails: Its rails, by name.
        system_w: Everything else, at rest.
        system_w_per_w: Everything else, per watt of the other domains: conversion on the module.
        regulator_efficiency: Of the regulators between sensor and domain, at light load.
        conduction_loss_per_w: Their further loss, relative to the load, per watt of load.
        scatter: How modes and measurements scatter.
    """

    board: str
    starts_in: str
    cpu: Cpu
    gpu: Gpu
    memory: Memory
    thermal: Thermal
    rails: Mapping[str, Rail]
    system_w: float
    system_w_per_w: float
    regulator_efficiency: float
    conduction_loss_per_w: float
    scatter: Scatter = Scatter()

    def total(self, rails_w: FloatArray) -> FloatArray:
        """Power of the module from that of its rails, shape ``(..., rails)`` to ``(...)``: one of them, or all."""
        total = load_board(self.board).total
        return rails_w.sum(axis=-1) if total == "sum" else rails_w[..., list(self.rails).index(total)]
