"""Boards of the same kind share a power mode, and each of them keeps the budget."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from fakes import TINY, FakeDevice, Oracle, true_power_w, true_time_ms
from threaded_job import ThreadedJob

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import PowerReading, SimulatedDevice
from lightning_powertrain.profiling import sensor_noise

MINIBATCHES = 3000


class WorseBoard(FakeDevice):
    """Draws more power than others of its kind, and is slower."""

    def __init__(self, power_factor: float, time_factor: float = 1.0) -> None:
        super().__init__()
        self.power_factor, self.time_factor = power_factor, time_factor

    def read_power(self) -> PowerReading:
        reading = super().read_power()
        return PowerReading(reading.total_w * self.power_factor, reading.rails_w)

    def minibatch_ended(self) -> None:
        super().minibatch_ended()
        self.clock.advance((self.time_factor - 1) * float(true_time_ms(self.modes.rows([self.mode]))[0]) / 1e3)


@pytest.mark.parametrize("count", [2, 4])
def test_all_boards_get_the_best_mode(
    count: int, oracle: Oracle, brute_force: Callable[[float], tuple[float, float]]
) -> None:
    devices = [FakeDevice() for _ in range(count)]
    job = ThreadedJob(devices, "13 W", predictor=oracle, max_modes=5)
    job.run(MINIBATCHES)
    assert job.errors == [None] * count
    assert job.coordinator.outcome is not None
    chosen = job.coordinator.outcome.selection
    assert (chosen.time_ms, chosen.power_w) == pytest.approx(brute_force(13.0))
    assert [device.mode for device in devices] == [chosen.mode] * count
    job.stop()
    assert all(device.mode == device.found for device in devices)


def test_all_boards_switch_on_the_same_minibatch(oracle: Oracle) -> None:
    devices = [FakeDevice(), FakeDevice(), FakeDevice()]
    modes: list[list[PowerMode]] = [[], [], []]
    job = ThreadedJob(devices, "13 W", predictor=oracle, max_modes=5)
    job.run(MINIBATCHES, lambda rank, minibatch: modes[rank].append(devices[rank].mode))
    job.stop()
    assert modes[0] == modes[1] == modes[2]
    assert len(set(modes[0])) > 5


class Thinker(FakeDevice):
    """Takes 10 ms for whatever the tuner computes."""

    computed_s = 0.0

    @contextmanager
    def computing(self) -> Iterator[None]:
        yield
        self.clock.advance(0.01)
        self.computed_s += 0.01


def test_all_boards_wait_while_the_first_one_computes(oracle: Oracle) -> None:
    thinker = Thinker()
    devices = [thinker, FakeDevice()]
    job = ThreadedJob(devices, "13 W", predictor=oracle, max_modes=5)
    job.run(MINIBATCHES)
    job.stop()
    assert thinker.computed_s > 1.0
    assert devices[0].clock.now() == pytest.approx(devices[1].clock.now(), abs=0.1)


def test_each_board_keeps_the_budget(oracle: Oracle) -> None:
    """The result equals brute force: the fastest mode in which no board exceeds the limit, sensor noise included."""
    devices = [FakeDevice(), WorseBoard(1.2)]
    job = ThreadedJob(devices, "13 W", predictor=oracle, max_modes=45)
    job.run(10_000)
    assert job.coordinator.outcome is not None
    within = [
        (float(time_ms), float(watts))
        for time_ms, watts in zip(true_time_ms(TINY.modes.array), 1.2 * true_power_w(TINY.modes.array))
        if watts * (1 + sensor_noise(watts)) <= 13.0
    ]
    measured = job.coordinator.outcome.selection.measured
    assert measured is not None
    assert (measured.time_ms, measured.power_w) == pytest.approx(min(within))
    job.stop()


def test_measured_time_is_that_of_the_slowest_board(oracle: Oracle) -> None:
    devices = [FakeDevice(), WorseBoard(1.0, time_factor=1.5)]
    job = ThreadedJob(devices, "13 W", predictor=oracle, max_modes=5)
    job.run(MINIBATCHES)
    profile = job.coordinator.profile
    assert profile is not None
    assert profile.time_ms == pytest.approx(1.5 * true_time_ms(profile.modes), rel=1e-6)
    job.stop()


def test_no_exchange_after_the_mode_is_locked(oracle: Oracle) -> None:
    job = ThreadedJob([FakeDevice(), FakeDevice()], "13 W", predictor=oracle, max_modes=5)
    exchanges: list[int] = []
    job.run(MINIBATCHES, lambda rank, minibatch: exchanges.append(job.communicators[rank].exchanges))
    assert job.is_locked
    assert exchanges[-20:] == [exchanges[-1]] * 20
    assert job.communicators[0].exchanges == job.communicators[1].exchanges
    job.stop()


def test_processes_that_share_a_board(oracle: Oracle, brute_force: Callable[[float], tuple[float, float]]) -> None:
    devices = [FakeDevice(), None, FakeDevice(), None]
    job = ThreadedJob(devices, "13 W", predictor=oracle, max_modes=5)
    job.run(MINIBATCHES)
    assert job.errors == [None] * 4
    assert job.coordinator.outcome is not None
    assert job.coordinator.outcome.selection.time_ms == pytest.approx(brute_force(13.0)[0])
    job.stop()


def test_boards_with_different_modes_before_tuning(oracle: Oracle) -> None:
    first, second = FakeDevice(), FakeDevice()
    second.mode = second.found = TINY.preset("MAXN")
    job = ThreadedJob([first, second], None, predictor=oracle, max_modes=3)
    modes: list[PowerMode] = []
    job.run(MINIBATCHES, lambda rank, minibatch: modes.append(second.mode) if rank else None)
    assert modes[0] == first.found
    assert first.mode == second.mode
    job.stop()
    assert (first.mode, second.mode) == (first.found, TINY.preset("MAXN"))


def test_all_boards_keep_the_start_mode_if_no_other_is_better(oracle: Oracle) -> None:
    first, second = FakeDevice(), FakeDevice()
    first.mode = first.found = TINY.preset("MAXN")
    job = ThreadedJob([first, second], "100 W", predictor=oracle, max_modes=3)
    job.run(MINIBATCHES)
    assert job.is_locked
    assert first.mode == second.mode == TINY.preset("MAXN")
    job.stop()
    assert second.mode == TINY.preset("LOW")


def test_a_mode_that_throttles_one_board_is_not_chosen(
    oracle: Oracle, brute_force: Callable[[float], tuple[float, float]]
) -> None:
    first, second = FakeDevice(), FakeDevice()
    best = brute_force(13.0)
    second.is_hot = lambda mode: float(true_time_ms(TINY.modes.rows([mode]))[0]) == pytest.approx(best[0])
    job = ThreadedJob([first, second], "13 W", predictor=oracle, max_modes=5)
    job.run(7 * MINIBATCHES)  # Tuning waits two minutes for the board to cool.
    assert job.coordinator.outcome is not None
    assert job.coordinator.outcome.selection.time_ms > best[0] * 1.001
    assert job.coordinator.profile is not None
    assert {each.throttled_by for each in job.coordinator.profile.throttled} == {"fake-throttle"}
    job.stop()


def test_a_simulated_board_draws_less_power_while_it_waits() -> None:
    alone, waiting = SimulatedDevice("orin-agx-64gb"), SimulatedDevice("orin-agx-64gb")
    for _ in range(200):
        alone.minibatch_ended()
        waiting.minibatch_ended()
        waiting.wait(0.1)
    assert waiting.clock.now() == pytest.approx(alone.clock.now() + 20.0)
    assert waiting.read_power().total_w < 0.9 * alone.read_power().total_w
    while waiting.clock.now() < 200:  # After the wait it draws as much as the other board.
        waiting.minibatch_ended()
    while alone.clock.now() < 200:
        alone.minibatch_ended()
    assert waiting.read_power().total_w == pytest.approx(alone.read_power().total_w, rel=0.05)
