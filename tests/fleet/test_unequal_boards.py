"""Boards that differ: the slowest sets the step, and the others get the mode of least power that is as fast."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from fakes import TINY, FakeDevice, Oracle, true_power_w, true_time_ms
from hypothesis import given
from hypothesis import strategies as st
from threads import Job

from lightning_powertrain.boards import IntArray, ModeSpace, PowerMode
from lightning_powertrain.devices import PowerReading
from lightning_powertrain.errors import PowerTrainError
from lightning_powertrain.fleet.programme import programme
from lightning_powertrain.prediction import Prediction
from lightning_powertrain.profiling import Measurement, sensor_noise
from lightning_powertrain.selection import PowerBudget, Selection, best_index, parse_budget

FloatArray = npt.NDArray[np.float64]
SAME_STEP = 1.02


# All take so many times as long for a minibatch as the tiny board, so that few of them make a window.
PACE = 10.0


class Slow(FakeDevice):
    """The tiny board, but slower."""

    slowness = PACE

    def minibatch_ended(self) -> None:
        self.minibatches += 1
        self.clock.advance(self.slowness * float(true_time_ms(self.modes.rows([self.mode]))[0]) / 1e3)


class Other(Slow):
    """A board of another kind: slower or faster than that, and hungrier or not."""

    def __init__(self, slowness: float, hunger: float = 1.0) -> None:
        super().__init__()
        self.board = replace(TINY, key="other")
        self.slowness, self.hunger = PACE * slowness, hunger

    def read_power(self) -> PowerReading:
        return PowerReading(super().read_power().total_w * self.hunger, {})


class PacedOracle(Oracle):
    def __init__(self, slowness: float = 1.0, hunger: float = 1.0) -> None:
        super().__init__()
        self.slowness, self.hunger = slowness, hunger

    def predict(self, modes: IntArray) -> Prediction:
        return Prediction(PACE * self.slowness * true_time_ms(modes), self.hunger * true_power_w(modes), 0.0, 0.0)


def best_of_all(kinds: list[tuple[float, float]], limit_w: float) -> tuple[float, list[float]]:
    """By trying all: the shortest step that all can keep, and the least power of each in a step as long as that."""
    tables = [
        (PACE * slowness * true_time_ms(TINY.modes.array), hunger * true_power_w(TINY.modes.array))
        for slowness, hunger in kinds
    ]
    step_ms = max(float(times[watts * (1 + sensor_noise(watts)) <= limit_w].min()) for times, watts in tables)
    powers = []
    for times, watts in tables:
        # The slowest is left as it was chosen, for speed.
        fastest_ms = float(times[watts * (1 + sensor_noise(watts)) <= limit_w].min())
        longest_ms = step_ms if fastest_ms == step_ms else SAME_STEP * step_ms
        powers.append(float(watts[times <= longest_ms * (1 + 1e-9)].min()))
    return step_ms, powers


@pytest.mark.parametrize(("slowness", "hunger"), [(1.6, 1.0), (0.6, 1.0), (1.2, 1.5), (0.8, 0.7)])
@pytest.mark.parametrize("pattern", ["ab", "aabb", "abab"])
def test_no_board_is_faster_than_the_slowest(slowness: float, hunger: float, pattern: str) -> None:
    devices: list[Slow] = [Slow() if kind == "a" else Other(slowness, hunger) for kind in pattern]
    job = Job(devices, "13 W", predictor={"tiny": PacedOracle(), "other": PacedOracle(slowness, hunger)}, modes=45)
    job.run(15_000)
    assert job.errors == [None] * len(pattern)
    assert job.is_locked
    step_ms, powers_w = best_of_all([(1.0, 1.0), (slowness, hunger)], 13.0)
    times = [_step_ms(device) for device in devices]
    assert max(times) <= SAME_STEP * step_ms
    assert [device.read_power().total_w for device in devices] == pytest.approx(
        [powers_w["ab".index(kind)] for kind in pattern]
    )
    assert set(job.leader.outcomes) == {"tiny", "other"}
    assert job.leader.outcome is job.leader.outcomes["tiny"]
    job.stop()
    assert all(device.mode == device.found for device in devices)


def test_only_a_power_budget_is_shared_by_boards_that_differ(caplog: pytest.LogCaptureFixture) -> None:
    devices = [Slow(), Other(2.0)]
    job = Job(devices, "energy", predictor=Oracle(), modes=5)
    job.run(100)
    assert job.errors == [None, None]
    assert "boards that differ (tiny, other) are tuned only for a power budget" in caplog.text
    assert len(caplog.records) == 1
    assert [peers.gathers for peers in job.peers] == [2, 2]
    assert not any(device.applied for device in devices)
    job.stop()


def test_a_board_that_fails_halfway_through_the_programme(caplog: pytest.LogCaptureFixture) -> None:
    first, other = Slow(), Other(1.5)
    other.fail_after = 3
    job = Job([first, other], "13 W", predictor={"tiny": PacedOracle(), "other": PacedOracle(1.5, 1.0)}, modes=5)
    job.run(8000)
    assert job.errors == [None, None]
    assert "rank 1: the board refused a write" in caplog.text
    assert len(caplog.records) == 1
    assert [first.mode, other.mode] == [first.found, other.found]
    assert not job.is_locked
    job.stop()


@dataclass
class Table:
    """Boards of one kind, of which everything is written down."""

    modes: ModeSpace
    time_ms: FloatArray
    power_w: FloatArray
    key: str
    mode: PowerMode | None = None

    @property
    def board(self) -> Any:
        return self

    def apply(self, mode: PowerMode) -> None:
        self.mode = mode

    def starting_in(self, mode: PowerMode) -> Table:
        return self

    @property
    def now_ms(self) -> float:
        assert self.mode is not None
        return float(self.time_ms[self.modes.index(self.mode)])


@st.composite
def tables(draw: st.DrawFn) -> list[Table]:
    """Two or three kinds of board whose highest mode is their fastest; its power may be beyond any budget."""
    space = TINY.modes
    kinds = []
    for number in range(draw(st.integers(2, 3))):
        generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        time_ms = generator.uniform(10, 100, len(space)) * draw(st.floats(0.3, 3.0))
        power_w = generator.uniform(5, 40, len(space))
        time_ms[-1] = time_ms.min() * 0.99
        kinds.append(Table(space, time_ms, power_w, f"kind-{number}"))
    return kinds


def chosen(kinds: list[Table], limit_w: float) -> list[PowerMode]:
    """The modes at the end of the programme, if every task finds the best of what can be measured."""
    steps = programme(kinds, PowerBudget(limit_w), hard=False)  # type: ignore[arg-type]
    task = next(steps)
    while True:
        table: Any = task.boards
        others_ms = max(kind.now_ms for kind in kinds if kind is not table)
        step_ms = np.maximum(table.time_ms, others_ms)  # All take the step together: nothing else can be seen.
        objective = task.objective or PowerBudget(limit_w)
        row = best_index(objective, step_ms, table.power_w)
        table.apply(table.modes.mode(row))
        if task.is_last:
            return [kind.mode for kind in kinds if kind.mode is not None]
        start = Measurement(table.mode, float(step_ms[row]), float(table.power_w[row]))
        task = steps.send(Selection(table.mode, objective, start.time_ms, start.power_w, start, measured=start))


@given(tables(), st.floats(10.0, 40.0))
def test_the_programme_finds_what_trying_all_combinations_finds(kinds: list[Table], limit_w: float) -> None:
    modes = chosen(kinds, limit_w)
    rows = [kind.modes.index(mode) for kind, mode in zip(kinds, modes)]
    within = [kind.power_w <= limit_w for kind in kinds]
    # The step of a combination is that of its slowest board, so the shortest step is that of the kind which is slowest
    # at its fastest.
    shortest_ms = max(float(kind.time_ms[fits].min()) for kind, fits in zip(kinds, within))
    times = [float(kind.time_ms[row]) for kind, row in zip(kinds, rows)]
    powers = [float(kind.power_w[row]) for kind, row in zip(kinds, rows)]
    assert shortest_ms <= max(times) <= SAME_STEP * shortest_ms
    assert max(powers) <= limit_w
    for kind, fits, power_w in zip(kinds, within, powers):
        if float(kind.time_ms[fits].min()) < shortest_ms:
            assert power_w == kind.power_w[kind.time_ms <= SAME_STEP * shortest_ms].min()


def test_hard_budgets_are_not_for_boards_that_differ() -> None:
    kinds: Any = [Table(TINY.modes, np.ones(54), np.ones(54), key) for key in ("one", "two")]
    with pytest.raises(PowerTrainError, match=r"boards that differ \(one, two\)"):
        next(programme(kinds, parse_budget("10 W"), hard=True))


def _step_ms(device: Slow) -> float:
    return device.slowness * float(true_time_ms(device.modes.rows([device.mode]))[0])
