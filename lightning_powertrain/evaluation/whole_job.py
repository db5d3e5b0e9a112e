"""A simulated job from its first minibatch to its last, of which only profiling is simulated minibatch by minibatch."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import SimulatedDevice
from lightning_powertrain.evaluation.metrics import Costs
from lightning_powertrain.simulation import load_physics, load_workload, simulated_board, steady_state


@dataclass(frozen=True)
class Total:
    """What a job took, first to last minibatch.

    Args:
        seconds: In all, computing included.
        energy_j: In all, computing included.
        profiling_s: Until the mode was chosen, computing included.
        computing_s: Of these, seconds in which training waited for the tuner.
    """

    seconds: float
    energy_j: float
    profiling_s: float
    computing_s: float


class WholeJob(SimulatedDevice):
    """A board that trains so many minibatches, and counts how long it runs in which mode.

    Each mode counts at its settled power, and the minibatches that are left at the settled time of theirs: hours of
    training take no longer to simulate than the minutes of profiling.

    Args:
        board: Name of a board that can be simulated.
        workload: Name of what it trains.
        minutes: How long the job would take in the mode that it starts in.
        seed: Of all scatter.
        start: The mode that it starts in; None for the stock one of the board.
    """

    def __init__(self, board: str, workload: str, minutes: float, seed: int, start: PowerMode | None = None) -> None:
        super().__init__(board, workload, seed)
        if start is not None:
            self.apply(start)
        self.minibatches = round(minutes * 60e3 / self.settled(self.current_mode())[0])
        self.done = 0
        self._computing_s = self._computing_j = 0.0
        self._seconds: dict[PowerMode, float] = defaultdict(float)

    @property
    def is_over(self) -> bool:
        """Whether all minibatches are done."""
        return self.done >= self.minibatches

    def settled(self, mode: PowerMode) -> tuple[float, float]:
        """Settled time (ms) and power (W) of a mode."""
        costs = settled_costs(self.board.key, self.workload.name)
        row = self.modes.index(mode)
        return float(costs.time_ms[row]), float(costs.power_w[row])

    def minibatch_ended(self) -> None:
        mode, start_s = self.current_mode(), self.clock.now()
        super().minibatch_ended()
        self._seconds[mode] += self.clock.now() - start_s
        self.done += 1

    def wait(self, seconds: float) -> None:
        super().wait(seconds)
        self._computing_s += seconds
        self._computing_j += seconds * self.read_power().total_w

    def ended_in(self, mode: PowerMode) -> Total:
        """What the job takes in all if the rest of it runs in ``mode``."""
        seconds = {**self._seconds}
        seconds[mode] = seconds.get(mode, 0.0) + (self.minibatches - self.done) * self.settled(mode)[0] / 1e3
        energy_j = sum(each_s * self.settled(each)[1] for each, each_s in seconds.items())
        return Total(
            seconds=sum(seconds.values()) + self._computing_s,
            energy_j=energy_j + self._computing_j,
            profiling_s=self.clock.now(),
            computing_s=self._computing_s,
        )


@lru_cache(maxsize=None)
def settled_costs(board: str, workload: str) -> Costs:
    """Settled time and power in every mode of a board, in the order of its modes."""
    known = simulated_board(board)
    steady = steady_state(load_physics(known.key), load_workload(workload), known.modes.array)
    return Costs(steady.time_ms, steady.total_w)
