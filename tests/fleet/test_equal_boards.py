"""Boards that are alike get one mode, and each of them keeps the budget."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from fakes import TINY, FakeDevice, Oracle, true_power_w, true_time_ms
from threads import Job

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import PowerReading, SimulatedDevice
from lightning_powertrain.profiling import sensor_noise

MINIBATCHES = 3000


class Hungry(FakeDevice):
    """Draws more than others of its kind, and is slower."""

    def __init__(self, factor: float, slowness: float = 1.0) -> None:
        super().__init__()
        self.factor, self.slowness = factor, slowness

    def read_power(self) -> PowerReading:
        reading = super().read_power()
        return PowerReading(reading.total_w * self.factor, reading.rails_w)

    def minibatch_ended(self) -> None:
        super().minibatch_ended()
        self.clock.advance((self.slowness - 1) * float(true_time_ms(self.modes.rows([self.mode]))[0]) / 1e3)


@pytest.mark.parametrize("count", [2, 4])
def test_one_mode_for_all(count: int, oracle: Oracle, brute_force: Callable[[float], tuple[float, float]]) -> None:
    devices = [FakeDevice() for _ in range(count)]
    job = Job(devices, "13 W", predictor=oracle, modes=5)
    job.run(MINIBATCHES)
    assert job.errors == [None] * count
    assert job.leader.outcome is not None
    chosen = job.leader.outcome.selection
    assert (chosen.time_ms, chosen.power_w) == pytest.approx(brute_force(13.0))
    assert [device.mode for device in devices] == [chosen.mode] * count
    job.stop()
    assert all(device.mode == device.found for device in devices)


def test_all_switch_on_the_same_minibatch(oracle: Oracle) -> None:
    devices = [FakeDevice(), FakeDevice(), FakeDevice()]
    modes: list[list[PowerMode]] = [[], [], []]
    job = Job(devices, "13 W", predictor=oracle, modes=5)
    job.run(MINIBATCHES, lambda rank, minibatch: modes[rank].append(devices[rank].mode))
    job.stop()
    assert modes[0] == modes[1] == modes[2]
    assert len(set(modes[0])) > 5


def test_each_board_keeps_the_budget(oracle: Oracle) -> None:
    """By trying all modes: the fastest in which the hungrier board draws no more than the limit, noise included."""
    devices = [FakeDevice(), Hungry(1.2)]
    job = Job(devices, "13 W", predictor=oracle, modes=45)
    job.run(10_000)
    assert job.leader.outcome is not None
    within = [
        (float(time_ms), float(watts))
        for time_ms, watts in zip(true_time_ms(TINY.modes.array), 1.2 * true_power_w(TINY.modes.array))
        if watts * (1 + sensor_noise(watts)) <= 13.0
    ]
    measured = job.leader.outcome.selection.measured
    assert measured is not None
    assert (measured.time_ms, measured.power_w) == pytest.approx(min(within))
    job.stop()


def test_time_is_that_of_the_slowest_board(oracle: Oracle) -> None:
    devices = [FakeDevice(), Hungry(1.0, slowness=1.5)]
    job = Job(devices, "13 W", predictor=oracle, modes=5)
    job.run(MINIBATCHES)
    profile = job.leader.profile
    assert profile is not None
    assert profile.time_ms == pytest.approx(1.5 * true_time_ms(profile.modes), rel=1e-6)
    job.stop()


def test_no_word_is_said_once_a_mode_stays(oracle: Oracle) -> None:
    job = Job([FakeDevice(), FakeDevice()], "13 W", predictor=oracle, modes=5)
    said: list[int] = []
    job.run(MINIBATCHES, lambda rank, minibatch: said.append(job.peers[rank].gathers))
    assert job.is_locked
    assert said[-20:] == [said[-1]] * 20
    assert job.peers[0].gathers == job.peers[1].gathers
    job.stop()


def test_processes_that_share_a_board(oracle: Oracle, brute_force: Callable[[float], tuple[float, float]]) -> None:
    devices = [FakeDevice(), None, FakeDevice(), None]
    job = Job(devices, "13 W", predictor=oracle, modes=5)
    job.run(MINIBATCHES)
    assert job.errors == [None] * 4
    assert job.leader.outcome is not None
    assert job.leader.outcome.selection.time_ms == pytest.approx(brute_force(13.0)[0])
    job.stop()


def test_boards_that_were_found_in_different_modes(oracle: Oracle) -> None:
    first, second = FakeDevice(), FakeDevice()
    second.mode = second.found = TINY.preset("MAXN")
    job = Job([first, second], None, predictor=oracle, modes=3)
    modes: list[PowerMode] = []
    job.run(MINIBATCHES, lambda rank, minibatch: modes.append(second.mode) if rank else None)
    assert modes[0] == first.found
    assert first.mode == second.mode
    job.stop()
    assert (first.mode, second.mode) == (first.found, TINY.preset("MAXN"))


def test_the_start_mode_stays_on_all_boards_if_none_is_better(oracle: Oracle) -> None:
    first, second = FakeDevice(), FakeDevice()
    first.mode = first.found = TINY.preset("MAXN")
    job = Job([first, second], "100 W", predictor=oracle, modes=3)
    job.run(MINIBATCHES)
    assert job.is_locked
    assert first.mode == second.mode == TINY.preset("MAXN")
    job.stop()
    assert second.mode == TINY.preset("LOW")


def test_what_throttles_one_board_counts_for_all(
    oracle: Oracle, brute_force: Callable[[float], tuple[float, float]]
) -> None:
    first, second = FakeDevice(), FakeDevice()
    best = brute_force(13.0)
    second.is_hot = lambda mode: float(true_time_ms(TINY.modes.rows([mode]))[0]) == pytest.approx(best[0])
    job = Job([first, second], "13 W", predictor=oracle, modes=5)
    job.run(7 * MINIBATCHES)  # The board is given two minutes to cool.
    assert job.leader.outcome is not None
    assert job.leader.outcome.selection.time_ms > best[0] * 1.001
    assert job.leader.profile is not None
    assert {each.throttled_by for each in job.leader.profile.throttled} == {"fake-throttle"}
    job.stop()


def test_simulated_boards_wait_for_the_slowest_and_draw_less_meanwhile() -> None:
    alone, waiting = SimulatedDevice("orin-agx-64gb"), SimulatedDevice("orin-agx-64gb")
    for _ in range(200):
        alone.minibatch_ended()
        waiting.minibatch_ended()
        waiting.wait(0.1)
    assert waiting.clock.now() == pytest.approx(alone.clock.now() + 20.0)
    assert waiting.read_power().total_w < 0.9 * alone.read_power().total_w
    while waiting.clock.now() < 200:  # It draws as ever once it waits no more.
        waiting.minibatch_ended()
    while alone.clock.now() < 200:
        alone.minibatch_ended()
    assert waiting.read_power().total_w == pytest.approx(alone.read_power().total_w, rel=0.05)
