"""Energy saved at nearly equal speed: the jobs, the oracle, and the tables."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console
from rich.table import Table

from lightning_powertrain.evaluation.energy import HIGHEST, EnergyExperiment, Saved, saved_by_job, starts
from lightning_powertrain.evaluation.energy_summary import energy_tables, sentence, untuned
from lightning_powertrain.evaluation.whole_job import WholeJob, settled_costs
from lightning_powertrain.simulation import simulated_board

BOARD = "foreign-200"
SAVED = Saved(
    board="foreign-1",
    workload="lstm",
    start=HIGHEST,
    allowed=3.0,
    seed=0,
    oracle=30.0,
    energy=25.0,
    slower=2.5,
    job_energy=24.0,
    job_slower=3.1,
    tuned=True,
    modes=51,
    profiling_s=160.0,
    computing_s=3.0,
)


def test_jobs_start_in_the_highest_mode_and_in_stock_modes_with_the_whole_gpu() -> None:
    assert list(starts(simulated_board("orin-agx-64gb"))) == [HIGHEST, "MODE_50W"]
    assert list(starts(simulated_board(BOARD))) == [HIGHEST, "MIDDLE"]
    xavier = starts(simulated_board("agx-xavier"))
    assert "MODE_10W" not in xavier, "it switches off a part of the GPU"
    assert "MODE_30W_ALL" in xavier
    assert len(set(xavier.values())) == len(xavier)


def test_a_job_that_changes_nothing_takes_its_length_at_its_settled_power() -> None:
    job = WholeJob(BOARD, "lstm", minutes=10, seed=0)
    total = job.ended_in(job.current_mode())
    time_ms, power_w = job.settled(job.current_mode())
    assert total.seconds == pytest.approx(600, abs=time_ms / 1e3)
    assert total.energy_j == pytest.approx(total.seconds * power_w)
    assert total.profiling_s == total.computing_s == 0


def test_a_job_counts_each_mode_and_what_computing_takes() -> None:
    job = WholeJob(BOARD, "lstm", minutes=1, seed=0)
    start, highest = job.current_mode(), job.modes.highest
    for _ in range(100):
        job.minibatch_ended()
    slow_s = job.clock.now()
    job.wait(7.0)
    job.apply(highest)
    total = job.ended_in(highest)
    rest_s = (job.minibatches - 100) * job.settled(highest)[0] / 1e3
    assert total.seconds == pytest.approx(slow_s + 7 + rest_s)
    assert total.computing_s == 7
    assert total.profiling_s == pytest.approx(slow_s + 7)
    trained_j = slow_s * job.settled(start)[1] + rest_s * job.settled(highest)[1]
    assert 0 < total.energy_j - trained_j < 7 * job.settled(start)[1], "a board that waits draws less"


def test_a_tuned_job_saves_nearly_as_much_as_the_oracle() -> None:
    saved = saved_by_job(BOARD, "lstm", HIGHEST, 5.0, seed=0, minutes=60)
    board = simulated_board(BOARD)
    time_ms, power_w = settled_costs(BOARD, "lstm")
    highest = board.modes.index(board.modes.highest)
    energy = time_ms * power_w / (time_ms * power_w)[highest]
    assert saved.oracle == pytest.approx(100 * (1 - energy[time_ms <= 1.05 * time_ms[highest]].min()))
    assert 0.5 * saved.oracle < saved.energy
    assert saved.slower < 7
    assert saved.job_energy < saved.energy, "profiling costs"
    assert saved.tuned
    assert saved.modes > 5
    assert saved.profiling_s > 60


def test_without_a_budget_a_job_is_tuned_with_none(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def refuse(budget: object, **rest: object) -> None:
        asked.append(budget)
        raise RuntimeError

    monkeypatch.setattr("lightning_powertrain.evaluation.energy.Tuner", refuse)
    for allowed in (0.0, 3.0):
        with pytest.raises(RuntimeError):
            saved_by_job(BOARD, "lstm", "MIDDLE", allowed, seed=0, minutes=1)
    assert asked == [None, "3 % slower"]


def test_a_job_that_is_too_short_to_tune_saves_nothing() -> None:
    saved = saved_by_job(BOARD, "lstm", "MIDDLE", 3.0, seed=0, minutes=0.1)
    assert (saved.tuned, saved.energy, saved.slower) == (False, 0.0, 0.0)
    assert saved.oracle > 0


def test_an_experiment_runs_each_board_start_allowance_and_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning_powertrain.evaluation.energy.saved_by_job", lambda *job: job)
    experiment = EnergyExperiment("?", ("foreign-1", "orin-agx-64gb"), ("lstm",), seeds=2, allowed=(0.0, 3.0))
    jobs = list(experiment.runs())
    assert len(jobs) == len(set(jobs)) == 2 * 2 * 2 * 2
    assert ("orin-agx-64gb", "lstm", "MODE_50W", 3.0, 1, 60.0) in jobs


def test_tables_show_the_worst_job_and_fit_100_columns() -> None:
    runs = [
        SAVED,
        replace(SAVED, board="foreign-2", energy=-8.0, slower=14.5, job_slower=-12.5),
        replace(SAVED, board="foreign-3", energy=40.0),
        replace(SAVED, board="orin-agx-64gb", allowed=10.0),
    ]
    drawn, by_workload, orin, _ = map(printed, energy_tables(runs))
    assert "highest 3 % 3 30 [30..30] 25 [-8..40] 2.5 [2.5..14.5] 24 [24..24] 3.1 [-12.5..3.1]" in drawn
    assert "lstm 3 30" in by_workload
    assert "highest 10 % 1 30" in orin


def test_the_sentence_names_boards_jobs_and_the_largest_loss_of_time() -> None:
    text = sentence([SAVED, replace(SAVED, board="foreign-2", energy=35.0, slower=4.0), replace(SAVED, allowed=5.0)])
    assert text == (
        "25 to 35 % less energy per minibatch (median 30 %, oracle 30 %) than in the highest mode, for at most 4.0 % "
        "more time (median 3.2 %), on 2 simulated boards drawn at random; 2 jobs, 1 workloads."
    )
    assert sentence([replace(SAVED, start="MIDDLE")]) == ""
    assert untuned([SAVED, replace(SAVED, tuned=False)]).startswith("1 of 2 jobs were not tuned")


def printed(table: Table) -> str:
    console = Console(width=100, highlight=False)
    with console.capture() as capture:
        console.print(table)
    text = capture.get()
    assert "…" not in text
    return "\n".join(" ".join(line.split()) for line in text.splitlines())
