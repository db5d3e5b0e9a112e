from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from lightning_powertrain.boards import load_board
from lightning_powertrain.errors import ArgumentError, FileFormatError
from lightning_powertrain.evaluation import cases as cases_module
from lightning_powertrain.evaluation.bench import Run, run_bench
from lightning_powertrain.evaluation.cases import Case, Columns, read_profiles, recorded_cases, simulated_cases
from lightning_powertrain.evaluation.experiments import DATA_FOLDER, EXPERIMENTS
from lightning_powertrain.evaluation.methods import METHODS

LIMITS = np.arange(17.0, 51.0, 4.0)
CSV = """net,cores,gpu_hz,ms,watts
small,1,100,40,4
small,2,100,30,5
small,1,200,22,6
small,2,200,20,8
large,1,100,80,4
large,2,100,70,5
large,1,200,42,6
large,2,200,40,8
"""
COLUMNS = Columns(("cores", "gpu_hz"), "ms", "watts", ("net",))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "board.csv"
    path.write_text(CSV)
    return path


@pytest.fixture(scope="module")
def runs() -> dict[str, list[Run]]:
    cases = simulated_cases("orin-agx-64gb", ["mobilenetv3"], {"only": "resnet18"}, "study")
    methods = [name for name in METHODS if name not in ("paper", "scratch") and not METHODS[name].is_ablation]
    found: dict[str, list[Run]] = {}
    for run in run_bench(cases, methods, [6, 20], 1, LIMITS):
        found.setdefault(run.method, []).append(run)
    return found


def test_methods_share_their_draws(runs: dict[str, list[Run]]) -> None:
    assert [run.modes for run in runs["grey-box"]] == [6, 20]
    assert [run.profiling_s for run in runs["grey-box"]] == [run.profiling_s for run in runs["random-pareto"]]
    assert runs["grey-box-lhs"][1].profiling_s != runs["grey-box"][1].profiling_s


def test_ours_is_much_better_than_a_straight_line(runs: dict[str, list[Run]]) -> None:
    ours, line = runs["grey-box-lhs"][1], runs["linear"][1]
    assert ours.errors is not None
    assert line.errors is not None
    assert ours.errors.time < 8 < line.errors.time / 3
    assert ours.errors.power < 4 < line.errors.power


def test_measured_modes_are_known_and_never_surprise_much(runs: dict[str, list[Run]]) -> None:
    for name in ("random-pareto", "presets"):
        decisions = runs[name][-1].decisions
        assert decisions is not None
        can_be_met = decisions.limits_w > 21  # No stock mode with the whole GPU draws less than 20 W.
        assert decisions.excesses_w[can_be_met].max() < 1.5
        assert decisions.penalty > 0


def test_maxn_ignores_every_limit(runs: dict[str, list[Run]]) -> None:
    (maxn,) = runs["maxn"]
    assert maxn.decisions is not None
    assert maxn.profiling_s == 0
    assert maxn.decisions.above > 50
    assert maxn.decisions.penalty < 0


def test_verified_choices_keep_limits_better() -> None:
    cases = simulated_cases("orin-nano-8gb", ["mobilenetv3"], {"only": "orin-agx-64gb-resnet18"}, None)
    limits_w = np.linspace(6.5, 9.5, 4)
    presets, predicted = run_bench(cases, ["presets", "grey-box"], [12], 1, limits_w, verify=True)
    assert predicted.decisions is not None
    assert predicted.verified is not None
    assert predicted.verified.decisions.largest_excess_w < 0.3 < predicted.decisions.largest_excess_w
    assert 12 < predicted.verified.modes <= 12 + 5
    assert predicted.verified.profiling_s > predicted.profiling_s + 2.0 * (predicted.verified.modes - 12), (
        "settling alone"
    )
    assert predicted.verified.adaptive_s < predicted.verified.profiling_s
    assert predicted.record()["verified_above_half_w"] == 0.0
    assert presets.verified is None, "what it chooses was measured from the start"


def test_searches_choose_better_from_fewer_modes_and_hard_limits_are_kept_on_the_way() -> None:
    cases = simulated_cases("orin-agx-64gb", ["mobilenetv3"], {"only": "resnet18"}, "study")
    limits_w = np.array([5.0, 15.0, 25.0, 35.0])
    methods = ["random-pareto", "search", "auto", "hard"]
    by_name = {run.method: run for run in run_bench(cases, methods, [20], 1, limits_w)}
    sampled = by_name["random-pareto"].decisions
    assert sampled is not None
    for name in methods[1:]:
        run = by_name[name]
        assert run.decisions is None, "there is no choice that was not measured"
        assert run.verified is not None
        assert run.modes == (20 if name == "search" else 0)
        assert run.verified.decisions.largest_excess_w < 0.5
        assert run.verified.decisions.penalty < 8 < sampled.penalty
        assert run.verified.modes <= 1 + 20 + 5
        assert len(run.verified.beyond_w) == run.verified.modes * len(run.verified.decisions.limits_w)
        assert run.record()["verified_measured_above_1_w"] == (
            0.0 if name == "hard" else run.verified.measured_above_1_w
        )
    hard, auto = by_name["hard"].verified, by_name["auto"].verified
    assert hard is not None
    assert auto is not None
    assert hard.measured_largest_w < 1.0 < auto.measured_largest_w
    assert hard.decisions.limits_w.tolist() == [15.0, 25.0, 35.0], "not even the lowest mode draws 5 W"


