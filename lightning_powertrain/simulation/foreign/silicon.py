"""The parameters of a foreign board: what its silicon can do, and what it draws."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lightning_powertrain.simulation.physics import FloatArray, Rail, Scatter, Thermal
from lightning_powertrain.simulation.timing import Clocks

_STEP_V = 0.01


@dataclass(frozen=True)
class Domain:
    """A clock domain: its clock as it really is, and the voltage and leakage that go with that.

    Args:
        highest_hz: Highest clock of its table.
        held_at: Share of that clock above which the domain never runs, whatever is set; 1 if none.
        knee: Share of the highest clock up to which the voltage stands still.
        volts: Voltage at the knee and at clocks from there to the highest, equally far apart.
        leakage_w: Leakage at the highest voltage and 50 C.
        leakage_per_v: Growth of the logarithm of the leakage per volt.
    """

    highest_hz: float
    held_at: float
    knee: float
    volts: tuple[float, ...]
    leakage_w: float
    leakage_per_v: float

    def running(self, clock_hz: FloatArray) -> FloatArray:
        """The clock at which the domain runs when ``clock_hz`` is set."""
        return np.minimum(clock_hz, self.held_at * self.highest_hz)

    def voltage(self, clock_hz: FloatArray) -> FloatArray:
        """Voltage at a clock at which it runs: the next step of the regulator above the curve."""
        points = np.linspace(self.knee, 1.0, len(self.volts))
        needed = np.interp(clock_hz / self.highest_hz, points, self.volts)
        return np.asarray(np.ceil(needed / _STEP_V - 1e-9) * _STEP_V, dtype=np.float64)

    def leakage(self, clock_hz: FloatArray) -> FloatArray:
        """Leakage at 50 C."""
        volts, top_v = self.voltage(clock_hz), self.volts[-1]
        return self.leakage_w * volts / top_v * np.exp(self.leakage_per_v * (volts - top_v))

    def switching(self, clock_hz: FloatArray) -> FloatArray:
        """``V^2 f``, relative to what it would be at the highest clock of the table."""
        return (self.voltage(clock_hz) / self.volts[-1]) ** 2 * clock_hz / self.highest_hz


@dataclass(frozen=True)
class Processor:
    """The CPU.

    Args:
        domain: Its clock, voltage and leakage (of all clusters).
        cores: How many there are.
        cluster: Cores in a cluster; a cluster is off when all its cores are.
        instructions_per_cycle: Relative to the CPU for which the workloads count cycles.
        later_speed: Speed of the cores of all clusters but the first, relative to the first's.
        misses_per_kcycle: Cache misses that reach DRAM, per thousand cycles.
        miss_ns: Latency of a miss that no clock changes.
        miss_emc_cycles: Latency of a miss in EMC cycles.
        crowding: Slow-down of the cores of a cluster when all of them are busy.
        background_ghz: What the operating system keeps busy.
        launch_cost: Cycles of a launch, relative to those that the workloads count.
        launch_us: Time of a launch that no clock changes.
        core_w: All cores busy, at the highest clock.
        idle_share: Power of a core that waits, relative to a busy one.
        spin_share: Power of a core that spins on the GPU, relative to a busy one.
        uncore_w: All clusters, at the highest clock.
    """

    domain: Domain
    cores: int
    cluster: int
    instructions_per_cycle: float
    later_speed: float
    misses_per_kcycle: float
    miss_ns: float
    miss_emc_cycles: float
    crowding: float
    background_ghz: float
    launch_cost: float
    launch_us: float
    core_w: float
    idle_share: float
    spin_share: float
    uncore_w: float


@dataclass(frozen=True)
class Graphics:
    """The GPU.

    Args:
        domain: Its clock, voltage and leakage.
        flop_per_cycle: Peak rate.
        bytes_per_cycle: DRAM traffic that it can ask for.
        cached: Share of the traffic that the system cache absorbs; its bandwidth goes with the GPU clock.
        exposed: By how much kernels are slower whose computing and traffic take equally long.
        exposed_bend: How fast that falls as one of the two takes longer.
        kernel_cycles: Cycles lost by each kernel.
        kernel_us: Time lost by each kernel that no clock changes.
        idle_w: Its clock tree, at the highest clock.
        gated: Share of that which stops while no kernel runs.
        busy_w: Further power of one that computes at its peak.
        active_w: Further power of one that runs any kernel.
        stalled: Share of the latter while it waits for DRAM.
    """

    domain: Domain
    flop_per_cycle: float
    bytes_per_cycle: float
    cached: float
    exposed: float
    exposed_bend: float
    kernel_cycles: float
    kernel_us: float
    idle_w: float
    gated: float
    busy_w: float
    active_w: float
    stalled: float


@dataclass(frozen=True)
class Dram:
    """Memory.

    Args:
        clocks_hz: Clocks of its table.
        running_hz: Clock at which it really runs, for each.
        bytes_per_cycle: Peak bandwidth is this times the clock.
        efficiency: Share of the peak that traffic reaches at each clock: training of the interface differs.
        volts: Voltage at each clock.
        clock_w: Interface and controller at the highest clock.
        rest_w: At rest.
        pj_per_byte: Of traffic.
    """

    clocks_hz: tuple[float, ...]
    running_hz: tuple[float, ...]
    bytes_per_cycle: float
    efficiency: tuple[float, ...]
    volts: tuple[float, ...]
    clock_w: float
    rest_w: float
    pj_per_byte: float

    def at(self, clock_hz: FloatArray, values: tuple[float, ...]) -> FloatArray:
        """The value that goes with a clock of the table."""
        return np.asarray(values, dtype=np.float64)[np.searchsorted(self.clocks_hz, clock_hz)]


@dataclass(frozen=True, eq=False)
class ForeignPhysics:
    """Everything that the simulation knows of a foreign board.

    Args:
        board: Its name.
        seed: That it was drawn from.
        starts_in: The preset in which a job starts.
        cpu: The CPU.
        gpu: The GPU.
        dram: Memory.
        thermal: How it warms.
        rails: Its rails, by name.
        total_rail: The rail that carries the whole module, or ``"sum"``.
        scatter: How modes and measurements scatter.
        system_w: Everything else.
        loss: Of the regulators: constant (W), relative, and relative per watt.
        kernel_spread: Spread of the logarithm of what a kernel needs, about what its group needs in the mean.
        workload_spread: Spread of the logarithm of what a kernel group needs here, about what the workload says.
        loader_cost: Cycles of a data loader's worker, relative to those that the workloads count.
        loader_spread: Relative scatter of the time of one minibatch in a worker.
        copy_share: Share of the DRAM bandwidth that a worker can use.
    """

    board: str
    seed: int
    starts_in: str
    cpu: Processor
    gpu: Graphics
    dram: Dram
    thermal: Thermal
    rails: dict[str, Rail]
    total_rail: str
    scatter: Scatter
    system_w: float
    loss: tuple[float, float, float]
    kernel_spread: float
    workload_spread: float
    loader_cost: float
    loader_spread: float
    copy_share: float

    def total(self, rails_w: FloatArray) -> FloatArray:
        """Power of the module from that of its rails, shape ``(..., rails)`` to ``(...)``."""
        if self.total_rail == "sum":
            return np.asarray(rails_w.sum(axis=-1), dtype=np.float64)
        return np.asarray(rails_w[..., list(self.rails).index(self.total_rail)], dtype=np.float64)

    def running(self, clocks: Clocks) -> Clocks:
        """The clocks at which the board runs when others are set."""
        return Clocks(
            clocks.cores,
            self.cpu.domain.running(clocks.cpu_hz),
            self.gpu.domain.running(clocks.gpu_hz),
            self.dram.at(clocks.emc_hz, self.dram.running_hz),
        )
