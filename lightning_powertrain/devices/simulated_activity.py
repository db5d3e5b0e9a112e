"""How busy a simulated board says it is: counters of CPU time, and a load that lags and scatters."""

from __future__ import annotations

from math import exp

import numpy as np

from lightning_powertrain.devices.activity import CpuTimes, Load
from lightning_powertrain.simulation import Busy

_TICK_S = 0.01
"""The kernel counts CPU time of cores and of other processes in steps of this."""
_LAG_S = 0.1
"""Time constant with which the load follows what the GPU does."""
_LOAD_SPREAD, _LOAD_STEP = 0.15, 0.001
"""One reading of the load covers some milliseconds of a minibatch: a busy part, an idle part, or some of both."""
_EMC_SPREAD, _EMC_STEP_HZ = 0.05, 1e3
_VISIT_SPREAD = 0.02
"""CPU time of a minibatch differs from one visit of a mode to the next by this, relative."""


class SimulatedActivity:
    """What the counters of a simulated board show, moved from one event to the next.

    Args:
        generator: Of all scatter.
    """

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator
        self._cores_s: dict[int, float] = {}
        self._process_s = self._children_s = 0.0
        self._gpu = self._emc_hz = 0.0
        self._online = 0
        self._visit = 1.0

    def enter(self, cores: int) -> None:
        """A mode with so many cores begins."""
        self._online = cores
        self._visit = 1 + _VISIT_SPREAD * float(self._generator.standard_normal())

    def advance(self, seconds: float, busy: Busy) -> None:
        """Let ``seconds`` pass in which the board is as busy as this."""
        if seconds <= 0:
            return
        process, workers = self._visit * float(busy.process[0]), self._visit * float(busy.workers[0])
        self._process_s += process * seconds
        self._children_s += workers * seconds
        for core, share in enumerate(_placed(process, workers + float(busy.system[0]), self._online)):
            self._cores_s[core] = self._cores_s.get(core, 0.0) + share * seconds
        passed = 1 - exp(-seconds / _LAG_S)
        self._gpu += passed * (float(busy.gpu[0]) - self._gpu)
        self._emc_hz += passed * (float(busy.emc_active_hz[0]) - self._emc_hz)

    def load(self) -> Load:
        """One reading of the load."""
        gpu, emc = self._generator.standard_normal(2).tolist()
        # A GPU that is always busy, or never, reads the same each time.
        shown = self._gpu + _LOAD_SPREAD * gpu * 4 * self._gpu * (1 - self._gpu)
        emc_hz = max(0.0, self._emc_hz * (1 + _EMC_SPREAD * emc))
        return Load(
            round(min(max(shown, 0.0), 1.0) / _LOAD_STEP) * _LOAD_STEP, round(emc_hz / _EMC_STEP_HZ) * _EMC_STEP_HZ
        )

    def cpu_times(self) -> CpuTimes:
        """The counters of CPU time."""
        cores_s = {core: _ticks(self._cores_s.get(core, 0.0)) for core in range(self._online)}
        return CpuTimes(cores_s, self._process_s, _ticks(self._children_s))


def _placed(main: float, others: float, cores: int) -> list[float]:
    """Shares of the cores: the main thread has the first one, as far as it goes; the others share what is left."""
    first = min(main, 1.0)
    rest = main - first + others
    if cores == 1:
        return [min(1.0, first + rest)]
    # An even level for all cores; where the first is above it already, the others take everything.
    level = min((first + rest) / cores, 1.0)
    if first >= level:
        return [first, *[min(rest / (cores - 1), 1.0)] * (cores - 1)]
    return [level] * cores


def _ticks(seconds: float) -> float:
    return int(seconds / _TICK_S) * _TICK_S
