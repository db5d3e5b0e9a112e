"""The recurrences against simulations that go kernel by kernel, minibatch by minibatch, subset by subset."""

from __future__ import annotations

import heapq
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_powertrain.boards import load_board
from lightning_powertrain.errors import ArgumentError
from lightning_powertrain.simulation import KernelGroup, Workload, inference, load_physics, load_workload, timing

SECONDS = st.floats(1e-4, 1.0)
GROUP = KernelGroup("any", 1.0, 1.0, 1, 0.5, 1.0)


@given(st.lists(st.tuples(SECONDS, SECONDS, st.integers(1, 9)), min_size=1, max_size=5))
def test_stream_equals_one_that_is_run_kernel_by_kernel(groups: list[tuple[float, float, int]]) -> None:
    launched_s = free_s = 0.0
    for launch_s, kernel_s, count in groups:
        for _ in range(count):
            launched_s += launch_s / count
            free_s = max(free_s, launched_s) + kernel_s / count
    launches, kernels, counts = zip(*groups)
    run_s = timing._run_stream([np.array([s]) for s in launches], [np.array([s]) for s in kernels], list(counts))
    assert run_s[0] == pytest.approx(free_s)


@given(st.integers(1, 6), st.integers(1, 4), st.floats(0.01, 10.0))
def test_loader_equals_workers_that_take_tasks_from_queues(workers: int, prefetch: int, worker_s: float) -> None:
    workload = Workload("any", (GROUP,), num_workers=workers, prefetch_factor=prefetch)
    warm_up, counted = 2 * workers * prefetch, workers * -(-20 // workers)
    making = timing._jitter(timing._LOADER_SPREAD, warm_up, counted)
    stepping = timing._jitter(timing._STEP_SPREAD, warm_up, counted)

    def ended_s() -> list[float]:
        """Workers as queues of tasks: one task is handed out for each minibatch that is taken."""
        free_s = [0.0] * workers
        handed_out = [(0.0, index) for index in range(workers * prefetch)]
        made: dict[int, float] = {}
        heapq.heapify(handed_out)
        now_s, ends_s = 0.0, []
        for index in range(warm_up + counted):
            while handed_out:
                since_s, task = heapq.heappop(handed_out)
                if task < warm_up + counted:
                    free_s[task % workers] = max(free_s[task % workers], since_s) + worker_s * making[task]
                    made[task] = free_s[task % workers]
            now_s = max(now_s, made[index])
            heapq.heappush(handed_out, (now_s, index + workers * prefetch))
            now_s += stepping[index]
            ends_s.append(now_s)
        return ends_s

    ends_s = ended_s()
    period_s = timing._run_loader(workload, np.array([1.0]), np.array([worker_s]))
    assert period_s[0] == pytest.approx((ends_s[-1] - ends_s[warm_up - 1]) / counted)


@given(st.floats(0.1, 12.0), st.floats(0.0, 3.0), st.integers(0, 5), st.floats(0.0, 1.0))
def test_waiting_equals_the_mean_over_all_subsets_of_busy_threads(
    cores: float, certain: float, others: int, duty: float
) -> None:
    expected = 0.0
    for busy in product((False, True), repeat=others):
        chance = np.prod([duty if each else 1 - duty for each in busy]) if others else 1.0
        expected += float(chance) * max(1.0, (certain + sum(busy)) / cores)
    waiting = timing._waiting(np.array([cores]), np.array([certain]), others, np.array([duty]))
    assert waiting[0] == pytest.approx(expected)


def test_rounds_are_enough_for_the_fixed_point(monkeypatch: pytest.MonkeyPatch) -> None:
    clocks = timing.Clocks.of(load_board("orin-agx-64gb").modes.array[::7])
    physics, workload = load_physics("orin-agx-64gb"), load_workload("resnet18")
    usual = timing.run(physics, workload, clocks).period_s
    monkeypatch.setattr(timing, "_ROUNDS", 60)
    long = timing.run(physics, workload, clocks).period_s
    assert np.quantile(np.abs(usual / long - 1), 0.99) < 0.001
    assert np.abs(usual / long - 1).max() < 0.02


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": ()}, "groups="),
        ({"loader_mb": -1.0}, "loader_mb=-1.0"),
        ({"num_workers": -1}, "num_workers=-1"),
        ({"host_mcycles": float("nan")}, "host_mcycles=nan"),
    ],
)
def test_an_impossible_workload_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        Workload("any", **{"groups": (GROUP,), **change})  # type: ignore[arg-type]


def test_training_asks_for_about_three_times_the_work_of_inference() -> None:
    training, forward = load_workload("resnet18"), inference("resnet18", 16)
    assert sum(g.gflop for g in training.groups) == pytest.approx(3 * sum(g.gflop for g in forward.groups), rel=0.01)
    assert sum(g.dram_mb for g in training.groups) == pytest.approx(3 * sum(g.dram_mb for g in forward.groups), rel=0.1)
