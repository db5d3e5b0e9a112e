"""A board that is not there: it behaves like one, on a clock that runs as fast as the computer can."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache

import numpy as np

from lightning_powertrain.boards import Board, PowerMode
from lightning_powertrain.devices.activity import CpuTimes, Load
from lightning_powertrain.devices.clock import VirtualClock
from lightning_powertrain.devices.computing import ComputingCost
from lightning_powertrain.devices.device import BaseDevice
from lightning_powertrain.devices.power_source import Health, PowerReading
from lightning_powertrain.devices.simulated_activity import SimulatedActivity
from lightning_powertrain.simulation import (
    REFERENCE_C,
    ROOM_C,
    Busy,
    Draw,
    Pace,
    SlowState,
    SteadyState,
    Workload,
    load_physics,
    load_workload,
    simulated_board,
    steady_state,
)

_READING_SPREAD = 0.004
# Time that computing takes is added up to at least this before the clock moves.
_LEAST_CHARGE_S = 0.01

COMPUTING = ComputingCost()
"""What computing costs boards for which nothing else is said."""


class SimulatedDevice(BaseDevice):
    """A simulated board that trains a simulated workload; every figure that it gives is simulated.

    Time passes only when a minibatch ends, and while somebody computes under :meth:`computing`. Between two events
    nothing changes but the temperature and the sensors, which are brought up to date, in closed form, when somebody
    asks. Until the first event the board has been idle.

    Args:
        board: Key of a board that can be simulated, ``foreign-SEED`` for one drawn at random, or the board itself.
        workload: What it trains: any :class:`Workload`, or the name of one.
        seed: Of all scatter. Equal seeds and equal calls give equal figures, where computing costs nothing.
        ambient_c: Temperature of the air around the board.
        computing: What computing costs; by default three times the CPU seconds of this computer, and more in modes
            with a slow CPU.

    Raises:
        ArgumentError: If the board cannot be simulated or the workload is unknown.

    >>> device = SimulatedDevice("orin-agx-64gb")
    >>> device.minibatch_ended()
    >>> print(device.current_mode())
    12 cores, cpu 1497.6 MHz, gpu 726.75 MHz, emc 3199 MHz
    """

    simulated = True

    def __init__(
        self,
        board: str | Board,
        workload: str | Workload = "resnet18",
        seed: int = 0,
        ambient_c: float = ROOM_C,
        computing: ComputingCost | None = None,
    ) -> None:
        self.board = simulated_board(board) if isinstance(board, str) else board
        self._physics = load_physics(self.board.key)
        self.clock: VirtualClock = VirtualClock()
        self._workload = _as_workload(workload)
        times, readings, counters = np.random.SeedSequence(seed).spawn(3)
        self._pace = Pace(np.random.default_rng(times))
        self._readings = np.random.default_rng(readings)
        self._activity = SimulatedActivity(np.random.default_rng(counters))
        self._steps_w = np.array([rail.step_w for rail in self._physics.rails.values()])

        self._computing = COMPUTING if computing is None else computing
        self._computed_until_s: float | None = None
        self._owed_s = 0.0

        self._mode = self.board.preset(self._physics.starts_in)
        self._saved: PowerMode | None = None
        self._throttled = False
        idle = steady_state(self._physics, None, self.modes.rows([self._mode]), None, ambient_c)
        self._slow = SlowState(self._physics.thermal, ambient_c, float(idle.temperature_c[0]), idle.rails_w[0])
        self._at_s = 0.0
        self._waited_s = 0.0
        self._draw: Draw
        self._busy: Busy
        self._settle()

    @property
    def workload(self) -> Workload:
        """What the board trains; may be set, to a workload or the name of one."""
        return self._workload

    @workload.setter
    def workload(self, workload: str | Workload) -> None:
        self._catch_up()
        self._workload = _as_workload(workload)
        self._settle()

    @property
    def temperature_c(self) -> float:
        """Temperature of the die now."""
        self._catch_up()
        return self._slow.temperature_c

    @property
    def throttled(self) -> bool:
        """Whether the board is too hot, and slower than :meth:`current_mode` says."""
        self._catch_up()
        return self._throttled

    def current_mode(self) -> PowerMode:
        return self._mode

    def apply(self, mode: Mapping[str, int]) -> PowerMode:
        self.modes.index(mode)
        if mode != self._mode:
            self._charge()
            self._catch_up()
            cores_changed = abs(mode["cores"] - self._mode["cores"])
            self._mode = PowerMode(**{name: mode[name] for name in self.modes.names})
            steady = self._enter()
            ready_s, time_s, loading_s = _seconds(steady)
            self._pace.switch(ready_s, time_s, self._workload.prefetched, cores_changed, loading_s)
            self._forgive()
        return self._mode

    def read_power(self) -> PowerReading:
        """Power as the sensors show it: filtered, scattered a little by the load, in the steps of each sensor."""
        self._catch_up()
        scatter = 1 + _READING_SPREAD * self._readings.standard_normal(len(self._steps_w))
        shown_w = np.round(np.round(self._slow.shown_w * scatter / self._steps_w) * self._steps_w, 3)
        return PowerReading(float(self._physics.total(shown_w)), dict(zip(self._physics.rails, shown_w.tolist())))

    def read_load(self) -> Load:
        self._catch_up()
        return self._activity.load()

    def read_cpu_times(self) -> CpuTimes:
        self._catch_up()
        return self._activity.cpu_times()

    def health(self) -> Health:
        throttled_by = ("simulated-throttle",) if self.throttled else ()
        return Health(throttled_by, temperature_c=self.temperature_c)

    def snapshot(self) -> None:
        self._saved = self._saved or self._mode

    def restore(self) -> None:
        if self._saved is not None:
            self.apply(self._saved)
            self._saved = None

    def minibatch_started(self) -> None:
        """Let the time pass for which the next minibatch waits for its data; :meth:`minibatch_ended` adds the rest."""
        if not self._waited_s:
            self._waited_s = self._pace.next_wait_s()
            self.clock.advance(self._waited_s)

    def minibatch_ended(self) -> None:
        """Let the time of one minibatch pass."""
        if self._heat_matters:
            self._catch_up()
        waited_s, self._waited_s = self._waited_s, 0.0
        self.clock.advance(max(self._pace.next_s() - waited_s, 0.0))

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Let the time pass that one core of the board takes for what the body computes; training waits for it.

        What is computed before :meth:`apply` counts in the mode before. What the simulation itself computes is free.
        May be nested: the clock is right at both ends of each.
        """
        is_nested = self._computed_until_s is not None
        self._charge()
        self._computed_until_s = self._computing.cpu_s()
        try:
            yield
        finally:
            self._charge()
            if not is_nested:
                self._computed_until_s = None

    def _charge(self) -> None:
        if self._computed_until_s is None:
            return
        spent_s = self._computing.cpu_s() - self._computed_until_s
        self._owed_s += self._computing.seconds(spent_s, self.modes, self._mode)
        if self._owed_s >= _LEAST_CHARGE_S:
            owed_s, self._owed_s = self._owed_s, 0.0
            self.wait(owed_s)
        self._forgive()

    def _forgive(self) -> None:
        """What was computed since the last charge was the simulation itself."""
        if self._computed_until_s is not None:
            self._computed_until_s = self._computing.cpu_s()

    def wait(self, seconds: float) -> None:
        """Let time pass in which the board waits for others, and draws what an idle board draws in this mode."""
        self._catch_up()
        working, throttled = (self._draw, self._busy), self._throttled
        idle = _steady_at_reference(self._physics.board, None, tuple(self._mode.values()))
        self._draw, self._busy = _draw(idle), idle.busy
        self.clock.advance(seconds)
        self._catch_up()
        if self._throttled == throttled:  # Otherwise the board has entered another state already.
            self._draw, self._busy = working

    def _settle(self) -> None:
        ready_s, time_s, loading_s = _seconds(self._enter())
        self._pace.settle(ready_s, time_s, self._workload.prefetched, loading_s)

    def _enter(self) -> SteadyState:
        """Begin a stretch of time in which nothing changes but the temperature."""
        thermal = self._physics.thermal
        mode = self._mode
        if self._throttled:
            caps = {"cpu_khz": thermal.throttled_cpu_khz, "gpu_hz": thermal.throttled_gpu_hz}
            mode = self.modes.at_most({name: min(value, caps.get(name, value)) for name, value in mode.items()})
        steady = _steady_at_reference(self._physics.board, self._workload, tuple(mode.values()))
        self._draw, self._busy = _draw(steady), steady.busy
        self._activity.enter(mode["cores"])
        self._heat_matters = self._throttled or self._slow.settled_c(self._draw) > thermal.trip_c
        return steady

    def _catch_up(self) -> None:
        """Bring temperature and sensors to the present, and see whether it is too hot."""
        now_s = self.clock.now()
        self._slow.advance(now_s - self._at_s, self._draw)
        self._activity.advance(now_s - self._at_s, self._busy)
        self._at_s = now_s
        thermal = self._physics.thermal
        too_hot = self._slow.temperature_c > (thermal.release_c if self._throttled else thermal.trip_c)
        if too_hot != self._throttled:
            self._throttled = too_hot
            self._settle()


@lru_cache(maxsize=1 << 14)
def _steady_at_reference(board: str, workload: Workload | None, mode: tuple[int, ...]) -> SteadyState:
    return steady_state(load_physics(board), workload, np.array([mode], dtype=np.int64), REFERENCE_C)


def _draw(steady: SteadyState) -> Draw:
    return Draw(steady.rails_w[0], steady.rails_w_per_c[0], float(steady.total_w[0]), float(steady.total_w_per_c[0]))


def _as_workload(workload: str | Workload) -> Workload:
    return load_workload(workload) if isinstance(workload, str) else workload


def _seconds(steady: SteadyState) -> tuple[float, float, float]:
    """Of a minibatch: with its data ready, in all, and the part of the former in which the main thread loads."""
    return float(steady.ready_ms[0]) / 1e3, float(steady.time_ms[0]) / 1e3, float(steady.loading_ms[0]) / 1e3
