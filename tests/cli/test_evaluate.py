"""``powertrain evaluate``: the tables, the JSON, and wrong calls."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lightning_powertrain.cli import app
from lightning_powertrain.evaluation.experiments import EXPERIMENTS, JOB_EXPERIMENTS

CSV = "net,cores,gpu_hz,ms,watts\n" + "".join(
    f"{net},{cores},{gpu},{work / gpu + 30 / cores:.2f},{2 + cores + gpu / 50:.2f}\n"
    for net, work in (("small", 2000), ("large", 5000))
    for cores in (1, 2, 4)
    for gpu in (100, 200, 300, 400)
)


@pytest.fixture(autouse=True)
def narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")


@pytest.fixture
def dataset(tmp_path: Path) -> list[str]:
    path = tmp_path / "board.csv"
    path.write_text(CSV)
    return ["--dataset", str(path), "--knobs", "cores,gpu_hz", "--time", "ms", "--workload", "net", "--seeds", "2"]


def run(*arguments: str, exit_code: int = 0) -> str:
    result = CliRunner().invoke(app, ["evaluate", *arguments])
    assert result.exit_code == exit_code, result.output
    return result.stdout if exit_code == 0 else result.stderr


QUICK = ("--methods", "random-pareto,linear,grey-box-lhs", "--modes", "6")


def test_recorded_data_gives_three_tables(dataset: list[str]) -> None:
    text = run(*dataset, "--power", "watts", "--reference", "small", *QUICK)
    assert f"recorded: {Path(dataset[1]).parent.name}/board.csv, 12 modes, reference small" in text
    assert "Workloads: large" in text
    for title in ("MAPE of time", "MAPE of power", "Choices within power limits"):
        assert title in text
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text


def test_without_power_only_times_are_judged(dataset: list[str]) -> None:
    text = run(*dataset, *QUICK, "--methods", "grey-box-lhs")
    assert "MAPE of time" in text
    assert "MAPE of power" not in text


def test_json_holds_every_run(dataset: list[str]) -> None:
    records = json.loads(run(*dataset, "--power", "watts", *QUICK, "--json"))
    assert len(records) == 2 * 3 * 2, "two workloads, three methods, two seeds"
    ours = [record for record in records if record["method"] == "grey-box-lhs"]
    assert all(0 <= record["errors_time"] < 30 and record["fit_s"] > 0 for record in ours)
    assert all("errors_time" not in record for record in records if record["method"] == "random-pareto")


def test_simulated_figures_say_so() -> None:
    text = run("--workloads", "lstm", "--methods", "maxn,presets", "--seeds", "1")
    assert "SIMULATED: orin-agx-64gb, 4,368 modes, reference resnet18" in text
    assert "maxn" in text
    assert "presets" in text


def test_experiments_are_listed() -> None:
    lines = run("--experiment", "?").splitlines()
    assert [each.split()[0] for each in lines] == [*EXPERIMENTS, *JOB_EXPERIMENTS]
    assert all(each.endswith("?") for each in lines)


def test_options_override_an_experiment() -> None:
    few = ("--workloads", "yolov8n", "--methods", "random-pareto", "--modes", "7", "--seeds", "1", "--json")
    (record,) = json.loads(run("--experiment", "orin-nano", *few))
    assert (record["workload"], record["modes"], record["simulated"]) == ("yolov8n", 7, True)
    text = run("--experiment", "orin-nano", *few[:-1], "--reference", "none")
    assert "SIMULATED: orin-nano-8gb, 1,800 modes, reference none" in text


def test_verified_choices_have_a_table(dataset: list[str]) -> None:
    text = run(*dataset, "--power", "watts", *QUICK, "--verify")
    assert "Choices that were measured before they are kept" in text
    assert "Measured on the way to these choices" in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= 80
    records = json.loads(run(*dataset, "--power", "watts", *QUICK, "--verify", "--json"))
    verified = [record["verified_modes"] for record in records if "verified_modes" in record]
    assert len(verified) == 2 * 2 * 2, "two workloads, two methods that predict, two seeds"
    assert all(6 <= modes <= 6 + 5 for modes in verified)


def test_searches_go_without_unverified_choices(dataset: list[str]) -> None:
    text = run(*dataset, "--power", "watts", "--methods", "search,auto", "--modes", "6")
    assert "Choices that were measured before they are kept" in text
    assert "unverified" not in text
    assert "MAPE" not in text


def test_figures_are_written_and_leave_json_alone(dataset: list[str], tmp_path: Path) -> None:
    few = ("--power", "watts", "--reference", "small", *QUICK, "--seeds", "1", "--json")
    result = CliRunner().invoke(app, ["evaluate", *dataset, *few, "--plots", str(tmp_path / "plots")])
    assert json.loads(result.stdout)
    written = [Path(line.replace("Wrote ", "")) for line in result.stderr.splitlines()]
    assert "front-large" in {path.stem for path in written}
    assert set(written) == set((tmp_path / "plots").iterdir())


def test_figures_without_matplotlib_are_refused_before_any_work(
    dataset: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    message = run(*dataset, *QUICK, "--plots", str(tmp_path / "plots"), exit_code=1)
    assert message.startswith("powertrain: matplotlib is not installed; `pip install")


def test_recorded_experiments_need_the_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POWERTRAIN_DATA", raising=False)
    assert "POWERTRAIN_DATA is not set" in run("--experiment", "tx2-alexnet", exit_code=2)


@pytest.mark.usefixtures("quick_networks")
def test_without_scikit_learn(dataset: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    command = "pip install 'lightning-powertrain[evaluation]'"
    message = run(*dataset, "--methods", "linear,boosting", exit_code=1)
    assert message.count("\n") == 1
    assert command in message
    named = ["--experiment", "profiling-cost", "--workloads", "lstm"]
    for arguments, left_out in ((dataset, "boosting, forest, bayesian"), (named, "boosting")):
        result = CliRunner().invoke(app, ["evaluate", *arguments, "--modes", "6", "--seeds", "1", "--json"])
        assert result.exit_code == 0, result.output
        methods = {record["method"] for record in json.loads(result.stdout)}
        assert "grey-box" in methods
        assert "boosting" not in methods
        assert result.stderr.startswith(f"Left out: {left_out}; scikit-learn is not installed")
        assert command in result.stderr
        assert result.stderr.count("\n") == 1


def test_saved_energy_of_whole_jobs_is_simulated_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    few = ("--experiment", "energy", "--board", "foreign-200", "--workloads", "lstm", "--seeds", "1")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setitem(JOB_EXPERIMENTS, "energy", replace(JOB_EXPERIMENTS["energy"], allowed=(3.0,), minutes=0.1))
    text = run(*few)
    assert text.startswith("SIMULATED: foreign-200; jobs of 0.1 minutes\nWorkloads: lstm\n")
    assert "than in the highest mode" in text
    assert "2 of 2 jobs were not tuned" in text
    assert "…" not in text
    records = json.loads(run(*few, "--json"))
    assert [record["start"] for record in records] == ["highest", "MIDDLE"]


@pytest.mark.parametrize("option", [("--methods", "paper"), ("--modes", "10"), ("--plots", "figures"), ("--verify",)])
def test_whole_jobs_refuse_what_they_cannot_follow(option: tuple[str, ...]) -> None:
    message = run("--experiment", "energy", *option, exit_code=2)
    assert "--experiment energy takes --board, --workloads, --seeds and --json only." in message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--experiment", "nonsense"), "--experiment='nonsense' is not valid. Allowed: one of paper, "),
        (("--methods", "magic"), "--methods='magic' is not valid. Allowed: some of maxn, presets"),
        (("--modes", "ten"), "--modes='ten' is not valid"),
        (("--modes", "9999"), "--modes=9999 is not valid"),
        (("--limits", "50-17"), "--limits='50-17' is not valid"),
        (("--grid", "nonsense"), "grid='nonsense' is not valid"),
        (("--workloads", "nonsense"), "nonsense"),
    ],
)
def test_wrong_calls_exit_with_two(arguments: tuple[str, ...], message: str) -> None:
    assert message in run(*arguments, "--workloads", "lstm", *arguments, exit_code=2)


def test_dataset_needs_its_knobs(tmp_path: Path) -> None:
    assert "--knobs" in run("--dataset", str(tmp_path / "x.csv"), exit_code=2)
    assert "cannot be read" in run("--dataset", str(tmp_path / "x.csv"), "--knobs", "cores", exit_code=1)
