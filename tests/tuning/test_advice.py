"""Where a minibatch's time goes, and what would help beyond clocks; against jobs whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lightning_powertrain.boards import PowerMode
from lightning_powertrain.devices import ComputingCost, SimulatedDevice
from lightning_powertrain.profiling import Measurement, Provenance, Signals
from lightning_powertrain.simulation import load_physics, load_workload, steady_state
from lightning_powertrain.tuner import Tuner
from lightning_powertrain.tuning import Advice, Breakdown, Phase
from lightning_powertrain.tuning.advice import advice

ABOUT = Provenance("orin-agx-64gb", "a job", False)
MODE = PowerMode(cores=8)
IDLE = dict.fromkeys(range(8), 0.05)


def about(workers: int | None) -> Provenance:
    return ABOUT if workers is None else replace(ABOUT, details={"workers": workers})


def measured(time_ms: float = 100.0, **signals: Any) -> Measurement:
    return Measurement(MODE, time_ms, 20.0, signals=Signals(**signals))


# Where the time goes.


@pytest.mark.parametrize(
    ("workers", "signals", "parts"),
    [
        (4, {"gpu_load": 0.5, "data_wait_ms": 20.0}, {"gpu": 50.0, "waiting": 20.0, "launching": 30.0}),
        (0, {"gpu_load": 0.5, "data_wait_ms": 20.0}, {"gpu": 50.0, "loading": 20.0, "launching": 30.0}),
        (4, {"gpu_load": 0.9, "data_wait_ms": 20.0}, {"gpu": 90.0, "waiting": 10.0, "launching": 0.0}),
        (4, {"gpu_load": 0.7}, {"gpu": 70.0, "other": 30.0}),
        (None, {"data_wait_ms": 20.0}, {"waiting": 20.0, "other": 80.0}),
        (4, {}, {}),
    ],
)
def test_parts_of_the_time_add_up_to_it(
    workers: int | None, signals: dict[str, float], parts: dict[str, float]
) -> None:
    breakdown = Breakdown.of(measured(**signals), about(workers))
    assert breakdown.time_ms == pytest.approx(parts)
    assert sum(breakdown.time_ms.values()) == pytest.approx(100.0 if parts else 0.0)


# What would help.


STARVED: dict[str, Any] = {
    "gpu_load": 0.45,
    "data_wait_ms": 50.0,
    "process_ms": 50.0,
    "children_ms": 190.0,
    "cores_busy": dict.fromkeys(range(8), 0.31),
}


def test_workers_that_cannot_keep_up() -> None:
    """Two workers take 200 ms for a minibatch each; a step takes 50: with three more it is close to that."""
    (advised,) = advice(measured(**STARVED), about(2))
    assert advised.kind == "workers"
    assert 0.45 < advised.saves < 0.50
    assert advised.text.startswith("3 more loader workers (5 instead of 2) are expected to save 4")
    assert advised.text.endswith("training waits for data for 50 % of it, and 5.5 of 8 cores are idle")


def test_no_more_workers_than_cores_and_none_for_cores_that_are_busy() -> None:
    three = {**STARVED, "cores_busy": dict.fromkeys(range(3), 0.8)}
    (limited,) = advice(measured(**three), about(2))
    assert limited.text.startswith("1 more loader worker (3 instead of 2) is expected to save 20 %")
    busy = {**STARVED, "cores_busy": dict.fromkeys(range(3), 0.99), "process_ms": 60.0, "children_ms": 235.0}
    (advised,) = advice(measured(**busy), about(2))
    assert (advised.kind, advised.saves) == ("loading", 0.5)
    assert "all 3 cores are busy" in advised.text


def test_cores_that_other_programs_use_are_not_there_for_workers() -> None:
    (alone,) = advice(measured(**STARVED), about(2))
    others = {**STARVED, "cores_busy": dict.fromkeys(range(8), 0.9)}
    (beside,) = advice(measured(**others), about(2))
    assert beside.saves < alone.saves - 0.05


def test_workers_that_wait_for_storage() -> None:
    (advised,) = advice(measured(**{**STARVED, "children_ms": 10.0, "cores_busy": IDLE}), about(2))
    assert "the workers themselves wait, such as for storage, which must keep up" in advised.text


def test_a_main_thread_that_loads_data_itself() -> None:
    (advised,) = advice(measured(**{**STARVED, "children_ms": 0.0, "cores_busy": IDLE}), about(0))
    assert advised.kind == "workers"
    assert "the main thread loads data itself for 50 % of it" in advised.text
    assert advised.text.startswith("num_workers=")


def test_a_main_thread_that_cannot_launch_fast_enough() -> None:
    (advised,) = advice(measured(gpu_load=0.4, data_wait_ms=1.0), about(2))
    assert (advised.kind, round(advised.saves, 2)) == ("launching", 0.59)
    assert advised.text.startswith("Larger minibatches, torch.compile or CUDA graphs may save up to 59 % of the time")


@pytest.mark.parametrize(
    ("workers", "signals"),
    [
        (2, {}),
        (2, {"data_wait_ms": 50.0}),
        (2, {**STARVED, "data_wait_ms": 3.0, "gpu_load": 0.96}),
        (2, {**STARVED, "children_ms": None}),
        (2, {**STARVED, "cores_busy": {}}),
        (None, STARVED),
        (2, {**STARVED, "gpu_load": 0.99}),
        (2, {"gpu_load": 0.3}),
    ],
    ids=[
        "nothing",
        "no CPU times",
        "hardly waits",
        "no workers' times",
        "no cores",
        "workers unknown",
        "GPU busy",
        "load",
    ],
)
def test_without_evidence_it_is_silent(workers: int | None, signals: dict[str, Any]) -> None:
    assert [each for each in advice(measured(**signals), about(workers)) if each.kind != "launching"] == []


# Simulated jobs, where the truth is known.


def outcome_of(board: str, workload: str, workers: int) -> tuple[Advice | None, Breakdown, dict[str, float], float]:
    """Advice on workers, the breakdown of the chosen mode, the true one, and the true saving."""
    job = replace(load_workload(workload), num_workers=workers)
    device = SimulatedDevice(board, job, computing=ComputingCost(0.0))
    tuner = Tuner("500 W", device=device, max_modes=5, verbose=False)
    with tuner.start(prefetched=job.prefetched, workers=workers):
        while tuner.phase is not Phase.LOCKED:
            tuner.minibatch_started()
            tuner.minibatch_ended()
        outcome = tuner.outcome
    assert outcome is not None
    assert [each.text in str(outcome) for each in outcome.advice] == [True] * len(outcome.advice)
    advised = next((each for each in outcome.advice if each.kind == "workers"), None)
    row = device.modes.rows([outcome.selection.mode])
    truth = steady_state(load_physics(board), job, row)
    time_ms, wait_ms = float(truth.time_ms[0]), float(truth.time_ms[0] - truth.ready_ms[0] + truth.loading_ms[0])
    parts = {"gpu": float(truth.busy.gpu[0]), "loading" if workers == 0 else "waiting": wait_ms / time_ms}
    if advised is None:
        return None, outcome.chosen_breakdown, parts, 0.0
    more = int(advised.text.split("num_workers=")[-1].split()[0]) if workers == 0 else workers + int(advised.text[0])
    faster = steady_state(load_physics(board), replace(job, num_workers=more), row)
    return advised, outcome.chosen_breakdown, parts, 1 - float(faster.time_ms[0]) / time_ms


@pytest.mark.parametrize("workers", [0, 1, 2])
@pytest.mark.parametrize("board", ["orin-agx-64gb", "orin-nano-8gb", "foreign-3"])
@pytest.mark.parametrize("workload", ["mobilenetv3", "resnet18"])
def test_more_workers_save_what_was_expected(board: str, workload: str, workers: int) -> None:
    advised, breakdown, truth, saves = outcome_of(board, workload, workers)
    whole_ms = sum(breakdown.time_ms.values())
    for part, share in truth.items():
        assert breakdown.time_ms[part] / whole_ms == pytest.approx(share, abs=0.08)
    if advised is None:
        assert truth.get("waiting", 1.0) < 0.08
    else:
        assert advised.saves == pytest.approx(saves, abs=0.08)


@pytest.mark.parametrize("workload", ["bert-base", "lstm"])
def test_a_job_that_does_not_wait_gets_no_advice(workload: str) -> None:
    advised, breakdown, _, _ = outcome_of("orin-agx-64gb", workload, 2)
    assert advised is None
    assert breakdown.power_w.keys() == {"GPU and SoC", "CPU", "memory", "rest"}