def test_searches_need_power(file: Path) -> None:
    assert not list(run_bench(cases_of(file, None, "small"), ["search", "auto", "hard"], [3], 1, np.array([5.0])))


def test_records_hold_plain_values_only(runs: dict[str, list[Run]]) -> None:
    for some in runs.values():
        record = some[0].record()
        assert all(value is None or isinstance(value, (str, int, float)) for value in record.values())
        assert record["simulated"] is True
        assert "prediction" not in record
        assert not any(isinstance(value, float) and np.isnan(value) for value in record.values())


def cases_of(file: Path, power: str | None, reference: str | None) -> Iterator[Case]:
    yield from recorded_cases(file, Columns(("cores", "gpu_hz"), "ms", power, ("net",)), reference)


def test_recorded_data_is_read_by_column(file: Path) -> None:
    profiles = read_profiles(file, COLUMNS)
    assert list(profiles) == ["small", "large"]
    assert [knob.role for knob in profiles["small"].knobs] == ["cores", "gpu"]
    assert profiles["large"].modes.tolist() == [[1, 100], [2, 100], [1, 200], [2, 200]]
    assert profiles["large"].time_ms.tolist() == [80, 70, 42, 40]
    assert not profiles["small"].provenance.simulated


def test_several_columns_may_name_the_workload(tmp_path: Path) -> None:
    path = tmp_path / "boards.csv"
    path.write_text("board,net,cores,ms\na,small,1,40\nb,small,1,20\nb,large,1,60\n")
    profiles = read_profiles(path, Columns(("cores",), "ms", None, ("board", "net")))
    assert {name: profile.time_ms.tolist() for name, profile in profiles.items()} == {
        "a/small": [40],
        "b/small": [20],
        "b/large": [60],
    }


def test_reference_is_no_case(file: Path) -> None:
    (case,) = cases_of(file, "watts", "small")
    assert case.name == "large"
    assert case.reference is not None
    assert case.reference.profile.provenance.workload == "small"


@pytest.mark.parametrize(
    ("board", "reference", "grid"),
    [
        ("orin-agx-64gb", "resnet18", "study"),
        ("orin-nano-8gb", "orin-agx-64gb-resnet18", None),
        ("orin-nano-8gb", "resnet18", None),
    ],
)
def test_the_papers_networks_come_from_the_papers_grid_where_there_is_one(
    board: str, reference: str, grid: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cases_module, "fit_paper_networks", lambda profile: profile)
    (case,) = simulated_cases(board, ["lstm"], {"only": reference}, grid)
    assert case.reference is not None
    fitted_to = case.reference.networks
    home = load_board("orin-agx-64gb" if "orin-agx" in board + reference else board)
    modes = home.grid("study") if home.grids else home.modes
    assert np.array_equal(fitted_to.modes, modes.array)  # type: ignore[attr-defined]
    assert fitted_to.provenance.workload == "resnet18"


def test_replay_without_power_reports_time_alone(file: Path) -> None:
    (case,) = cases_of(file, None, "small")
    runs = list(run_bench([case], ["maxn", "presets", "linear"], [3], 2, np.empty(0)))
    assert [run.method for run in runs] == ["linear", "linear"]
    assert all(run.decisions is None and run.errors is not None and np.isnan(run.errors.power) for run in runs)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (Columns(("clock",), "ms"), "column='clock' is not valid"),
        (Columns(("cores:fan",), "ms"), "role='fan'"),
        (Columns(("cores",), "seconds"), "column='seconds'"),
    ],
)
def test_wrong_columns_are_named(file: Path, columns: Columns, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        read_profiles(file, columns)


def test_unknown_reference_and_unreadable_files_are_named(file: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="--reference='huge' is not valid"):
        recorded_cases(file, COLUMNS, "huge")
    with pytest.raises(FileFormatError, match=r"missing\.csv cannot be read"):
        read_profiles(tmp_path / "missing.csv", COLUMNS)
    file.write_text(CSV.replace("40,4", "forty,4"))
    with pytest.raises(FileFormatError, match="forty"):
        read_profiles(file, COLUMNS)


@pytest.mark.skipif(
    not os.environ.get(DATA_FOLDER), reason=f"{DATA_FOLDER} does not name a folder of recorded data sets"
)
@pytest.mark.parametrize(
    ("experiment", "modes", "most"), [("tx2-inception", 20, 6.5), ("tx2-alexnet", 50, 4.5), ("gpu-training", 20, 4.0)]
)
def test_what_was_recorded_is_predicted(experiment: str, modes: int, most: float) -> None:
    runs = list(run_bench(EXPERIMENTS[experiment].cases(), ["grey-box-lhs"], [modes], 2, np.empty(0)))
    assert np.median([run.errors.time for run in runs if run.errors]) < most
