"""Time and power of a workload in any number of power modes, once everything has settled."""

from __future__ import annotations

from dataclasses import dataclass
from zlib import crc32

import numpy as np
import numpy.typing as npt

from lightning_powertrain.boards import IntArray
from lightning_powertrain.simulation import power, timing
from lightning_powertrain.simulation.busy import Busy, busy
from lightning_powertrain.simulation.foreign import ForeignPhysics, foreign_activity, foreign_rails
from lightning_powertrain.simulation.physics import REFERENCE_C, BoardPhysics, FloatArray
from lightning_powertrain.simulation.timing import Activity, Clocks
from lightning_powertrain.simulation.workload import Workload

ROOM_C = 25.0
"""Temperature of the air around a board, unless said otherwise."""


@dataclass(frozen=True)
class SteadyState:
    """Time and power of a workload in ``n`` modes.

    Args:
        time_ms: Time of a minibatch, shape ``(n,)``.
        ready_ms: What it would be if the data loader always kept up, shape ``(n,)``.
        loading_ms: Part of :attr:`ready_ms` in which the main thread loads data itself, shape ``(n,)``.
        rails: Names of the rails.
        rails_w: Power of each rail, shape ``(n, len(rails))``.
        total_w: Power of the module, shape ``(n,)``.
        rails_w_per_c: Growth of :attr:`rails_w` per degree, by leakage.
        total_w_per_c: Growth of :attr:`total_w` per degree.
        temperature_c: The temperature at which all this holds, shape ``(n,)``.
        busy: How busy the board is.
    """

    time_ms: FloatArray
    ready_ms: FloatArray
    loading_ms: FloatArray
    rails: tuple[str, ...]
    rails_w: FloatArray
    total_w: FloatArray
    rails_w_per_c: FloatArray
    total_w_per_c: FloatArray
    temperature_c: FloatArray
    busy: Busy


def steady_state(
    physics: BoardPhysics | ForeignPhysics,
    workload: Workload | None,
    modes: IntArray,
    temperature_c: float | None = None,
    ambient_c: float = ROOM_C,
) -> SteadyState:
    """Time and power of a workload, mode by mode.

    Args:
        physics: The board.
        workload: What it runs; ``None`` for an idle board, whose times mean nothing.
        modes: Shape ``(n, 4)``: cores, CPU kHz, GPU Hz, EMC Hz.
        temperature_c: Of the die; ``None`` for the one that each mode settles at.
        ambient_c: Of the air, for that.

    Throttling is left out: a mode that would settle above the trip is given as if it did not.
    """
    clocks = timing.Clocks.of(modes)
    if isinstance(physics, ForeignPhysics):
        clocks = physics.running(clocks)
    activity, rails_w, rails_w_per_c = _at_reference(physics, workload, clocks)
    name = "idle" if workload is None else workload.name
    time_factor, power_factor = (
        1 + _deviation(modes, f"{physics.board} {name} {target}", mode, level)
        for target, mode, level in zip(("time", "power"), physics.scatter.mode, physics.scatter.level)
    )
    rails_w, rails_w_per_c = rails_w * power_factor[:, None], rails_w_per_c * power_factor[:, None]

    total_w, total_w_per_c = physics.total(rails_w), physics.total(rails_w_per_c)
    if temperature_c is None:
        settled_c = physics.thermal.settled_c(total_w, total_w_per_c, ambient_c)
    else:
        settled_c = np.full(len(modes), float(temperature_c))
    above_c = settled_c - REFERENCE_C
    return SteadyState(
        time_ms=activity.period_s * time_factor * 1e3,
        ready_ms=activity.ready_s * time_factor * 1e3,
        loading_ms=activity.loading_s * time_factor * 1e3,
        rails=tuple(physics.rails),
        rails_w=rails_w + rails_w_per_c * above_c[:, None],
        total_w=total_w + total_w_per_c * above_c,
        rails_w_per_c=rails_w_per_c,
        total_w_per_c=total_w_per_c,
        temperature_c=settled_c,
        busy=busy(physics, workload, clocks, activity),
    )


def _at_reference(
    physics: BoardPhysics | ForeignPhysics, workload: Workload | None, clocks: Clocks
) -> tuple[Activity, FloatArray, FloatArray]:
    """What happens in a minibatch; power of each rail at 50 C (W), and its growth per degree (W/C)."""
    if isinstance(physics, ForeignPhysics):
        activity = power.idle(clocks) if workload is None else foreign_activity(physics, workload, clocks)
        return (activity, *foreign_rails(physics, workload, clocks, activity))
    activity = power.idle(clocks) if workload is None else timing.run(physics, workload, clocks)
    return (activity, *power.rails_at_reference(physics, workload, clocks, activity))


def _deviation(modes: IntArray, salt: str, mode: float, level: float) -> FloatArray:
    """What each mode is off by, relative, with standard deviations for each mode and for each level of a knob."""
    deviation = mode * _hashed_normal(modes, salt)
    if level:
        for knob, column in enumerate(modes.T):
            deviation = deviation + level * _hashed_normal(column[:, None], f"{salt} {knob}")
    return deviation


def _hashed_normal(modes: IntArray, salt: str) -> FloatArray:
    """One number per mode that looks normal with standard deviation 1, and is the same in every run.

    No two settings of a real board are quite alike: arbiters, thread placement and regulators have their own mind.
    """
    state = np.full(len(modes), crc32(salt.encode()), dtype=np.uint64)
    for column in modes.T:
        state = _mix(state ^ column.astype(np.uint64))
    lanes = [(state >> np.uint64(16 * lane) & np.uint64(0xFFFF)).astype(np.float64) for lane in range(4)]
    return np.asarray((np.sum(lanes, axis=0) / 65535 - 2) * np.sqrt(3), dtype=np.float64)


def _mix(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014): every bit of the input changes half of the output."""
    state = state + np.uint64(0x9E3779B97F4A7C15)
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(state ^ (state >> np.uint64(31)), dtype=np.uint64)
