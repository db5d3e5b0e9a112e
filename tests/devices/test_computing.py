"""Computing takes time on a simulated board: that of one core in the mode in force."""

from __future__ import annotations

import pytest

from lightning_powertrain.boards import Knob, ModeSpace, PowerMode, load_board
from lightning_powertrain.devices import ComputingCost, PowerPoller, SimulatedDevice, core_speed

SLOW_KHZ, FAST_KHZ = 729_600, 2_188_800


class Cpu:
    """CPU seconds that a test decides."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def cpu() -> Cpu:
    return Cpu()


@pytest.fixture
def board(cpu: Cpu) -> SimulatedDevice:
    return SimulatedDevice("orin-agx-64gb", computing=ComputingCost(factor=2.0, cpu_s=cpu))


def at(device: SimulatedDevice, cpu_khz: int) -> PowerMode:
    return PowerMode(**{**device.current_mode(), "cpu_khz": device.modes.knobs[1].at_most(cpu_khz)})


def test_the_clock_moves_by_what_was_computed(board: SimulatedDevice, cpu: Cpu) -> None:
    board.apply(board.modes.highest)
    with board.computing():
        cpu.seconds += 0.5
    assert board.clock.now() == pytest.approx(1.0)


def test_a_slow_cpu_takes_longer(board: SimulatedDevice, cpu: Cpu) -> None:
    mode = board.apply(at(board, SLOW_KHZ))
    with board.computing():
        cpu.seconds += 0.5
    assert board.clock.now() == pytest.approx(1.0 * board.modes.highest["cpu_khz"] / mode["cpu_khz"])


def test_what_was_computed_before_a_switch_counts_in_the_mode_before(board: SimulatedDevice, cpu: Cpu) -> None:
    slow, fast = at(board, SLOW_KHZ), board.modes.highest
    ratio = fast["cpu_khz"] / slow["cpu_khz"]
    board.apply(slow)
    with board.computing():
        cpu.seconds += 0.5
        board.apply(fast)
        cpu.seconds += 0.5
    assert board.clock.now() == pytest.approx(1.0 * ratio + 1.0)


def test_the_clock_is_right_inside_too(board: SimulatedDevice, cpu: Cpu) -> None:
    board.apply(board.modes.highest)
    with board.computing():
        cpu.seconds += 0.5
        with board.computing():
            assert board.clock.now() == pytest.approx(1.0)
            cpu.seconds += 0.5
        assert board.clock.now() == pytest.approx(2.0)
        cpu.seconds += 0.5
    assert board.clock.now() == pytest.approx(3.0)


def test_computing_outside_costs_nothing(board: SimulatedDevice, cpu: Cpu) -> None:
    with board.computing():
        pass
    cpu.seconds += 5.0
    board.apply(board.modes.highest)
    assert board.clock.now() == 0.0


def test_small_pieces_add_up(board: SimulatedDevice, cpu: Cpu) -> None:
    board.apply(board.modes.highest)
    for _ in range(1000):
        with board.computing():
            cpu.seconds += 1e-3
    assert board.clock.now() == pytest.approx(2.0, abs=0.02)


def test_the_simulation_itself_is_free(cpu: Cpu) -> None:
    class Costly(SimulatedDevice):
        def wait(self, seconds: float) -> None:
            super().wait(seconds)
            cpu.seconds += 100.0

    board = Costly("orin-agx-64gb", computing=ComputingCost(factor=2.0, cpu_s=cpu))
    board.apply(board.modes.highest)
    with board.computing():
        cpu.seconds += 0.5
        board.apply(board.modes.mode(0))
        board.apply(board.modes.highest)
    assert board.clock.now() == pytest.approx(1.0)


def test_the_job_does_not_run_meanwhile(board: SimulatedDevice, cpu: Cpu) -> None:
    power = PowerPoller(board)
    power.start()
    for _ in range(100):
        board.minibatch_ended()
    busy_w = power.between(0.0, board.clock.now())[1].mean()
    start_s = board.clock.now()
    with board.computing():
        cpu.seconds += 5.0
    waiting_w = power.between(start_s + 3.0, board.clock.now())[1].mean()
    power.stop()
    assert waiting_w < 0.7 * busy_w


def test_by_default_the_cpu_time_of_this_thread_counts_three_times() -> None:
    cost, modes = ComputingCost(), load_board("orin-agx-64gb").modes
    assert cost.seconds(1.0, modes, modes.highest) == 3.0
    before_s = cost.cpu_s()
    sum(range(200_000))
    assert cost.cpu_s() > before_s


def test_a_board_is_as_fast_as_its_fastest_cluster() -> None:
    space = ModeSpace((Knob("big_khz", "cpu", (500, 2000)), Knob("little_khz", "cpu", (400, 1000))))
    assert core_speed(space, PowerMode(big_khz=500, little_khz=1000)) == 0.5
    assert core_speed(space, space.highest) == 1.0


def test_without_a_knob_for_it_the_cpu_is_as_fast_as_ever() -> None:
    space = ModeSpace((Knob("gpu_hz", "gpu", (100, 200)),))
    assert core_speed(space, space.mode(0)) == 1.0
