"""Boards of different kinds: the slowest sets the step time, and the others save power at that pace."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from fakes import TINY, FakeDevice, Oracle, true_power_w, true_time_ms
from hypothesis import given
from hypothesis import strategies as st
from threaded_job import ThreadedJob

from lightning_powertrain.boards import IntArray, ModeSpace, PowerMode
from lightning_powertrain.devices import PowerReading
from lightning_powertrain.distributed.task_sequence import task_sequence
from lightning_powertrain.errors import PowerTrainError
from lightning_powertrain.prediction import Prediction
from lightning_powertrain.profiling import Measurement, sensor_noise
from lightning_powertrain.selection import FixedBudget, PowerBudget, Selection, best_index, parse_budget

FloatArray = npt.NDArray[np.float64]
STEP_TOLERANCE = 1.02


# Minibatches take this many times as long as on the tiny board, so that a window needs few of them.
PACE = 10.0


class Slow(FakeDevice):
    """The tiny board, but slower."""

    time_factor = PACE

    def minibatch_ended(self) -> None:
        self.minibatches += 1
        self.clock.advance(self.time_factor * float(true_time_ms(self.modes.rows([self.mode]))[0]) / 1e3)


class OtherKind(Slow):
    """A board of another kind, with other times and powers."""

    def __init__(self, time_factor: float, power_factor: float = 1.0) -> None:
        super().__init__()
        self.board = replace(TINY, key="other")
        self.time_factor, self.power_factor = PACE * time_factor, power_factor

    def read_power(self) -> PowerReading:
        return PowerReading(super().read_power().total_w * self.power_factor, {})


class ScaledOracle(Oracle):
    def __init__(self, time_factor: float = 1.0, power_factor: float = 1.0) -> None:
        super().__init__()
        self.time_factor, self.power_factor = time_factor, power_factor

    def predict(self, modes: IntArray) -> Prediction:
        return Prediction(
            PACE * self.time_factor * true_time_ms(modes), self.power_factor * true_power_w(modes), 0.0, 0.0
        )


def brute_force_result(kinds: list[tuple[float, float]], limit_w: float) -> tuple[float, list[float]]:
    """The shortest step that all boards can keep within the limit, and the least power of each in such a step."""
    tables = [
        (PACE * time_factor * true_time_ms(TINY.modes.array), power_factor * true_power_w(TINY.modes.array))
        for time_factor, power_factor in kinds
    ]
    step_ms = max(float(times[watts * (1 + sensor_noise(watts)) <= limit_w].min()) for times, watts in tables)
    powers = []
    for times, watts in tables:
        # The slowest board keeps its fastest mode.
        fastest_ms = float(times[watts * (1 + sensor_noise(watts)) <= limit_w].min())
        longest_ms = step_ms if fastest_ms == step_ms else STEP_TOLERANCE * step_ms
        powers.append(float(watts[times <= longest_ms * (1 + 1e-9)].min()))
    return step_ms, powers


@pytest.mark.parametrize(("time_factor", "power_factor"), [(1.6, 1.0), (0.6, 1.0), (1.2, 1.5), (0.8, 0.7)])
@pytest.mark.parametrize("pattern", ["ab", "aabb", "abab"])
def test_faster_boards_save_power_at_the_pace_of_the_slowest(
    time_factor: float, power_factor: float, pattern: str
) -> None:
    devices: list[Slow] = [Slow() if kind == "a" else OtherKind(time_factor, power_factor) for kind in pattern]
    job = ThreadedJob(
        devices,
        "13 W",
        predictor={"tiny": ScaledOracle(), "other": ScaledOracle(time_factor, power_factor)},
        max_modes=45,
    )
    job.run(15_000)
    assert job.errors == [None] * len(pattern)
    assert job.is_locked
    step_ms, powers_w = brute_force_result([(1.0, 1.0), (time_factor, power_factor)], 13.0)
    times = [_step_ms(device) for device in devices]
    assert max(times) <= STEP_TOLERANCE * step_ms
    assert [device.read_power().total_w for device in devices] == pytest.approx(
        [powers_w["ab".index(kind)] for kind in pattern]
    )
    assert set(job.coordinator.outcomes) == {"tiny", "other"}
    assert job.coordinator.outcome is job.coordinator.outcomes["tiny"]
    job.stop()
    assert all(device.mode == device.found for device in devices)


def test_different_boards_need_a_power_budget(caplog: pytest.LogCaptureFixture) -> None:
    devices = [Slow(), OtherKind(2.0)]
    job = ThreadedJob(devices, "energy", predictor=Oracle(), max_modes=5)
    job.run(100)
    assert job.errors == [None, None]
    assert "boards of different kinds (tiny, other) can be tuned together only for a power budget" in caplog.text
    assert len(caplog.records) == 1
    assert [communicator.exchanges for communicator in job.communicators] == [2, 2]
    assert not any(device.applied for device in devices)
    job.stop()


def test_a_failing_board_of_another_kind_ends_tuning(caplog: pytest.LogCaptureFixture) -> None:
    first, other = Slow(), OtherKind(1.5)
    other.fail_after = 3
    job = ThreadedJob(
        [first, other], "13 W", predictor={"tiny": ScaledOracle(), "other": ScaledOracle(1.5, 1.0)}, max_modes=5
    )
    job.run(8000)
    assert job.errors == [None, None]
    assert "rank 1: the board refused a write" in caplog.text
    assert len(caplog.records) == 1
    assert [first.mode, other.mode] == [first.found, other.found]
    assert not job.is_locked
    job.stop()


@dataclass
class TableGroup:
    """A group of boards, with the time and power of every mode."""

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

    def with_start_mode(self, mode: PowerMode) -> TableGroup:
        return self

    @property
    def now_ms(self) -> float:
        assert self.mode is not None
        return float(self.time_ms[self.modes.index(self.mode)])


@st.composite
def table_groups(draw: st.DrawFn) -> list[TableGroup]:
    """Two or three groups. Their highest mode is the fastest, and may exceed the budget."""
    space = TINY.modes
    kinds = []
    for number in range(draw(st.integers(2, 3))):
        generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
        time_ms = generator.uniform(10, 100, len(space)) * draw(st.floats(0.3, 3.0))
        power_w = generator.uniform(5, 40, len(space))
        time_ms[-1] = time_ms.min() * 0.99
        kinds.append(TableGroup(space, time_ms, power_w, f"kind-{number}"))
    return kinds


def chosen_modes(kinds: list[TableGroup], limit_w: float) -> list[PowerMode]:
    """The modes after the last task, if every task finds the best mode by what can be measured."""
    tasks = task_sequence(kinds, PowerBudget(limit_w), hard_limit=False)  # type: ignore[arg-type]
    task = next(tasks)
    while True:
        table: Any = task.boards
        others_ms = max(kind.now_ms for kind in kinds if kind is not table)
        step_ms = np.maximum(table.time_ms, others_ms)  # Only the time of the common step can be measured.
        objective = task.objective or PowerBudget(limit_w)
        row = best_index(objective, step_ms, table.power_w)
        table.apply(table.modes.mode(row))
        if task.is_last:
            return [kind.mode for kind in kinds if kind.mode is not None]
        start = Measurement(table.mode, float(step_ms[row]), float(table.power_w[row]))
        task = tasks.send(Selection(table.mode, objective, start.time_ms, start.power_w, start, measured=start))


def test_a_fast_board_saves_power_where_the_slow_one_needs_its_highest_mode() -> None:
    """Both then measure the same step, that of the slow board, so that the step does not tell which is the slow one."""
    space = TINY.modes
    power_w = np.linspace(5.0, 20.0, len(space))
    for order in (1, -1):
        fast = TableGroup(space, np.linspace(30.5, 10.0, len(space)), power_w, "fast")
        slow = TableGroup(space, np.linspace(90.0, 30.0, len(space)), power_w, "slow")
        chosen_modes([fast, slow][::order], 40.0)
        assert slow.now_ms <= STEP_TOLERANCE * 30.0
        assert fast.mode == space.mode(0)


@given(table_groups(), st.floats(10.0, 40.0))
def test_the_task_sequence_finds_the_best_combination(kinds: list[TableGroup], limit_w: float) -> None:
    modes = chosen_modes(kinds, limit_w)
    rows = [kind.modes.index(mode) for kind, mode in zip(kinds, modes)]
    within = [kind.power_w <= limit_w for kind in kinds]
    # The slowest board sets the step of a combination. So the shortest step is the largest of the fastest times.
    shortest_ms = max(float(kind.time_ms[fits].min()) for kind, fits in zip(kinds, within))
    times = [float(kind.time_ms[row]) for kind, row in zip(kinds, rows)]
    powers = [float(kind.power_w[row]) for kind, row in zip(kinds, rows)]
    assert shortest_ms <= max(times) <= STEP_TOLERANCE * shortest_ms
    assert max(powers) <= limit_w
    for kind, fits, power_w in zip(kinds, within, powers):
        if float(kind.time_ms[fits].min()) < shortest_ms:
            assert power_w == kind.power_w[kind.time_ms <= STEP_TOLERANCE * shortest_ms].min()


def test_different_boards_reject_a_hard_budget() -> None:
    kinds: Any = [TableGroup(TINY.modes, np.ones(54), np.ones(54), key) for key in ("one", "two")]
    with pytest.raises(PowerTrainError, match=r"boards of different kinds \(one, two\)"):
        next(task_sequence(kinds, FixedBudget(PowerBudget(10.0), "10 W"), hard_limit=True))


@pytest.mark.parametrize(("budget", "kind"), [("8 h", "of the whole job"), ({"06:00": "15 W"}, "that changes")])
def test_budgets_for_one_board_only_are_refused(budget: Any, kind: str) -> None:
    one: Any = [TableGroup(TINY.modes, np.ones(54), np.ones(54), "one")]
    with pytest.raises(PowerTrainError, match=f"a budget {kind} .* works on one board only"):
        next(task_sequence(one, parse_budget(budget), hard_limit=False))


def _step_ms(device: Slow) -> float:
    return device.time_factor * float(true_time_ms(device.modes.rows([device.mode]))[0])
