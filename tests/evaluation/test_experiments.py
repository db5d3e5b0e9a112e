from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lightning_powertrain.boards import load_board
from lightning_powertrain.errors import ArgumentError, FileFormatError, MissingPackageError
from lightning_powertrain.evaluation.bench import run_bench
from lightning_powertrain.evaluation.experiments import EXPERIMENTS, JOB_EXPERIMENTS, Experiment
from lightning_powertrain.evaluation.methods import METHODS, check_methods, installed_methods


@pytest.mark.parametrize("name", [name for name, each in EXPERIMENTS.items() if each.dataset is None])
def test_simulated_experiments_can_be_built(name: str) -> None:
    known = EXPERIMENTS[name]
    experiment = replace(known, boards=known.boards[:1], workloads=known.workloads[:1], references=known.references[:1])
    (case,) = experiment.cases()
    assert case.simulated
    assert case.has_power
    assert experiment.heading([case]).startswith(f"SIMULATED: {', '.join(experiment.boards)}, ")
    limits_w = experiment.limits_w([case])
    assert case.truth.power_w.min() < limits_w[-1]
    check_methods(experiment.methods)


def test_each_experiment_asks_something_and_names_real_methods() -> None:
    for experiment in EXPERIMENTS.values():
        assert experiment.about.endswith("?")
        assert set(experiment.methods) <= set(METHODS)
    assert all(experiment.about.endswith("?") for experiment in JOB_EXPERIMENTS.values())


def test_a_reference_may_be_of_another_board() -> None:
    experiment = replace(EXPERIMENTS["orin-nano"], workloads=("yolov8n",))
    (case,) = experiment.cases()
    assert case.reference is not None
    assert case.reference.profile.provenance.board == "orin-agx-64gb"
    assert case.truth.knobs == load_board("orin-nano-8gb").knobs != case.reference.profile.knobs
    (run,) = run_bench([case], ["grey-box-lhs"], [10], 1, experiment.limits_w([case]))
    assert run.errors is not None
    assert run.errors.time < 12
    (boosted,) = run_bench([case], ["boosting"], [20], 1, np.empty(0))
    assert boosted.errors is not None
    assert boosted.errors.power < 20


def test_limits_are_as_asked_or_those_of_the_study_or_of_the_data() -> None:
    study = replace(Experiment(), workloads=("lstm",))
    (case,) = study.cases()
    assert study.limits_w([case]).tolist() == list(range(17, 51))
    assert replace(study, limits=(20, 22)).limits_w([case]).tolist() == [20.0, 21.0, 22.0]
    nano = replace(EXPERIMENTS["orin-nano"], workloads=("lstm",))
    (other,) = nano.cases()
    by_data = nano.limits_w([other])
    assert len(by_data) == 20
    assert other.truth.power_w.min() < by_data[0] < by_data[-1] < other.truth.power_w.max()


@pytest.mark.parametrize("name", [name for name, each in EXPERIMENTS.items() if each.dataset is not None])
def test_recorded_experiments_look_into_the_data_folder(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    experiment = EXPERIMENTS[name]
    monkeypatch.delenv("POWERTRAIN_DATA", raising=False)
    with pytest.raises(ArgumentError, match=rf"POWERTRAIN_DATA is not set\..*{name}/profile.csv"):
        experiment.cases()
    monkeypatch.setenv("POWERTRAIN_DATA", str(tmp_path))
    with pytest.raises(FileFormatError, match=str(tmp_path / name)):
        experiment.cases()
    (tmp_path / name).mkdir()
    knobs = [knob.partition(":")[0] for knob in experiment.knobs]
    reference = (*experiment.references, "any/thing")[0].split("/", len(experiment.workload) - 1)
    rows = [[*["1"] * len(knobs), "7", "5", *names] for names in (["new"] * len(reference), reference)]
    lines = [",".join(row) for row in ([*knobs, experiment.time, "power_w", *experiment.workload], *rows)]
    (tmp_path / name / "profile.csv").write_text("\n".join(lines))
    cases = experiment.cases()
    assert cases[0].name == "/".join(["new"] * len(reference))
    larger = replace(cases[0], truth=replace(cases[0].truth, measurements=cases[0].truth.measurements * 1234))
    assert ", 1 to 1,234 modes, " in experiment.heading([larger, cases[0]])
    assert experiment.heading(cases).startswith(f"recorded: {name}/profile.csv, 1 modes, reference ")


def test_a_method_without_its_package_is_left_out_and_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert installed_methods() == tuple(METHODS)
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert set(METHODS) - set(installed_methods()) == {"boosting", "forest", "bayesian"}
    check_methods(["linear"])
    with pytest.raises(MissingPackageError, match=r"pip install 'lightning-powertrain\[evaluation\]'"):
        check_methods(["linear", "boosting"])


def test_foreign_boards_are_tried_from_each_reference_but_no_workload_from_itself() -> None:
    experiment = replace(EXPERIMENTS["foreign"], boards=("foreign-200",), workloads=("lstm", "resnet18"))
    cases = experiment.cases()
    tried = {(case.name, case.start) for case in cases}
    assert len(tried) == len(cases)
    assert {start for _, start in tried} == {"own", "bundled", "foreign", "wrong", "none"}
    assert {("lstm", "wrong"), ("resnet18", "own")}.isdisjoint(tried)
    homes = {case.start: case.reference.profile.provenance.board for case in cases if case.reference is not None}
    assert homes == {
        "own": "foreign-200",
        "bundled": "orin-agx-64gb",
        "foreign": "foreign-21",
        "wrong": "foreign-200",
    }
    runs = list(run_bench(cases[:2], ["grey-box-lhs"], [10], 1, experiment.limits_w(cases)))
    assert [run.title for run in runs] == [f"grey-box-lhs from {case.start}" for case in cases[:2]]
    assert {run.board for run in runs} == {"foreign-200"}


def test_recorded_data_takes_one_reference() -> None:
    with pytest.raises(ArgumentError, match="one reference"):
        replace(EXPERIMENTS["tx2-inception"], references=("none", "inceptionv3_600x600")).cases()
