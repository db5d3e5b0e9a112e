"""Whole profiles of simulated boards, without running a minibatch."""

from __future__ import annotations

import numpy as np

from lightning_powertrain.boards import Board, IntArray, PowerMode
from lightning_powertrain.profiling import Measurement, Profile, Provenance
from lightning_powertrain.profiling.signals import NOTHING, Signals
from lightning_powertrain.simulation import (
    SteadyState,
    Workload,
    load_physics,
    load_workload,
    simulated_board,
    steady_state,
)

_MINIBATCHES = 40
# Standard deviations of what counters show: of rails and CPU times relative, of the load of the GPU absolute.
_RAIL_SPREAD, _LOAD_SPREAD, _CPU_SPREAD = 0.015, 0.03, 0.03


def simulated_profile(
    board: str | Board, workload: str | Workload, modes: IntArray, seed: int | None = None, with_signals: bool = False
) -> Profile:
    """What the simulation holds for true, or what measuring it would have given.

    Args:
        board: Key of a board that can be simulated, or the board itself.
        workload: What it trains: any :class:`Workload`, or the name of one.
        modes: Which modes, shape ``(n, 4)``, columns in the order of the board's knobs.
        seed: Without one, the settled time and power of each mode, free of noise. With one, each time and power
            scatters about them as the means of windows of 40 minibatches on a :class:`SimulatedDevice` do, normal:
            by 0.6 % and 0.8 % on the calibrated boards.
        with_signals: Whether each measurement has the free signals of its window, too: rails, load of the GPU and CPU
            time of the workers, with the noise of their counters.

    Raises:
        ArgumentError: If the board cannot be simulated or the workload is unknown.

    >>> board = simulated_board("orin-agx-64gb")
    >>> profile = simulated_profile(board, "resnet18", board.modes.array[-3:])
    >>> len(profile), profile.provenance.simulated
    (3, True)
    """
    board = simulated_board(board) if isinstance(board, str) else board
    workload = load_workload(workload) if isinstance(workload, str) else workload
    physics = load_physics(board.key)
    steady = steady_state(physics, workload, modes)
    time_ms, power_w = steady.time_ms, steady.total_w
    if seed is not None:
        generator = np.random.default_rng(seed)
        time_spread, power_spread = physics.scatter.window
        time_ms = time_ms * (1 + time_spread * generator.standard_normal(len(modes)))
        power_w = power_w * (1 + power_spread * generator.standard_normal(len(modes)))
    names = [knob.name for knob in board.knobs]
    signals = _signals(steady, board, seed or 0) if with_signals else [NOTHING] * len(modes)
    measurements = tuple(
        Measurement(PowerMode(**dict(zip(names, mode))), time, power, minibatches=_MINIBATCHES, signals=shown)
        for mode, time, power, shown in zip(modes.tolist(), time_ms.tolist(), power_w.tolist(), signals)
    )
    kind = "settled values, free of noise" if seed is None else f"scattered as measured, seed {seed}"
    return Profile(
        board.knobs, Provenance(board.key, workload.name, simulated=True, details={"kind": kind}), measurements
    )


def _signals(steady: SteadyState, board: Board, seed: int) -> list[Signals]:
    """What windows would show for free, with the noise of their counters."""
    generator = np.random.default_rng([seed, 1])
    count = len(steady.time_ms)
    steps_w = np.array([rail.step_w for rail in load_physics(board.key).rails.values()])
    noise = generator.standard_normal((count, len(steps_w) + 2))
    rails_w = np.round(steady.rails_w * (1 + _RAIL_SPREAD * noise[:, 2:]) / steps_w) * steps_w
    load = np.clip(steady.busy.gpu + _LOAD_SPREAD * noise[:, 0], 0.0, 1.0)
    workers_ms = steady.busy.workers * steady.time_ms * (1 + _CPU_SPREAD * noise[:, 1])
    return [
        Signals(rails_w=dict(zip(steady.rails, rails)), gpu_load=gpu, children_ms=workers)
        for rails, gpu, workers in zip(rails_w.tolist(), load.tolist(), workers_ms.tolist())
    ]
